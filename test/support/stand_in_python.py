"""A stand-in for Python, which makes folders instead of environments, for tests of the scripts."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

STAND_IN = """#!/usr/bin/env bash
# What the scripts ask of a Python. IDENTITY is replaced by what this one calls itself.
case "$*" in
  *base_prefix*) echo "IDENTITY" ;;
  "-c "*) exit 0 ;;
  --version) echo "Python 3.11.0" ;;
  "-m venv"*)
    folder="${@: -1}"
    mkdir -p "$folder/bin"
    cp "$0" "$folder/bin/python"
    touch "$folder/pyvenv.cfg" ;;
  "-m pip"*) echo "ONNX Runtime: $KD_SEG_ONNXRUNTIME, $*" >>"$(dirname "$0")/../pip" ;;
  "-m distill"* | scripts/demo*) echo "$*" >>"$(dirname "$0")/../run" ;;
  *) exit 1 ;;
esac
"""


def checkout_in(folder: Path) -> Path:
    """Make a folder that is a checkout as far as the scripts can tell; return it."""
    checkout = folder / "checkout"
    (checkout / "scripts").mkdir(parents=True)
    (checkout / "setup.py").write_text("")
    for name in ("environment.sh", "demo.sh"):
        (checkout / "scripts" / name).write_text((ROOT / "scripts" / name).read_text())
    return checkout


def stand_in(folder: Path, identity: str) -> Path:
    """Write a Python of this name into a folder; return its path."""
    path = folder / f"python_{identity.replace('/', '').replace(' ', '_')}"
    path.write_text(STAND_IN.replace("IDENTITY", identity))
    path.chmod(0o755)
    return path

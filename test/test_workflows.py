"""Containers, workflows and forms: they parse, and what they name exists."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from setup_arguments import setup_arguments

from distill.__main__ import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
TARGETS = set(re.findall(r"^FROM \S+ AS (\w+)$", DOCKERFILE, re.MULTILINE))
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


class _Loader(yaml.SafeLoader):
    """YAML with Compose's ``!reset``."""


_Loader.add_constructor("!reset", lambda _loader, _node: None)


def read_yaml(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), _Loader)


def steps(workflow: Path) -> Iterator[dict[str, Any]]:
    for job in read_yaml(workflow)["jobs"].values():
        assert job["timeout-minutes"] <= 90
        yield from job["steps"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_scripts_and_commands_of_workflows_exist(workflow: Path) -> None:
    found = 0
    for step in steps(workflow):
        if "uses" in step:
            assert "@" in step["uses"]
        for word in shlex.split(step.get("run", "").replace("${{", "").replace("}}", ""), comments=True):
            if word.startswith("scripts/"):
                found += 1
                assert (ROOT / word).stat().st_mode & 0o100, word
    text = workflow.read_text()
    assert found or "mkdocs build --strict" in text
    for command in re.findall(r"kd_seg ([a-z]\S*)", text):
        assert command in COMMANDS


def test_the_workflows_run_the_readmes_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    runs = [step.get("run", "") for workflow in WORKFLOWS for step in steps(workflow)]
    for command in ("scripts/demo.sh", "scripts/test.sh"):
        assert re.search(rf"^{command}", readme, re.MULTILINE)
        assert sum(command in run for run in runs) >= 2


def test_every_supported_distribution_is_tried_and_has_constraints() -> None:
    for job in read_yaml(ROOT / ".github/workflows/ros.yml")["jobs"].values():
        tried = job["strategy"]["matrix"]["distribution"]
        assert tried == ["humble", "jazzy", "kilted"]
        assert all((ROOT / f"constraints/{name}.txt").is_file() for name in tried)


def test_what_the_dockerfile_copies_is_there_and_not_ignored() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().split("\n") if line[:1] not in ("", "#")]
    copies = re.findall(r"^COPY (?:--\S+ )*(\S+) \S+$", DOCKERFILE, re.MULTILINE)
    assert len(copies) >= 4
    for source in copies:
        assert (ROOT / source).exists(), source
        assert not any(fnmatch(source, pattern) for pattern in ignored)
    for needed in ("package.xml", "resource", "constraints", "scripts", "LICENSE", "README.md"):
        assert not any(fnmatch(needed, pattern) for pattern in ignored)


def test_extras_in_the_dockerfile_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    extras = re.findall(r"(?:EXTRAS=|'\.)\[([\w,]+)\]", DOCKERFILE)
    assert len(extras) == 2
    known = setup_arguments(monkeypatch)["extras_require"]
    for names in extras:
        assert set(names.split(",")) <= set(known)


def test_compose_and_the_devcontainer_name_targets_that_exist() -> None:
    services = read_yaml(ROOT / "compose.yaml")["services"]
    assert {service["build"]["target"] for service in services.values()} == TARGETS - {"development"}
    others = read_yaml(ROOT / "compose.cpu.yaml")["services"]
    assert set(others) < set(services)
    arguments = set(re.findall(r"^ARG (\w+)", DOCKERFILE, re.MULTILINE))
    for service in (*services.values(), *others.values()):
        assert set(service["build"].get("args", {})) <= arguments
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    assert container["build"]["target"] in TARGETS
    assert (ROOT / ".devcontainer" / container["build"]["dockerfile"]).is_file()


def test_launch_arguments_of_compose_exist() -> None:
    command = read_yaml(ROOT / "compose.yaml")["services"]["node"]["command"]
    words = command.split()
    assert words[:2] == ["ros2", "launch"]
    launch_file = (ROOT / "launch" / words[3]).read_text()
    for argument in re.findall(r"(\w+):=", command):
        assert f'"{argument}"' in launch_file


def test_the_entry_point_is_a_script() -> None:
    path = ROOT / "docker/entrypoint.sh"
    assert path.stat().st_mode & 0o100
    assert subprocess.run(["bash", "-n", path], check=False).returncode == 0


def test_forms_and_citation_parse() -> None:
    for form in (ROOT / ".github/ISSUE_TEMPLATE").glob("*_*.yml"):
        content = read_yaml(form)
        assert content["name"]
        assert any(field["type"] == "textarea" for field in content["body"])
    citation = read_yaml(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["license"] == "Apache-2.0"

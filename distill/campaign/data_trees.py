"""Folders of images and labels as users have them, read as a data set and by ``kd_seg check-data``."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from distill.campaign.image_bytes import claimed, cut, empty, flip, grey_png, noise
from distill.datasets.frame import read_sample
from distill.datasets.registry import open_data
from kd_seg_ros.campaign.in_process import run_in_process
from kd_seg_ros.campaign.outcome import Expected, Outcome, Verdict, judged

FRAMES: Final = 3
_HEIGHT, _WIDTH = 8, 12
_CLASSES: Final = 4
_MAP: Final = "classes: [a, b, c, d]\nvalues: {0: a, 1: b, 2: c, 3: d}\n"

Labels = NDArray[np.uint8]
_Change = Callable[[Path, list[Labels], np.random.Generator], None]
"""Changes a tree; gets its folder and the labels that it holds."""


def names() -> Sequence[str]:
    """Return the names of the cases."""
    return list(CASES)


def try_case(name: str, seed: int, folder: Path) -> Verdict:
    """Make a tree, change it, read it and let check-data look at it."""
    rng = np.random.default_rng(seed)
    root = folder / "data"
    labels = [rng.integers(0, _CLASSES, (_HEIGHT, _WIDTH)).astype(np.uint8) for _ in range(FRAMES)]
    _write(root, labels, rng)
    expected, change = CASES[name]
    change(root, labels, rng)
    verdict = judged(partial(_read, root), expected, partial(_problem, labels))
    return _checked(verdict, root, name in _TOLD) if verdict.outcome.good else verdict


def _write(root: Path, labels: list[Labels], rng: np.random.Generator) -> None:
    for kind in ("images", "labels"):
        (root / kind / "sub").mkdir(parents=True)
    for number, values in enumerate(labels):
        picture = rng.integers(0, 256, (_HEIGHT, _WIDTH, 3)).astype(np.uint8)
        Image.fromarray(picture).save(_image(root, number))
        Image.fromarray(values).save(_label(root, number))
    (root / "classes.yaml").write_text(_MAP, encoding="utf-8")


def _image(root: Path, number: int = 0) -> Path:
    return root / "images" / "sub" / f"{number}.png"


def _label(root: Path, number: int = 0) -> Path:
    return root / "labels" / "sub" / f"{number}.png"


def _read(root: Path) -> list[Labels]:
    """Return the trainIds of all frames, by name.

    :raises UserError: for a tree with faults.
    """
    listing = open_data(
        "folder", images=root / "images", labels=root / "labels", classes=root / "classes.yaml"
    )
    found = []
    for frame in listing.complete():
        sample = read_sample(frame)
        assert sample.labels is not None
        found.append(sample.labels)
    return found


def _problem(labels: list[Labels], found: list[Labels]) -> str:
    if len(found) != len(labels):
        return f"{len(found)} frames were found, not {len(labels)}"
    for number, (values, wanted) in enumerate(zip(found, labels, strict=True)):
        if not np.array_equal(values, wanted):
            return f"the labels of frame {number} were read as others"
    return ""


def _checked(verdict: Verdict, root: Path, told: bool) -> Verdict:
    """Let check-data look at the tree: it must find a fault exactly where reading did.

    :param told: reading takes the tree, but check-data must name what is wrong with it.
    """
    words = ["--dataset", "folder", "--images", str(root / "images"), "--labels", str(root / "labels")]
    words += ["--classes", str(root / "classes.yaml"), "--workers", "1", "--json"]
    ended = run_in_process("kd_seg check-data", "distill.commands.check_data", words)
    if ended.status == 0 and (verdict.outcome is Outcome.CLEAR_ERROR or told):
        return Verdict(Outcome.WRONG, f"check-data finds nothing wrong; reading says {verdict.detail!r}")
    if verdict.outcome is Outcome.RIGHT and ended.status != int(told):
        return Verdict(Outcome.REFUSED, f"check-data: {ended.out[-300:]} {ended.err[-300:]}")
    if ended.status != 2:
        json.loads(ended.out)
    return verdict


def _nothing(root: Path, labels: list[Labels], rng: np.random.Generator) -> None:
    """Leave the tree as it is."""


def _save_as(mode: str, ending: str = ".png", **options: Any) -> _Change:
    """Return what saves all labels in another mode or format."""

    def change(root: Path, labels: list[Labels], _: np.random.Generator) -> None:
        for number, values in enumerate(labels):
            _label(root, number).unlink()
            picture = Image.fromarray(values)
            if mode == "1":
                values %= 2
                picture = Image.fromarray(values * 255).convert("1")
            elif mode == "I;16":
                picture = Image.fromarray(values.astype(np.uint16))
            elif mode == "P":
                picture.putpalette(bytes(range(255, -1, -1)) * 3)
            elif mode != "L":
                picture = picture.convert(mode)
            picture.save(_label(root, number).with_suffix(ending), **options)

    return change


def _low_bits(bits: int) -> _Change:
    """Return what saves all labels as a grey PNG of a few bits, which many decoders stretch to 0…255."""

    def change(root: Path, labels: list[Labels], _: np.random.Generator) -> None:
        for number, values in enumerate(labels):
            values %= 2**bits
            _label(root, number).write_bytes(grey_png(values, bits))

    return change


def _file(which: Callable[[Path], Path], damage: Callable[[bytes, np.random.Generator], bytes]) -> _Change:
    """Return what damages a file."""

    def change(root: Path, _: list[Labels], rng: np.random.Generator) -> None:
        path = which(root)
        path.write_bytes(damage(path.read_bytes(), rng))

    return change


def _other_size(root: Path, labels: list[Labels], _: np.random.Generator) -> None:
    Image.fromarray(labels[0][:-1]).save(_label(root))


def _unknown_value(root: Path, labels: list[Labels], rng: np.random.Generator) -> None:
    values = labels[0].copy()
    values[0, 0] = rng.integers(_CLASSES, 255)
    Image.fromarray(values).save(_label(root))


def _ignored_value(root: Path, labels: list[Labels], _: np.random.Generator) -> None:
    labels[0][0] = 255
    Image.fromarray(labels[0]).save(_label(root))


def _missing_label(root: Path, _: list[Labels], __: np.random.Generator) -> None:
    _label(root).unlink()


def _linked_folders(root: Path, _: list[Labels], __: np.random.Generator) -> None:
    for kind in ("images", "labels"):
        (root / kind / "sub").rename(root / f"{kind}_elsewhere")
        (root / kind / "sub").symlink_to(root / f"{kind}_elsewhere")


def _link_to_itself(root: Path, _: list[Labels], __: np.random.Generator) -> None:
    (root / "images" / "sub" / "again").symlink_to(root / "images")


def _broken_link(root: Path, _: list[Labels], __: np.random.Generator) -> None:
    _image(root).unlink()
    _image(root).symlink_to(root / "nowhere.png")


def _hidden(root: Path, _: list[Labels], __: np.random.Generator) -> None:
    """Add what editors and file managers leave."""
    for kind in ("images", "labels"):
        hidden = root / kind / "sub" / ".ipynb_checkpoints"
        hidden.mkdir()
        shutil.copy(root / kind / "sub" / "0.png", hidden / "0-checkpoint.png")
    (root / "images" / "sub" / "._0.png").write_bytes(b"\0\5\x16\7")


def _capitals(root: Path, _: list[Labels], __: np.random.Generator) -> None:
    _image(root).rename(_image(root).with_suffix(".PNG"))


def _odd_name(root: Path, _: list[Labels], rng: np.random.Generator) -> None:
    odd = [b"00 a b", b"00\n", b"00\xff\xfe", "00ü".encode(), b"00;rm", b"00%s{split}", b"0" * 200]
    name = odd[int(rng.integers(len(odd)))]
    for path in (_image(root), _label(root)):
        os.rename(path, os.path.join(os.fsencode(path.parent), name + b".png"))  # noqa: PTH104, PTH118


def _pipe(root: Path, _: list[Labels], __: np.random.Generator) -> None:
    """Put a named pipe, which nobody writes to, in the place of an image."""
    _image(root).unlink()
    os.mkfifo(_image(root))


def _no_images(root: Path, _: list[Labels], __: np.random.Generator) -> None:
    shutil.rmtree(root / "images" / "sub")


def _folder_like_an_image(root: Path, _: list[Labels], __: np.random.Generator) -> None:
    for kind in ("images", "labels"):
        (root / kind / "sub" / "9.png").mkdir()


def _two_endings(root: Path, _: list[Labels], __: np.random.Generator) -> None:
    Image.new("RGB", (_WIDTH, _HEIGHT)).save(_image(root).with_suffix(".jpg"))


def _label_alone(root: Path, labels: list[Labels], _: np.random.Generator) -> None:
    Image.fromarray(labels[0]).save(_label(root, 9))


_SAME, _REFUSED, _EITHER = Expected.SAME, Expected.REFUSED, Expected.EITHER

CASES: Final[dict[str, tuple[Expected, _Change]]] = {
    "whole": (_SAME, _nothing),
    "palette": (_SAME, _save_as("P")),
    "grey and alpha": (_EITHER, _save_as("LA")),
    "16 bits": (_EITHER, _save_as("I;16")),
    "black and white": (_EITHER, _save_as("1")),
    "grey of 1 bit": (_EITHER, _low_bits(1)),
    "grey of 2 bits": (_EITHER, _low_bits(2)),
    "grey of 4 bits": (_EITHER, _low_bits(4)),
    "colours where values are due": (_REFUSED, _save_as("RGB")),
    "JPEG labels": (_REFUSED, _save_as("L", ".jpg")),
    "lossy WebP labels": (_REFUSED, _save_as("RGB", ".webp", quality=50)),
    "TIFF labels": (_EITHER, _save_as("L", ".tif")),
    "BMP labels": (_EITHER, _save_as("L", ".bmp")),
    "labels cut": (_REFUSED, _file(_label, cut)),
    "labels with a flipped bit": (_EITHER, _file(_label, flip)),
    "labels of noise": (_REFUSED, _file(_label, noise)),
    "labels empty": (_REFUSED, _file(_label, empty)),
    "labels that claim to be huge": (_REFUSED, _file(_label, claimed)),
    "image cut": (_REFUSED, _file(_image, cut)),
    "image with a flipped bit": (_EITHER, _file(_image, flip)),
    "image of noise": (_REFUSED, _file(_image, noise)),
    "image that claims to be huge": (_REFUSED, _file(_image, claimed)),
    "labels of another size": (_REFUSED, _other_size),
    "a value that is no class": (_REFUSED, _unknown_value),
    "the ignored value": (_SAME, _ignored_value),
    "labels missing": (_REFUSED, _missing_label),
    "folders that are links": (_SAME, _linked_folders),
    "a link to the folder above": (_EITHER, _link_to_itself),
    "a broken link": (_REFUSED, _broken_link),
    "hidden files": (_SAME, _hidden),
    "ending in capitals": (_SAME, _capitals),
    "odd name": (_EITHER, _odd_name),
    "named pipe": (_REFUSED, _pipe),
    "no images": (_REFUSED, _no_images),
    "a folder like an image": (_SAME, _folder_like_an_image),
    "two endings of one name": (_REFUSED, _two_endings),
    "labels without an image": (_SAME, _label_alone),
}
"""Name → what must come of the tree, and what makes it from a whole one."""

_TOLD: Final = ("labels without an image",)
"""Trees that are taken, of which check-data must say what is wrong all the same."""

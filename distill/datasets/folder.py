"""Any folder of images with a folder of labels, as CamVid comes (Brostow et al., 2009), or images alone.

An image and its labels have the same path below their folders up to the file's extension, or with a suffix
of the labels' before it (CamVid's ``0001TP_006690.png`` and ``0001TP_006690_L.png``).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from distill.datasets.class_map import ColourNames, Values, label_map
from distill.datasets.frame import Frame
from distill.datasets.listing import Listing
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError

EXTENSIONS: Final = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff", ".webp")


def list_folder(
    images: str | Path,
    labels: str | Path,
    names: Values | ColourNames,
    class_names: Sequence[str] = CLASS_NAMES,
    *,
    label_suffix: str = "",
    condition: str = "normal",
) -> Listing:
    """List the images of a folder and its subfolders by path, with their labels.

    :param images: folder of the images.
    :param labels: folder of the labels.
    :param names: the class of each value, or of each RGB colour, in the label files; None: ignored.
    :param class_names: the classes, in the order of their trainIds.
    :param label_suffix: what label files add to the image's name before the extension.
    :param condition: the weather of all images.
    :raises UserError: naming the folder or class that is missing.
    """
    table = label_map(names, class_names)
    image_files, label_files = _by_stem(images, "image"), _by_stem(labels, "label")
    frames, missing = [], []
    for stem, path in image_files.items():
        label_file = label_files.pop(stem + label_suffix, None)
        if label_file is None:
            missing.append((path, Path(labels).expanduser() / f"{stem}{label_suffix}.png"))
        frames.append(Frame(path, label_file, condition, table, len(class_names)))
    return Listing(frames, missing, list(label_files.values()), tuple(class_names))


def unlabelled_frames(images: str | Path, condition: str = "normal") -> list[Frame]:
    """List the images of a folder and its subfolders by path; raises UserError if there are none."""
    return [Frame(path, None, condition) for path in _by_stem(images, "image").values()]


def _by_stem(folder: str | Path, kind: str) -> dict[str, Path]:
    """All image files below a folder by their path there without extension, in its order."""
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise UserError(f"{kind} folder {folder} {problem}")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in EXTENSIONS:
            continue
        stem = path.relative_to(folder).with_suffix("").as_posix()
        if stem in found:
            raise UserError(f"{found[stem]} and {path} differ in their extension alone: remove one")
        found[stem] = path
    if not found:
        raise UserError(f"{kind} folder {folder} has no images ({', '.join(EXTENSIONS)})")
    return found

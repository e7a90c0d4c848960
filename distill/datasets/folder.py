"""Any folder of images, alone or with a folder of labels, as CamVid comes (Brostow et al., 2009).

An image and its labels have the same path below their folders up to the file's extension, except that the
name of the label file may have a suffix before it: CamVid has ``0001TP_006690.png`` and
``0001TP_006690_L.png``.
"""

from pathlib import Path
from typing import Final

from distill.datasets.bag_images import list_messages
from distill.datasets.class_map import ClassMap, read_class_map
from distill.datasets.files import find_files, same_name
from distill.datasets.frame import Frame, Rgb
from distill.datasets.listing import Listing, Oddities, joined_oddities, oddities_of
from kd_seg_ros.common.errors import UserError

IMAGENET_MEAN: Final[Rgb] = (0.485, 0.456, 0.406)
"""Mean of R, G and B, 0…1, of ImageNet's images: what a folder is normalised by unless told otherwise."""
IMAGENET_STD: Final[Rgb] = (0.229, 0.224, 0.225)
"""Standard deviation of R, G and B, 0…1, of ImageNet's images."""

CONDITION: Final = "normal"
"""Weather that the images of a folder count as."""
EXTENSIONS: Final = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff", ".webp")


def list_folder_split(
    root: Path | None,
    split: str | None,
    *,
    images: str | Path | None = None,
    labels: str | Path | None = None,
    classes: Path | ClassMap | None = None,
    topic: str | None = None,
) -> Listing:
    """List the images of a folder and their labels, by paths that may name the split.

    :param root: ``images`` and ``labels`` are relative to it; None: to the working directory.
    :param split: takes the place of ``{split}`` in ``images`` and ``labels``.
    :param classes: the class map of the labels, or its YAML file.
    :param topic: ``images`` is a rosbag2, and its images on this topic are listed.
    :raises UserError: naming the option, folder, file or class that is missing.
    """
    if images is None:
        raise UserError("data set folder needs its image folder: give --images")
    image_folder = _in_root(root, images, split)
    if (labels is None) != (classes is None):
        raise UserError(
            "data set folder: --labels and --classes go together; leave both out for images alone"
        )
    if topic is not None:
        if labels is not None:
            raise UserError(f"topic {topic}: the images of a bag have no labels here: leave --labels out")
        return list_bag(image_folder, topic)
    if labels is None or classes is None:
        return list_images(image_folder)
    class_map = read_class_map(classes) if isinstance(classes, Path) else classes
    return list_folder(image_folder, _in_root(root, labels, split), class_map)


def list_folder(images: Path, labels: Path, classes: ClassMap) -> Listing:
    """List the images of a folder and its subfolders by path, with their labels.

    :param classes: the classes, and which of them each value or colour in the label files is.
    :raises UserError: naming the folder or class that is missing.
    """
    table = classes.label_map()
    count = len(classes.class_names)
    image_files, image_oddities = _by_stem(images, "image")
    label_files, label_oddities = _by_stem(labels, "label")
    frames, missing = [], []
    for stem, path in image_files.items():
        label_stem = stem + same_name(classes.label_suffix)
        label_file = label_files.pop(label_stem, None)
        if label_file is None:
            missing.append((path, labels.expanduser() / f"{label_stem}.png"))
        elif label_file == path:
            raise UserError(f"{path} is an image and its labels at once: give two folders, or a label_suffix")
        frames.append(Frame(path, label_file, CONDITION, table, count))
    oddities = joined_oddities([image_oddities, label_oddities])
    return Listing(frames, missing, list(label_files.values()), classes.class_names, oddities)


def list_images(folder: Path) -> Listing:
    """List the images of a folder and its subfolders by path, without labels; raises UserError for none."""
    files, oddities = _by_stem(folder, "image")
    return Listing([Frame(path, None, CONDITION) for path in files.values()], oddities=oddities)


def list_bag(bag: Path, topic: str) -> Listing:
    """List the images of a rosbag2's topic, without labels; raises UserError for none."""
    found = list_messages(bag.expanduser(), topic)
    return Listing([Frame(message.name, None, CONDITION, message=message) for message in found])


def _in_root(root: Path | None, path: str | Path, split: str | None) -> Path:
    """Return a path below the root, with the split in place of ``{split}``."""
    text = str(path) if split is None else str(path).replace("{split}", split)
    return (root or Path()) / text


def _by_stem(folder: Path, kind: str) -> tuple[dict[str, Path], Oddities]:
    """Return all image files below a folder by their path in it without extension, sorted by path."""
    folder = folder.expanduser()
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise UserError(f"{kind} folder {folder} {problem}")
    found = find_files(folder, EXTENSIONS)
    stems: dict[str, Path] = {}
    for path in found.files:
        stem = same_name(path.relative_to(folder).with_suffix("").as_posix())
        if stem in stems:
            alike = stems[stem].with_suffix("").name == path.with_suffix("").name
            what = "extension" if alike else "Unicode form"
            raise UserError(f"{stems[stem]} and {path} differ in their {what} alone: remove one")
        stems[stem] = path
    if not stems:
        hidden = f"; {len(found.hidden)} hidden ones are left out" if found.hidden else ""
        raise UserError(f"{kind} folder {folder} has no images ({', '.join(EXTENSIONS)}){hidden}")
    return stems, oddities_of(found)

"""Reads a folder of Hugging Face ``transformers``: network, class names, normalisation and input size.

The folder is what ``save_pretrained`` writes or the hub's model page holds: ``config.json``, the weights as
``.safetensors`` or ``.bin`` (read as plain tensors, never unpickled), ``preprocessor_config.json``. Code in
it is never run, and nothing is downloaded.
"""

from __future__ import annotations

import json
import math
import pickle
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from distill.teachers.external import INPUT_MULTIPLE, Normalisation
from kd_seg_ros.common.errors import UserError, first_line

SEMANTIC: Final = "ForSemanticSegmentation"
"""Ending of the architectures that return one map of logits."""

UNIVERSAL: Final = (
    "Mask2FormerForUniversalSegmentation",
    "MaskFormerForInstanceSegmentation",
    "EomtForUniversalSegmentation",
    "EomtDinov3ForUniversalSegmentation",
)
"""Architectures that return classes and masks of queries."""

WEIGHTS: Final = (".safetensors", ".bin")
"""Endings of the files that hold weights, in one file or in several."""

NOT_FROM_AN_IMAGE: Final = {
    "OneFormerForUniversalSegmentation": "OneFormer takes the task in words next to the image",
    "CLIPSegForImageSegmentation": "CLIPSeg takes words next to the image",
}
"""Why segmentation networks are refused that need more than an image, by architecture."""

FIXED_SIZE: Final = ("eomt", "eomt_dinov3", "dpt", "data2vec-vision")
"""Model types that are built for ``image_size`` of their config.json and fail or lose at another."""


@dataclass(frozen=True)
class OptionNames:
    """How the user gives what a folder does not say, for errors."""

    folder: str
    class_names: str
    mean: str
    std: str


TEACHER: Final = OptionNames("teacher.huggingface", "teacher.class_names", "teacher.mean", "teacher.std")
COMMAND: Final = OptionNames("--huggingface", "--classes", "--mean", "--std")


@dataclass(frozen=True)
class Folder:
    """A folder that has been opened."""

    path: Path
    model: Any
    """The network of ``transformers``, float32, in evaluation mode."""
    architecture: str
    """Name of the network's class."""
    class_names: list[str]
    """Names of its classes, in the order of its channels."""
    normalisation: Normalisation
    """Mean and standard deviation of RGB in 0…1 that its images are normalised by."""
    settings: Mapping[str, Any]
    """Content of preprocessor_config.json; empty where there is none."""

    @property
    def bgr(self) -> bool:
        """Whether the network takes blue first."""
        return bool(self.settings.get("do_flip_channel_order"))

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """(H, W) of the only images that the network is built for; None: it takes any size."""
        config = self.model.config
        if config.model_type not in FIXED_SIZE:
            return None
        side = config.image_size
        return (side, side) if isinstance(side, int) else (int(side[0]), int(side[1]))

    @property
    def multiple(self) -> int:
        """The network's strides and patches divide this: sides of images should be multiples of it."""
        config = self.model.config
        multiple = INPUT_MULTIPLE
        for part in (config, getattr(config, "backbone_config", None)):
            patch = getattr(part, "patch_size", None)
            if isinstance(patch, int):
                multiple = math.lcm(multiple, patch)
        return multiple


def open_folder(
    folder: Path,
    class_names: Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    options: OptionNames = TEACHER,
) -> Folder:
    """Read a folder, and load its network.

    :param class_names: the user's, in place of the folder's, as are ``mean`` and ``std``.
    :param options: how the user gives them.
    :raises UserError: if anything is missing, damaged or of a kind that gives no class probabilities.
    """
    if not folder.is_dir():
        raise UserError(
            f"{options.folder}: {folder} is no folder; nothing is downloaded here, fetch it first: "
            "hf download ORGANISATION/MODEL --local-dir FOLDER"
        )
    values = read_json(folder / "config.json")
    architecture = _architecture(folder, values)
    remedy = f": give {options.mean} and {options.std}"
    all_given = mean is not None and std is not None
    settings = read_json(folder / "preprocessor_config.json", remedy, optional=all_given)
    own = normalisation(folder, settings, mean, std, options)
    model = _load(folder, architecture, values, options)
    names = named_classes(folder, model.config.id2label, int(model.config.num_labels), class_names, options)
    return Folder(folder, model, architecture, names, own, settings)


def _architecture(folder: Path, values: dict[str, Any]) -> str:
    named = values.get("architectures")
    architecture = named[0] if isinstance(named, list) and len(named) == 1 else None
    if not isinstance(architecture, str):
        raise UserError(f"{folder / 'config.json'} does not name one architecture")
    if architecture in NOT_FROM_AN_IMAGE:
        raise UserError(
            f"{folder}: {NOT_FROM_AN_IMAGE[architecture]}, which a camera does not give; take a network that "
            "needs the image alone, such as Mask2Former, EoMT, UPerNet or SegFormer"
        )
    if architecture not in UNIVERSAL and not architecture.endswith(SEMANTIC):
        raise UserError(
            f"{folder}: architecture {architecture!r} gives no class probabilities per pixel from an image "
            f"alone; usable are …{SEMANTIC} and {', '.join(UNIVERSAL)}"
        )
    return architecture


def _load(folder: Path, architecture: str, values: dict[str, Any], options: OptionNames) -> Any:
    """Build the network and fill it with the folder's weights, as float32."""
    try:
        import transformers
    except ImportError as error:
        raise UserError(
            f"{options.folder} needs the package transformers: pip install '.[huggingface]'"
        ) from error
    kind = getattr(transformers, architecture, None)
    if kind is None or values.get("model_type") != kind.config_class.model_type:
        raise UserError(
            f"{folder}: transformers {transformers.__version__} knows no {architecture!r} of model type "
            f"{values.get('model_type')!r}; code in the folder is never run, a newer transformers may know it"
        )
    if not any(path.suffix in WEIGHTS for path in folder.iterdir()):
        raise UserError(
            f"{folder} holds no weights: fetch model.safetensors next to config.json; weights of TensorFlow "
            "and Flax (.h5, .msgpack) are not read"
        )
    try:
        with _quiet(transformers):
            model, info = kind.from_pretrained(
                str(folder), local_files_only=True, weights_only=True, output_loading_info=True
            )
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{folder}: the weights hold more than tensors and are not loaded; use a .safetensors file"
        ) from error
    except Exception as error:  # each library involved has its own
        raise UserError(f"{folder}: the network cannot be loaded: {first_line(error)}") from error
    # Buffers that are computed, such as EoMT's masking probabilities, may be absent from older files.
    missing = sorted(set(info["missing_keys"]) & {name for name, _ in model.named_parameters()})
    if missing:
        raise UserError(
            f"{folder}: the weights are not complete: {len(missing)} tensors are missing, "
            f"{missing[0]!r} among them"
        )
    return model.float().eval()


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Keep the loader's progress bar and reports off the terminal."""
    log = transformers.utils.logging
    verbosity, bar = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if bar:
            log.enable_progress_bar()


def named_classes(
    folder: Path, id2label: Mapping[Any, str], count: int, given: Sequence[str] | None, options: OptionNames
) -> list[str]:
    """Return the names of a network's classes.

    :param id2label: config.json's, by the number of the class.
    :param count: number of the classes.
    :param given: the user's names in their place.
    :raises UserError: if there are none, or another number.
    """
    if given is not None:
        if len(given) != count:
            raise UserError(f"{options.class_names}: {len(given)} names for the {count} classes of {folder}")
        return list(given)
    names = [str(id2label.get(index, f"LABEL_{index}")) for index in range(count)]
    if all(re.fullmatch(r"(label|class)?[\s_-]*\d+", name.casefold()) for name in names):
        raise UserError(
            f"{folder}: id2label in config.json holds no names ({names[0]}, …): list them, in order, with "
            f"{options.class_names}"
        )
    return names


def normalisation(
    folder: Path,
    settings: Mapping[str, Any],
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    options: OptionNames,
) -> Normalisation:
    """Return mean and std for RGB in 0…1, from the user's options or else from the folder.

    The folder's are for values of 0…255 times ``rescale_factor``, 1/255 as a rule.

    :param settings: content of preprocessor_config.json.
    """
    flipped = bool(settings.get("do_flip_channel_order"))  # MobileViT: BGR, and not normalised
    if not settings.get("do_normalize", not flipped):
        settings = {**settings, "image_mean": [0.0] * 3, "image_std": [1.0] * 3}
    scale = 255 * settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 255
    found: dict[str, Sequence[float]] = {}
    for key, given in {"mean": mean, "std": std}.items():
        if given is not None:
            found[key] = given
            continue
        read = settings.get(f"image_{key}")
        if not isinstance(read, list):
            raise UserError(
                f"{folder / 'preprocessor_config.json'} holds no image_{key}: give "
                f"{options.mean if key == 'mean' else options.std}, for RGB in 0…1"
            )
        found[key] = [value / scale for value in read]
    source = f"{folder} ({options.mean}, {options.std})"
    return Normalisation.checked(found["mean"], found["std"], source)


def read_json(path: Path, remedy: str = "", optional: bool = False) -> dict[str, Any]:
    """Return the content of one of the folder's files.

    :param remedy: what the user can do if it does not exist.
    :param optional: return an empty dict where the file does not exist, instead of raising UserError.
    """
    if not path.is_file():
        if optional:
            return {}
        raise UserError(f"{path} does not exist{remedy}")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {first_line(error)}") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} holds no keys")
    return values

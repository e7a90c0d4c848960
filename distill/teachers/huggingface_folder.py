"""Reads a folder of Hugging Face ``transformers``: network, class names, normalisation and input size.

The folder is what ``save_pretrained`` writes or the hub's model page holds: ``config.json``, the weights as
``.safetensors`` or ``.bin`` (read as plain tensors, never unpickled), ``preprocessor_config.json``. Code in
it is never run, and nothing is downloaded.
"""

from __future__ import annotations

import math
import pickle
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from distill.teachers.external import INPUT_MULTIPLE, Normalisation
from distill.teachers.huggingface_json import (
    TEACHER,
    OptionNames,
    named_classes,
    normalisation,
    read_json,
)
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

LFS_POINTER: Final = b"version https://git-lfs"
"""Start of the file that a clone without Git LFS has in the place of a large one."""

NOT_FROM_AN_IMAGE: Final = {
    "OneFormerForUniversalSegmentation": "OneFormer takes the task in words next to the image",
    "CLIPSegForImageSegmentation": "CLIPSeg takes words next to the image",
}
"""Why segmentation networks are refused that need more than an image, by architecture."""

MULTI_LABEL: Final = "multi_label_classification"
"""The problem_type of networks whose classes do not exclude each other."""

FIXED_SIZE: Final = ("eomt", "eomt_dinov3", "dpt", "data2vec-vision")
"""Model types that are built for ``image_size`` of their config.json and fail or lose at another."""


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
    *,
    written_out: bool = False,
) -> Folder:
    """Read a folder, and load its network.

    :param class_names: the user's, in place of the folder's, as are ``mean`` and ``std``.
    :param options: how the user gives them.
    :param written_out: with attention as single operations, which can be exported, in place of the fused one.
    :raises UserError: if anything is missing, damaged or of a kind that gives no class probabilities.
    """
    if not folder.is_dir():
        like_an_id = len(folder.parts) == 2 and not folder.is_absolute()
        model_id = folder if like_an_id else "ORGANISATION/MODEL"
        raise UserError(
            f"{options.folder}: {folder} is no folder; nothing is downloaded here, fetch it first: "
            f"hf download {model_id} --local-dir FOLDER"
        )
    values = read_json(folder / "config.json")
    architecture = _architecture(folder, values)
    remedy = f": give {options.mean} and {options.std}"
    all_given = mean is not None and std is not None
    settings = read_json(folder / "preprocessor_config.json", remedy, optional=all_given)
    own = normalisation(folder, settings, mean, std, options)
    model = _load(folder, architecture, values, options, "eager" if written_out else None)
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
    count, labels = values.get("num_labels"), values.get("id2label")
    if labels is not None and not isinstance(labels, dict):
        raise UserError(f"{folder / 'config.json'}: id2label must be {{number: name}}, from 0")
    if count is not None and labels is not None and count != len(labels):
        raise UserError(
            f"{folder / 'config.json'}: num_labels is {count}, but id2label has {len(labels)} names: "
            "correct the one that is wrong"
        )
    if values.get("problem_type") == MULTI_LABEL:
        raise UserError(
            f"{folder}: problem_type in config.json is {MULTI_LABEL}: its classes do not exclude each other "
            "(sigmoid), so that no softmax is its confidence; take a network of one class per pixel"
        )
    return architecture


def _load(
    folder: Path,
    architecture: str,
    values: dict[str, Any],
    options: OptionNames,
    attention: str | None,
) -> Any:
    """Build the network and fill it with the folder's weights, as float32.

    :param attention: its implementation by the library's name; None: the library's choice.
    """
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
    _check_weights(folder)
    try:
        with _quiet(transformers):
            model, info = kind.from_pretrained(
                str(folder),
                local_files_only=True,
                weights_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are refused below, by name
                attn_implementation=attention,
            )
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{folder}: the weights hold more than tensors and are not loaded; use a .safetensors file"
        ) from error
    except Exception as error:  # each library involved has its own
        raise UserError(f"{folder}: the network cannot be loaded: {first_line(error)}") from error
    if info["mismatched_keys"]:
        name, found, wanted = sorted(info["mismatched_keys"])[0]
        raise UserError(
            f"{folder}: the weights do not fit config.json: {len(info['mismatched_keys'])} tensors have "
            f"another size, {name!r} {list(found)} instead of {list(wanted)} among them"
        )
    # Buffers that are computed, such as EoMT's masking probabilities, may be absent from older files.
    missing = sorted(set(info["missing_keys"]) & {name for name, _ in model.named_parameters()})
    if missing:
        raise UserError(
            f"{folder}: the weights are not complete: {len(missing)} tensors are missing, "
            f"{missing[0]!r} among them"
        )
    damaged = [name for name, values in model.named_parameters() if not values.isfinite().all()]
    if damaged:
        raise UserError(
            f"{folder}: the weights are damaged: {len(damaged)} tensors hold NaN or infinity, {damaged[0]!r} "
            "among them; fetch them again"
        )
    return model.float().eval()


def _check_weights(folder: Path) -> None:
    """Refuse a folder without weights, and one whose weights were never fetched."""
    files = [path for path in sorted(folder.iterdir()) if path.suffix in WEIGHTS and path.is_file()]
    if not files:
        raise UserError(
            f"{folder} holds no weights: fetch model.safetensors next to config.json; weights of TensorFlow "
            "and Flax (.h5, .msgpack) are not read"
        )
    for path in files:
        with path.open("rb") as file:
            if file.read(len(LFS_POINTER)) == LFS_POINTER:
                raise UserError(
                    f"{path} is a pointer of Git LFS, not the weights: run `git lfs pull` in the folder, or "
                    "fetch it by `hf download`"
                )


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Keep the loader's progress bar, reports and warnings off the terminal."""
    log = transformers.utils.logging
    verbosity, bar = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.set_verbosity(verbosity)
        if bar:
            log.enable_progress_bar()

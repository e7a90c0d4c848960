"""Semantic and universal segmentation networks of Hugging Face ``transformers``, from a local folder.

The folder is what ``save_pretrained`` writes or the hub's model page holds: ``config.json``, the weights as
``.safetensors`` or ``.bin`` (read as plain tensors, never unpickled), ``preprocessor_config.json``. The
architecture that config.json names decides how class probabilities come about:

- ``…ForSemanticSegmentation`` (SegFormer, UPerNet, DPT, BEiT, …) returns logits; their softmax.
- Mask2Former, MaskFormer, EoMT return Q queries, each with logits a over K classes and "no object", and a
  mask m at each pixel. Their semantic scores, normalised over the classes to sum to 1 ::

      score_k = Σ_q softmax(a_q)_k · sigmoid(m_q),    k = 1 … K, without "no object"

  (Cheng et al., "Per-Pixel Classification is Not All You Need for Semantic Segmentation", NeurIPS 2021.)
"""

from __future__ import annotations

import json
import math
import pickle
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from distill.common.class_mapping import map_classes
from distill.teachers.external import (
    INPUT_MULTIPLE,
    ExternalTeacher,
    InputSize,
    Normalisation,
    TeacherOptions,
)
from kd_seg_ros.common.errors import UserError, first_line

SEMANTIC = "ForSemanticSegmentation"
"""Ending of the architectures that return one map of logits."""

UNIVERSAL = (
    "Mask2FormerForUniversalSegmentation",
    "MaskFormerForInstanceSegmentation",
    "EomtForUniversalSegmentation",
    "EomtDinov3ForUniversalSegmentation",
)
"""Architectures that return classes and masks of queries."""

FIXED_SIZE = ("eomt", "eomt_dinov3", "dpt", "data2vec-vision")
"""Model types that are built for ``image_size`` of their config.json and fail or lose at another."""

SMALLEST_SCORE = 1e-30
"""Where no query's mask reaches this, the classes are equally likely."""


def load_huggingface(
    folder: Path,
    student: Normalisation,
    options: TeacherOptions,
) -> ExternalTeacher:
    """Make a teacher from a folder.

    :param student: normalisation of the images it will be given.
    :param options: its values win over what the folder's config.json and preprocessor_config.json say.
        Without a size the teacher sees images at the student's size, or at config.json's image_size where it
        is built for one.
    :raises UserError: if anything is missing, damaged or of a kind that gives no class probabilities.
    """
    if not folder.is_dir():
        raise UserError(
            f"teacher.huggingface: {folder} is no folder; nothing is downloaded here, fetch it first: "
            "hf download ORGANISATION/MODEL --local-dir FOLDER"
        )
    values = _read_json(folder / "config.json")
    architecture = _architecture(folder, values)
    all_given = options.mean is not None and options.std is not None
    settings = _read_json(folder / "preprocessor_config.json", optional=all_given)
    own = _normalisation(folder, settings, options)
    model = _load(folder, architecture, values)
    names = _class_names(folder, model.config, options.class_names)
    mapping = map_classes(names, options.classes, str(folder))
    kind = UniversalScores if architecture in UNIVERSAL else SemanticScores
    return ExternalTeacher(
        kind(model, bgr=bool(settings.get("do_flip_channel_order"))),
        mapping,
        student=student,
        own=own,
        size=_input_size(model.config, options.size),
        source=str(folder),
        architecture=architecture,
    )


class SemanticScores(nn.Module):
    """A network that returns logits, [B, K, h, w]."""

    def __init__(self, model: nn.Module, bgr: bool = False) -> None:
        super().__init__()
        self.model = model
        self.bgr = bgr

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits for normalised images [B, 3, H, W]."""
        logits: Tensor = self.model(pixel_values=image.flip(1) if self.bgr else image).logits
        return logits.float()


class UniversalScores(SemanticScores):
    """A network that returns queries; their semantic scores as logarithms, [B, K, h, w]."""

    def forward(self, image: Tensor) -> Tensor:
        """Return log Σ_q softmax(a_q)_k · sigmoid(m_q) for normalised images [B, 3, H, W]."""
        output = self.model(pixel_values=image.flip(1) if self.bgr else image)
        with torch.autocast(image.device.type, enabled=False):
            classes = output.class_queries_logits.float().softmax(dim=-1)[..., :-1]
            masks = output.masks_queries_logits.float().sigmoid()
            scores = torch.einsum("bqk,bqhw->bkhw", classes, masks)
            return scores.clamp(min=SMALLEST_SCORE).log()


def _architecture(folder: Path, values: dict[str, Any]) -> str:
    named = values.get("architectures")
    architecture = named[0] if isinstance(named, list) and len(named) == 1 else None
    if not isinstance(architecture, str):
        raise UserError(f"{folder / 'config.json'} does not name one architecture")
    if architecture not in UNIVERSAL and not architecture.endswith(SEMANTIC):
        raise UserError(
            f"{folder}: architecture {architecture!r} gives no class probabilities per pixel from an image "
            f"alone; usable are …{SEMANTIC} and {', '.join(UNIVERSAL)}"
        )
    return architecture


def _load(folder: Path, architecture: str, values: dict[str, Any]) -> Any:
    """Build the network and fill it with the folder's weights, as float32."""
    try:
        import transformers
    except ImportError as error:
        raise UserError(
            "teacher.huggingface needs the package transformers: pip install '.[teachers]'"
        ) from error
    kind = getattr(transformers, architecture, None)
    if kind is None or values.get("model_type") != kind.config_class.model_type:
        raise UserError(
            f"{folder}: transformers {transformers.__version__} knows no {architecture!r} of model type "
            f"{values.get('model_type')!r}; code in the folder is never run, a newer transformers may know it"
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


def _class_names(folder: Path, config: Any, given: Sequence[str] | None) -> list[str]:
    count = int(config.num_labels)
    if given is not None:
        if len(given) != count:
            raise UserError(f"teacher.class_names: {len(given)} names for the {count} classes of {folder}")
        return list(given)
    names = [str(config.id2label.get(index, f"LABEL_{index}")) for index in range(count)]
    if all(re.fullmatch(r"(label|class)?[\s_-]*\d+", name.casefold()) for name in names):
        raise UserError(
            f"{folder}: id2label in config.json holds no names ({names[0]}, …): list them, in order, with "
            "teacher.class_names"
        )
    return names


def _normalisation(folder: Path, settings: dict[str, Any], options: TeacherOptions) -> Normalisation:
    """Return mean and std for RGB in 0…1, from the user's options or else from the folder.

    The folder's are for values of 0…255 times ``rescale_factor``, 1/255 as a rule.
    """
    flipped = bool(settings.get("do_flip_channel_order"))  # MobileViT: BGR, and not normalised
    if not settings.get("do_normalize", not flipped):
        settings = settings | {"image_mean": [0.0] * 3, "image_std": [1.0] * 3}
    scale = 255 * settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 255
    statistics = {"mean": options.mean, "std": options.std}
    for key, given in statistics.items():
        if given is not None:
            continue
        read = settings.get(f"image_{key}")
        if not isinstance(read, list):
            raise UserError(
                f"{folder / 'preprocessor_config.json'} holds no image_{key}: give teacher.{key}, "
                "for RGB in 0…1"
            )
        statistics[key] = [value / scale for value in read]
    mean, std = statistics["mean"], statistics["std"]
    assert mean is not None
    assert std is not None
    return Normalisation.checked(mean, std, f"{folder} (teacher.mean, teacher.std)")


def _input_size(config: Any, size: tuple[int, int] | None) -> InputSize:
    """Return the size that the network is built for, or else multiples of its strides and patches."""
    if size is not None:
        return InputSize(size)
    if config.model_type in FIXED_SIZE:
        side = config.image_size
        return InputSize((side, side) if isinstance(side, int) else (int(side[0]), int(side[1])))
    multiple = INPUT_MULTIPLE
    for part in (config, getattr(config, "backbone_config", None)):
        patch = getattr(part, "patch_size", None)
        if isinstance(patch, int):
            multiple = math.lcm(multiple, patch)
    return InputSize(multiple=multiple)


def _read_json(path: Path, optional: bool = False) -> dict[str, Any]:
    """Return the content of one of the folder's files.

    :param optional: return an empty dict where the file does not exist, instead of raising UserError.
    """
    if not path.is_file():
        if optional:
            return {}
        remedy = "" if path.name == "config.json" else ": give teacher.mean and teacher.std"
        raise UserError(f"{path} does not exist{remedy}")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {first_line(error)}") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} holds no keys")
    return values

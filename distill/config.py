"""The typed configuration of one experiment: one YAML file, validated as a whole before anything runs.

A file may name another as its ``base`` (a path relative to itself) and then holds only what differs.
Unknown keys are refused, naming the nearest known one.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from distill.models.catalogue import SWIFTNET, check_name
from distill.yaml_file import read_yaml
from kd_seg_ros.errors import UserError

Rgb = tuple[float, float, float]
Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]
Condition = Literal["fog", "night", "rain", "snow"]


POOLING = ("pidnet", "sfnet")
"""Networks that see the whole image as one pixel in training."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataConfig(_Section):
    """Where the images are and how they are varied in training (the thesis' Table 4.5)."""

    root: str
    """Folder with ``rgb_anon`` and ``gt`` in ACDC's layout."""
    dataset: str = "ACDC"
    """What the data is, in words; it goes into the model card."""
    limitations: str = ""
    """What a model trained on it must not be used for; it goes into the model card."""
    conditions: tuple[Condition, ...] = ("fog", "night", "rain", "snow")
    mean: Rgb = (0.40876, 0.38671, 0.37331)
    std: Rgb = (0.26754, 0.27372, 0.29312)
    scale: tuple[Positive, Positive] = (0.5, 2.0)
    """Range of the random scale."""
    crop: tuple[Count, Count] = (1080, 1080)
    """Height, width of the random crop, in pixels after scaling."""
    working_scale: Positive = 0.8
    """The network sees crops, and later whole images, resized by this factor."""
    jitter: Fraction = 0.2
    """Strength of the photometric jitter."""
    workers: Annotated[int, Field(ge=0)] = 4

    @model_validator(mode="after")
    def _check_order(self) -> DataConfig:
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale must be [smallest, largest], not {list(self.scale)}")
        return self


class NetworkConfig(_Section):
    """A network: SwiftNet-FPN over any timm backbone, or one of ``python -m distill models``."""

    model: str = SWIFTNET
    backbone: str | None = None
    """timm's name; for ``model: swiftnet`` alone, where it must be given."""
    channels: Count | None = None
    """Width of the pyramid, D (320 if not given); for ``model: swiftnet`` alone."""
    pretrained: bool | str = False
    """Weights to start from: ``true`` from timm's hub, or the path of a .safetensors or .pth file."""
    strict: bool = True
    """Refuse a weights file that does not fit the network as a whole."""

    @model_validator(mode="after")
    def _check_names(self) -> NetworkConfig:
        try:
            check_name(self.model)
        except UserError as error:
            raise ValueError(str(error)) from error
        if self.model == SWIFTNET and self.backbone is None:
            raise ValueError("model 'swiftnet' needs a backbone: any timm model with stages at strides 4…32")
        if self.model != SWIFTNET and (self.backbone or self.channels):
            raise ValueError(
                f"model {self.model!r} has its own backbone and width: give neither, or model 'swiftnet'"
            )
        return self


class TeacherConfig(_Section):
    """A trained network to learn from: exactly one of ``checkpoint``, ``huggingface`` and ``onnx``.

    The other keys say how to use a teacher from outside; they must not stand beside ``checkpoint``, which
    tells all of it by itself.
    """

    checkpoint: str | None = None
    """A .ckpt of ``fit``."""
    huggingface: str | None = None
    """Folder of a semantic or universal segmentation model of ``transformers``."""
    onnx: str | None = None
    """An ONNX file with logits."""
    class_names: tuple[str, ...] | None = None
    """The teacher's classes in order, where it does not name them itself."""
    classes: dict[str, str | None] = {}
    """Its classes by name → ours, where names differ; null drops a class."""
    mean: Rgb | None = None
    std: Rgb | None = None
    """Normalisation of its input (RGB, 0…1), where it does not tell."""
    size: tuple[Count, Count] | None = None
    """Height, width of its input (default: the student's, or what the model demands)."""

    @model_validator(mode="after")
    def _check_source(self) -> TeacherConfig:
        sources = [s for s in ("checkpoint", "huggingface", "onnx") if getattr(self, s) is not None]
        if len(sources) != 1:
            raise ValueError("give exactly one of checkpoint, huggingface and onnx")
        extra = [k for k in ("class_names", "classes", "mean", "std", "size") if getattr(self, k)]
        if self.checkpoint is not None and extra:
            raise ValueError(f"a checkpoint tells its own {', '.join(extra)}: leave them out")
        return self


class FeatureLossConfig(_Section):
    """One feature loss, averaged over the maps it is applied to."""

    loss: Literal["l2", "cwd", "lad"]
    weight: Positive = 1.0
    """α_f of equation 3.2."""
    maps: tuple[str, ...] = ("P4", "P8", "P16", "P32", "P64", "P128")
    """Names of feature maps that student and teacher have both, or ``pre_logits``, ``logits``."""
    temperature: Positive = 4.0
    """Of CWD; the other losses have none."""


class ObjectiveConfig(_Section):
    """Equation 3.2: (1−λ)·L_sem + λ·L_KD + Σ α_f·L_features."""

    semantic: Literal["border_focal", "pidnet"] = "border_focal"
    """Loss on the labels; ``pidnet`` is OHEM with the losses of the training-only heads."""
    gamma: Annotated[float, Field(ge=0)] = 0.5
    """Focal exponent of the border-focal loss."""
    logits: Literal["none", "kl", "kl_border"] = "none"
    logits_weight: Fraction = 0.5
    """λ; 0 in effect when ``logits`` is ``none``."""
    logits_temperature: Positive = 1.0
    features: tuple[FeatureLossConfig, ...] = ()

    @property
    def needs_teacher(self) -> bool:
        """Whether any term compares the student with a teacher."""
        return self.logits != "none" or bool(self.features)


class TrainingConfig(_Section):
    """Optimisation (the thesis' Table 4.5)."""

    epochs: Count = 250
    batch_size: Count = 8
    accumulate: Count = 2
    """Batches whose gradients are summed before a step."""
    learning_rate: Positive = 4e-4
    backbone_factor: Positive = 0.25
    """The backbone's learning rate relative to the rest."""
    betas: tuple[Fraction, Fraction] = (0.9, 0.99)
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    precision: Literal["auto", "32-true", "16-mixed", "bf16-mixed"] = "auto"
    """``auto``: FP16 mixed precision on a GPU, FP32 on a CPU."""
    gradient_clip: Positive | None = None
    """Greatest norm of the whole gradient; longer ones are shortened to it."""
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay of an exponential moving average of the weights, which is then what is validated and kept."""
    patience: Count | None = None
    """Stop after so many validations without a better mIoU."""
    validate_every: Count = 1
    """Epochs between validations."""

    @model_validator(mode="after")
    def _check_validation(self) -> TrainingConfig:
        if self.validate_every > self.epochs:
            raise ValueError("validate_every must not exceed epochs: no checkpoint would be chosen")
        return self


class Config(_Section):
    """One experiment."""

    name: str
    seed: int = 0
    output: str = "runs"
    """The run is written to the folder ``output``/``name``."""
    data: DataConfig
    student: NetworkConfig
    teacher: TeacherConfig | None = None
    objective: ObjectiveConfig = ObjectiveConfig()
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _check_teacher(self) -> Config:
        if self.objective.needs_teacher and self.teacher is None:
            raise ValueError(
                "the objective compares with a teacher: give teacher.checkpoint, .huggingface or .onnx"
            )
        if self.objective.features and self.teacher is not None and self.teacher.checkpoint is None:
            raise ValueError("a teacher from outside has probabilities only: no feature losses with it")
        if self.teacher is not None and not self.objective.needs_teacher:
            raise ValueError("a teacher is given but no term of the objective uses it")
        if self.training.batch_size == 1 and self.student.model.startswith(POOLING):
            raise ValueError(
                f"{self.student.model} needs a training.batch_size of at least 2: it pools the image to one "
                "pixel, over which BatchNorm has no statistics"
            )
        return self

    @property
    def run_folder(self) -> Path:
        """Folder that this experiment writes to."""
        return Path(self.output) / self.name

    def digest(self) -> str:
        """SHA-256 of the canonical JSON form."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def load_config(path: Path, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read and validate an experiment.

    :param overrides: values by dotted key, ``{"training.epochs": 3}``; they win over the file.
    :raises UserError: naming the file, the key at fault and the nearest known one.
    """
    values = _read_yaml(path)
    for key, value in (overrides or {}).items():
        _set(values, key.split("."), value)
    return parse_config(values, str(path))


def parse_config(values: Mapping[str, Any], source: str) -> Config:
    """Validate plain values; ``source`` names them in errors."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{source}: {_explain(error)}") from error


def _read_yaml(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read a file and, below it, its base."""
    if path.resolve() in seen:
        raise UserError(f"{path}: its bases form a circle")
    values = read_yaml(path, "configuration")
    if not isinstance(values, dict):
        raise UserError(f"configuration {path} holds no keys")
    base = values.pop("base", None)
    if base is None:
        return values
    return _merged(_read_yaml(path.parent / str(base), (*seen, path.resolve())), values)


def _merged(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Lay ``changes`` over ``base``, section by section."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _set(values: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        section = values.get(key)
        if not isinstance(section, dict):
            section = values[key] = {}
        values = section
    values[keys[-1]] = value


def _explain(error: ValidationError) -> str:
    """One line for the first fault of a validation."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(str(first["loc"][-1]), _keys_beside(first["loc"]), 1, cutoff=0.0)
        return f"unknown key {where!r}" + (f"; did you mean {nearest[0]!r}?" if nearest else "")
    if first["type"] == "missing":
        return f"{where!r} is missing"
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return f"{where!r}: {message} (it is {first['input']!r})" if where else message


def _keys_beside(location: Iterable[str | int]) -> list[str]:
    """Names of the known keys of the section that the last part of ``location`` stands in."""
    section: Any = Config
    for part in list(location)[:-1]:
        if isinstance(part, int):
            continue
        annotation = section.model_fields[part].annotation
        section = _section_in(annotation)
    return list(section.model_fields)


def _section_in(annotation: Any) -> Any:
    """Return the section class inside ``Section``, ``Section | None`` or ``tuple[Section, …]``."""
    if isinstance(annotation, type) and issubclass(annotation, _Section):
        return annotation
    return next(filter(None, (_section_in(a) for a in getattr(annotation, "__args__", ()))), None)

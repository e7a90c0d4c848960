"""``student`` and ``teacher``: the networks."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from distill.config.section import Count, Rgb, Section
from distill.models.catalogue import SWIFTNET, check_name
from kd_seg_ros.common.errors import UserError


class NetworkConfig(Section):
    """A network: SwiftNet-FPN over any timm backbone, or one of ``kd_seg models``."""

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


class TeacherConfig(Section):
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
    classes: dict[str, str | None] = Field(default_factory=dict)
    """Its classes by name → ours, where names differ; null drops a class."""
    mean: Rgb | None = None
    std: Rgb | None = None
    """Normalisation of its input (RGB, 0…1), where it does not tell."""
    size: tuple[Count, Count] | None = None
    """Height, width of its input (default: the student's, or what the model demands)."""
    cache: str | None = None
    """Folder for its outputs, kept for later epochs and runs; for images that are not augmented."""

    @model_validator(mode="after")
    def _check_source(self) -> TeacherConfig:
        sources = [s for s in ("checkpoint", "huggingface", "onnx") if getattr(self, s) is not None]
        if len(sources) != 1:
            raise ValueError("give exactly one of checkpoint, huggingface and onnx")
        extra = [k for k in ("class_names", "classes", "mean", "std", "size") if getattr(self, k)]
        if self.checkpoint is not None and extra:
            raise ValueError(f"a checkpoint tells its own {', '.join(extra)}: leave them out")
        return self

    @property
    def path(self) -> Path:
        """The file or folder it comes from."""
        return Path(self.checkpoint or self.huggingface or self.onnx or "")

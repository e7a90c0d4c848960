"""Sections ``student`` and ``teacher``: the networks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from distill.config.section import Count, Fraction, Rgb, Section, one_of
from distill.models.catalogue import FAMILIES, MODELS, SWIFTNET


class NetworkConfig(Section):
    """A network: SwiftNet-FPN or FPN-Lite over any timm backbone, or one that ``kd_seg models`` lists."""

    model: Annotated[str, one_of("model", (*FAMILIES, *MODELS))] = SWIFTNET
    """Name of the network; ``swiftnet`` is SwiftNet-FPN, and ``fpn_lite`` FPN-Lite, over the backbone given
    next to it."""
    backbone: str | None = None
    """For ``model: swiftnet`` and ``fpn_lite`` only, where it must be given: timm's name of the backbone."""
    channels: Annotated[int, Field(gt=0, le=16_384)] | None = None
    """For ``model: swiftnet`` and ``fpn_lite`` only: channels of the decoder's maps (default: 320 and 96)."""
    pretrained: bool | str = False
    """Weights to start from: ``true`` for timm's hub, the path of a .safetensors or .pth file, or ``false``
    for random ones."""
    checkpoint: str | None = None
    """A .ckpt file that ``kd_seg fit`` wrote for the same network, to start from in place of ``pretrained``;
    where it knows other classes, all weights but those of its heads."""
    strict: bool = True
    """Refuse a weights file that does not fit the whole network; ``false``: load what fits and warn."""

    @model_validator(mode="after")
    def _check_backbone(self) -> NetworkConfig:
        if self.model in FAMILIES and self.backbone is None:
            raise ValueError(
                f"model {self.model!r} needs a backbone: any timm model with stages at strides 4…32"
            )
        if self.model not in FAMILIES and (self.backbone or self.channels):
            raise ValueError(
                f"model {self.model!r} has its own backbone and width: give neither, or model "
                f"{' or '.join(map(repr, FAMILIES))}"
            )
        if self.checkpoint is not None and self.pretrained is not False:
            raise ValueError("give checkpoint or pretrained, not both: a checkpoint holds all weights")
        return self


class TeacherConfig(Section):
    """A trained network to learn from: exactly one of ``checkpoint``, ``huggingface`` and ``onnx``.

    The keys from ``class_names`` to ``size`` describe a teacher from outside. They are refused with
    ``checkpoint``, whose file holds all of it.
    """

    checkpoint: str | None = None
    """Path of a .ckpt file that ``kd_seg fit`` wrote."""
    huggingface: str | None = None
    """Folder of a semantic or universal segmentation model of ``transformers``."""
    onnx: str | None = None
    """Path of an ONNX file that returns logits."""
    class_names: tuple[str, ...] | None = None
    """Names of the teacher's classes in the order of its channels, where its file does not hold them."""
    classes: dict[str, str | None] = Field(default_factory=dict)
    """The teacher's name of a class → the student's, where they differ; null drops the class."""
    mean: Rgb | None = None
    """Mean of R, G and B, 0…1, that the teacher's input is normalised by, where its file does not say it."""
    std: Rgb | None = None
    """Standard deviation of R, G and B, 0…1, that the teacher's input is normalised by, likewise."""
    size: tuple[Count, Count] | None = None
    """Height and width of the teacher's input, in pixels (default: the student's or the file's)."""
    cache: str | None = None
    """Folder that keeps the teacher's outputs for later epochs and runs; without ``whole_images`` only where
    no image varies."""
    whole_images: bool = False
    """The teacher sees each image once, whole and before training, and its logits are cut as the images are.
    Needs ``cache``."""
    pseudo_labels: Fraction | None = None
    """Least probability at which the teacher's class is the label of a pixel in an image without labels, 0…1
    (0: everywhere); null: such images have no labels. Needs ``whole_images``."""

    @model_validator(mode="after")
    def _check_source(self) -> TeacherConfig:
        sources = [s for s in ("checkpoint", "huggingface", "onnx") if getattr(self, s) is not None]
        if len(sources) != 1:
            raise ValueError("give exactly one of checkpoint, huggingface and onnx")
        extra = [k for k in ("class_names", "classes", "mean", "std", "size") if getattr(self, k)]
        if self.checkpoint is not None and extra:
            raise ValueError(f"a checkpoint holds its own {', '.join(extra)}: leave them out")
        if self.whole_images and self.cache is None:
            raise ValueError("whole_images needs teacher.cache, the folder that keeps the teacher's logits")
        if self.pseudo_labels is not None and not self.whole_images:
            raise ValueError("pseudo_labels are made before training: set teacher.whole_images, too")
        return self

    @property
    def path(self) -> Path:
        """Path of the teacher's file or folder."""
        return Path(self.checkpoint or self.huggingface or self.onnx or "")

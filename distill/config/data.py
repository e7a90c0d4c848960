"""``data``: where the images and labels are and how they are varied in training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from distill.common.yaml_file import read_yaml
from distill.config.section import Count, Fraction, Positive, Rgb, Section
from distill.datasets.acdc import ACDC_MEAN, ACDC_STD
from distill.datasets.bdd10k import BDD10K_MEAN, BDD10K_STD
from distill.datasets.cityscapes import CITYSCAPES_MEAN, CITYSCAPES_STD
from distill.datasets.class_map import ClassMap, parse_class_map
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError

Condition = Literal["fog", "night", "rain", "snow"]

STATISTICS: Final[Mapping[str, tuple[Rgb, Rgb]]] = {
    "acdc": (ACDC_MEAN, ACDC_STD),
    "cityscapes": (CITYSCAPES_MEAN, CITYSCAPES_STD),
    "bdd10k": (BDD10K_MEAN, BDD10K_STD),
    "folder": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""Default mean and std; a folder's are ImageNet's (`python -m distill stats` measures its own)."""


class SourceConfig(Section):
    """One data set."""

    dataset: Literal["acdc", "cityscapes", "bdd10k", "folder"] = "acdc"
    root: str
    """Its folder."""
    conditions: tuple[Condition, ...] = ("fog", "night", "rain", "snow")
    """Of ``acdc``."""
    images: str = "{split}/images"
    """Of ``folder``: where below ``root`` its images are; ``{split}`` stands for train or val."""
    labels: str | None = "{split}/labels"
    """Of ``folder``: where their labels are, by the same names; null: unlabelled images."""
    classes: dict[str, Any] | None = None
    """Of ``folder`` with labels: its class map, or the YAML file of one (see
    distill/datasets/class_map.py)."""
    mean: Rgb
    """Normalises its images (RGB, 0…1), as does ``std``; by default those of the data set."""
    std: Rgb
    weight: Positive = 1.0
    """Its share of an epoch, relative to the other data sets'."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        """Give mean and std of the data set, and read the class map from its file."""
        if not isinstance(values, dict):
            return values
        dataset = values.get("dataset", "acdc")
        statistics = STATISTICS.get(dataset) if isinstance(dataset, str) else None
        if statistics is not None:
            values = {"mean": statistics[0], "std": statistics[1], **values}
        if isinstance(values.get("classes"), str):
            try:
                path = Path(values["classes"])
                content = read_yaml(path, "class map")
                parse_class_map(content, f"class map {path}")
            except UserError as error:
                raise ValueError(str(error)) from error
            values["classes"] = content
        return values

    @model_validator(mode="after")
    def _check_source(self) -> SourceConfig:
        owners = {"conditions": "acdc", "images": "folder", "labels": "folder", "classes": "folder"}
        for key, owner in owners.items():
            default = SourceConfig.model_fields[key].default
            if self.dataset != owner and getattr(self, key) != default:
                raise ValueError(f"{key} belongs to dataset {owner!r}, not {self.dataset!r}")
        if self.dataset == "folder":
            if (self.labels is None) != (self.classes is None):
                raise ValueError("labels and classes go together: a folder of images alone has both null")
            if self.classes is not None:
                try:
                    parse_class_map(self.classes)
                except UserError as error:
                    raise ValueError(str(error)) from error
        return self

    @property
    def labelled(self) -> bool:
        """Whether there are labels."""
        return self.dataset != "folder" or self.labels is not None

    @property
    def class_map(self) -> ClassMap | None:
        """The class map of a folder with labels."""
        return None if self.classes is None else parse_class_map(self.classes)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of its labels, in the order of the trainIds."""
        class_map = self.class_map
        return CLASS_NAMES if class_map is None else class_map.class_names


class DataConfig(SourceConfig):
    """What is trained and validated on, and how it is varied in training (the thesis' Table 4.5).

    Validation, and the mean and std of the deployed network, are those of the data set named here; ``extra``
    ones are trained on beside it, each normalised by its own.
    """

    extra: tuple[SourceConfig, ...] = ()
    draws: Count | None = None
    """Images of an epoch of several data sets (default: as many as they have)."""
    description: str = ""
    """What the data is, in words; it goes into the model card."""
    limitations: str = ""
    """What a model trained on it must not be used for; it goes into the model card."""
    scale: tuple[Positive, Positive] = (0.5, 2.0)
    """Range of the random scale."""
    crop: tuple[Count, Count] = (1080, 1080)
    """Height, width of the random crop, in pixels after scaling."""
    working_scale: Positive = 0.8
    """The network sees crops, and later whole images, resized by this factor."""
    flip: bool = True
    """Mirror every second image."""
    jitter: Fraction = 0.2
    """Strength of the photometric jitter."""
    workers: Annotated[int, Field(ge=0)] = 4

    @model_validator(mode="after")
    def _check_together(self) -> DataConfig:
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale must be [smallest, largest], not {list(self.scale)}")
        if not self.labelled:
            raise ValueError("the first data set is validated on and needs labels: put this one into extra")
        for source in self.extra:
            if source.labelled and source.class_names != self.class_names:
                raise ValueError(
                    f"{source.root} has other classes than {self.root}: give a folder's class map the same "
                    "`classes` in the same order"
                )
        if self.draws is not None and not self.extra:
            raise ValueError("draws belongs to several data sets: there is no extra one")
        return self

    @property
    def sources(self) -> tuple[SourceConfig, ...]:
        """All data sets to train on, the first one first."""
        return (self, *self.extra)

    @property
    def summary(self) -> str:
        """The description, or else what is known of the data by itself."""
        return self.description or " + ".join(f"{s.dataset} in {Path(s.root).name}" for s in self.sources)

"""Section ``data``: where the images and labels are and how they are varied in training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from distill.common.yaml_file import read_yaml
from distill.config.appearance import AppearanceConfig
from distill.config.section import (
    Count,
    Factor,
    Fraction,
    Positive,
    Rgb,
    Section,
    Side,
    one_of,
    section_or_switch,
)
from distill.datasets.acdc import ACDC_CONDITIONS
from distill.datasets.class_map import ClassMap, parse_class_map
from distill.datasets.registry import DATA_SETS, check_options
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.conditions import CONDITIONS
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.option_types import MAX_WORKERS


class SourceConfig(Section):
    """One data set of a configuration."""

    dataset: Annotated[str, one_of("data set", DATA_SETS)] = "acdc"
    """Kind of data set."""
    root: str
    """Folder of the data set; in ``extra``, that of the first data set unless given."""
    conditions: tuple[Annotated[str, one_of("weather", ACDC_CONDITIONS)], ...] = CONDITIONS
    """For ``acdc`` only: the weathers to use; ``normal`` stands for the clear-weather references."""
    images: str = "{split}/images"
    """For ``folder`` only: the image folder, relative to ``root``; ``{split}`` stands for train or val."""
    labels: str | None = "{split}/labels"
    """For ``folder`` only: the label folder, relative to ``root``; null: unlabelled images."""
    classes: dict[str, Any] | None = None
    """For ``folder`` with labels only: the class map, or the path of its YAML file (see
    distill/datasets/class_map.py)."""
    topic: str | None = None
    """For ``folder`` without labels only: ``images`` is a rosbag2 (``.`` if ``root`` is), and its images on
    this topic are the data set."""
    split: Literal["train", "val", "test"] = "train"
    """Split that is trained on, for those in ``extra``; images of a test split have no labels, except
    those of a folder."""
    unlabelled: Literal["refuse", "skip", "keep"] = "refuse"
    """What to do where images have no labels: refuse the data set, skip (and count) those images, or keep
    them, so that the teacher alone teaches on them."""
    limit: Count | None = None
    """Most images that are trained on, spread evenly over the split's images in the order of their paths, as
    when only some of them had been labelled; null: all. Validation is not limited."""
    mean: Rgb
    """Mean of R, G and B, 0…1, that its images are normalised by (default: that of the data set; in
    ``extra``, images without labels and those in the first data set's folder have that of the first)."""
    std: Rgb
    """Standard deviation of R, G and B, 0…1, that its images are normalised by (default: as for the mean)."""
    weight: Positive = 1.0
    """Share of an epoch, relative to the weights of the other data sets."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        """Give mean and std of the data set, and read the class map from its file."""
        if not isinstance(values, dict):
            return values
        dataset = values.get("dataset", "acdc")
        if isinstance(dataset, str) and dataset in DATA_SETS:
            values = {"mean": DATA_SETS[dataset].mean, "std": DATA_SETS[dataset].std, **values}
        if isinstance(values.get("classes"), str):
            try:
                path = Path(values["classes"])
                content = read_yaml(path, "class map")
                parse_class_map(content, f"class map {path}")
            except UserError as error:
                raise ValueError(str(error)) from error
            values = {**values, "classes": content}
        return values

    @field_validator("mean", "std")
    @classmethod
    def _check_colours(cls, value: Rgb, info: ValidationInfo) -> Rgb:
        """Refuse statistics of colours in 0…255, and standard deviations that cannot be divided by."""
        if max(value) > 1:
            raise ValueError("it is of colours in 0…1: divide that of colours in 0…255 by 255")
        if min(value) < -1:
            raise ValueError("each value must be -1 or more")
        if info.field_name == "std" and min(value) <= 0:
            raise ValueError("each value must be above 0")
        return value

    @field_validator("conditions")
    @classmethod
    def _check_conditions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse no weather, and one given twice, whose images would be trained on twice."""
        if not value or len(set(value)) < len(value):
            raise ValueError("give each weather once, and at least one")
        return value

    @model_validator(mode="after")
    def _check_source(self) -> SourceConfig:
        """Refuse keys of other data sets, labels without classes and a wrong class map."""
        changed = []
        for data_set in DATA_SETS.values():
            for key in data_set.options:
                if getattr(self, key) != SourceConfig.model_fields[key].default:
                    changed.append(key)
        try:
            check_options(self.dataset, changed)
        except UserError as error:
            raise ValueError(str(error)) from error
        if "classes" in DATA_SETS[self.dataset].options:
            if self.topic is not None and self.labels is not None:
                raise ValueError("the images of a topic have no labels: set labels to null")
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
        """True if its images have labels: a folder may have none, and a test split has none."""
        own_labels = "labels" in DATA_SETS[self.dataset].options
        return self.labels is not None and (own_labels or self.split != "test")

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of the data set's lister, without root and split, by parameter name."""
        values = {key: getattr(self, key) for key in DATA_SETS[self.dataset].options}
        if "classes" in values:
            values["classes"] = self.class_map
        return values

    @property
    def class_map(self) -> ClassMap | None:
        """The class map of a folder with labels, else None."""
        return None if self.classes is None else parse_class_map(self.classes)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes of its labels, in the order of the trainIds."""
        class_map = self.class_map
        return CLASS_NAMES if class_map is None else class_map.class_names


class DataConfig(SourceConfig):
    """The data sets of training and validation, and how their images are varied (the thesis' Table 4.5).

    The data set named here is validated on, and its mean and std are those of the deployed network. Those in
    ``extra`` are only trained on, each normalised by its own mean and std; images without labels, and other
    images of the first one's folder, as the first, for which the network is deployed.
    """

    extra: tuple[SourceConfig, ...] = ()
    """Further data sets to train on."""
    draws: Count | None = None
    """Number of images in an epoch (default: as many as the data sets have). More than they have let a small
    data set be gone through several times between two checkpoints."""
    description: str = ""
    """Description of the data in words, for the model card."""
    limitations: str = ""
    """What a model trained on this data must not be used for, for the model card."""
    scale: tuple[Factor, Factor] = (0.5, 2.0)
    """Least and greatest random scale."""
    crop: tuple[Side, Side] = (1080, 1080)
    """Height and width of the random crop, in pixels after the random scale."""
    working_scale: Factor = 0.8
    """Factor by which crops in training, and whole images later, are resized before the network sees them."""
    flip: bool = True
    """Mirror images left to right with probability ½."""
    jitter: Fraction = 0.2
    """Strength of the photometric jitter, 0 (none) to 1."""
    appearance: Annotated[AppearanceConfig | None, BeforeValidator(section_or_switch)] = None
    """Further changes of the look: colour cast, exposure, blur, noise, JPEG, textures; ``true`` for its
    defaults, null for none."""
    workers: Annotated[int, Field(ge=0, le=MAX_WORKERS)] = 4
    """Processes that load and augment images, for each training process; 0: the training process does it."""

    @model_validator(mode="before")
    @classmethod
    def _share_with_extra(cls, values: Any) -> Any:
        """Give further data sets the first one's folder, and those that are like it its mean and std.

        What a further data set gives itself stays.
        """
        if not isinstance(values, dict) or not isinstance(values.get("extra"), list | tuple):
            return values
        first = DATA_SETS.get(str(values.get("dataset", "acdc")))
        if first is None:
            return values
        statistics = {"mean": values.get("mean", first.mean), "std": values.get("std", first.std)}
        sources = []
        for source in values["extra"]:
            if isinstance(source, dict) and "root" in values:
                source = {"root": values["root"], **source}
            if isinstance(source, dict) and _as_the_first(source, values):
                source = {**statistics, **source}
            sources.append(source)
        return {**values, "extra": sources}

    @model_validator(mode="after")
    def _check_together(self) -> DataConfig:
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale must be [smallest, largest], not {list(self.scale)}")
        if not self.labelled:
            raise ValueError("the first data set is validated on and needs labels: put this one into extra")
        if self.split != "train":
            raise ValueError("split belongs to the entries of extra, not to the first")
        for source in self.extra:
            if source.labelled and source.class_names != self.class_names:
                raise ValueError(
                    f"{source.root} has other classes than {self.root}: give a folder's class map the same "
                    "`classes` in the same order"
                )
        return self

    @property
    def sources(self) -> tuple[SourceConfig, ...]:
        """All data sets to train on, the first one first."""
        return (self, *self.extra)

    @property
    def summary(self) -> str:
        """The description if there is one, else the kinds and folders of the data sets."""
        return self.description or " + ".join(f"{s.dataset} in {Path(s.root).name}" for s in self.sources)


def _as_the_first(source: dict[str, Any], first: dict[str, Any]) -> bool:
    """Return whether images of ``extra`` have no labels, or lie in the first data set's own folder.

    :param source: the values of one of ``extra``, as the file has them.
    :param first: those of the first data set.
    """
    dataset = str(source.get("dataset", "acdc"))
    if dataset == first.get("dataset", "acdc") and source.get("root") == first.get("root"):
        return True
    if "labels" in getattr(DATA_SETS.get(dataset), "options", ()):
        return not source.get("labels", True)
    return source.get("split") == "test"

"""The model card: everything the vehicle must know about a network, as JSON inside its ONNX file.

It is stored in the file's metadata (:data:`~kd_seg_ros.inference.contract.METADATA_KEY`), so that one file is
all there is to copy. :meth:`ModelCard.from_json` refuses a card that is incomplete or of another schema
version.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, Final

from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.inference.card_values import (
    QUANTILES,
    RELIABILITY,
    is_accuracy_correction,
    is_byte,
    is_calibration,
    is_domain,
    is_name,
    is_number,
    is_offset,
    is_range,
    is_share,
    is_spread,
    is_table,
    is_text,
    is_triple,
    is_whole,
)
from kd_seg_ros.inference.risk import FULL as FULL
from kd_seg_ros.inference.risk import RiskThreshold, risk_threshold_of

SCHEMA_VERSION: Final[int] = 1
LARGEST_SIDE: Final = 65535
"""Pixels of the longest side of an image, as in JPEG."""
LARGEST_IMAGE: Final = 2**28
"""Pixels of the largest image: 268 million, twice what the largest cameras have."""


class CardError(UserError):
    """A model card that is missing, incomplete or of another schema version."""


@dataclass(frozen=True)
class ModelCard:
    """Describes a model: what it is, what it was trained on and how far to trust it.

    Dictionaries of scores are keyed by condition: ``full`` (all conditions pooled), ``fog``, ``night``,
    ``rain``, ``snow``. All scores lie in 0…1; a score that was not measured is absent.
    """

    name: str
    class_names: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    """RGB per class, 0…255."""
    ignore_id: int
    height: int
    """Pixels of the input image and of the output maps."""
    width: int
    working_scale: float
    """The network sees the image resized by this factor."""
    mean: tuple[float, float, float]
    """Mean of the training images' red, green and blue, 0…1."""
    std: tuple[float, float, float]
    """Standard deviation of the training images' red, green and blue, 0…1."""
    temperature: float
    """Logits are divided by this before the softmax; 1 where ``calibration`` is no plain temperature."""
    parameters: int
    """Trainable parameters of the deployed network."""
    dataset: str
    """What it was trained and calibrated on, in words."""
    package_version: str
    created: str
    """ISO 8601, UTC."""
    config: dict[str, Any]
    """The whole training configuration."""
    config_hash: str
    """SHA-256 of the configuration's canonical JSON."""
    limitations: str = ""
    """What it must not be used for."""
    miou: dict[str, float] = field(default_factory=dict)
    """Mean intersection over union, 0…1, by condition."""
    ece_before: dict[str, float] = field(default_factory=dict)
    """Expected calibration error (15 bins) without calibration, by condition."""
    ece_after: dict[str, float] = field(default_factory=dict)
    """Expected calibration error (15 bins) with the calibration that the file holds, by condition."""
    calibration: dict[str, Any] = field(default_factory=dict)
    """``method`` and ``parameters``, already in the file's graph; empty if it was never calibrated."""
    reliability: dict[str, dict[str, list[float | None]]] = field(default_factory=dict)
    """How far to trust a confidence: by condition, :data:`RELIABILITY` of equal bins of confidence 0…1; None
    in an empty bin."""
    expected_accuracy: dict[str, list[float]] = field(default_factory=dict)
    """Range of the images' expected accuracy in calibration, by condition; see
    :mod:`kd_seg_ros.inference.drift`."""
    risk: tuple[RiskThreshold, ...] = ()
    """Thresholds of the confidence with a promise, found in calibration."""
    domain: dict[str, Any] = field(default_factory=dict)
    """What the domain distance was in calibration: ``quantiles`` (percent → distance), ``images``, ``method``
    and ``source``; empty if the file does not tell it. See :mod:`kd_seg_ros.inference.domain`."""
    accuracy_correction: dict[str, Any] = field(default_factory=dict)
    """How the expected accuracy is corrected by the domain distance, and what that is worth: ``distances``
    with ``factors``, ``largest_distance``, ``range``, ``error``, ``error_raw``, ``images`` and ``source``;
    empty if it is not. See :mod:`kd_seg_ros.inference.accuracy`."""
    padding_multiple: int = 0
    """The resized image is padded with zeros (of normalised colours) to multiples of this, as equally on
    opposite sides as whole pixels allow; 1: never padded; 0: not known, in files of earlier versions."""
    measured_on: str = ""
    """The images that ``ece_before``, ``ece_after`` and ``reliability`` are of, in a few words; empty in
    files of earlier versions."""
    training_images: dict[str, Any] = field(default_factory=dict)
    """What tells whether an image was trained on: ``count`` of the images, and ``digests`` of their content
    in base64; empty if that is not known."""
    single_precision: tuple[str, ...] = ()
    """Layers of the network that stay in single precision, because half precision cannot hold them."""
    int8: dict[str, Any] = field(default_factory=dict)
    """What is in INT8: ``layers``, the number of layers; ``kept``, names of those left in floating point;
    ``work``, the share of the multiply-adds, 0…1; ``images`` and ``source`` of the calibration of their
    ranges. Empty in a file that has nothing in INT8."""
    agreement: dict[str, float] = field(default_factory=dict)
    """How closely the file follows the network in PyTorch, as checked at export."""
    digest: str = ""
    """Tells whether the file is still as written, see :mod:`kd_seg_ros.inference.digest`; empty in files from
    before there were digests."""
    digest_method: str = ""
    """How ``digest`` is computed, in words; empty without one."""
    schema: int = SCHEMA_VERSION

    def to_json(self) -> str:
        """Return the card as one line of JSON with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Parse and check a card.

        :raises CardError: if the text is no card of this schema version, naming the field at fault.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:  # no JSON, a number without end, brackets without end
            raise CardError(f"the model card is not JSON: {first_line(error)}") from error
        if not isinstance(values, dict):
            raise CardError("the model card is not a JSON object")
        if values.get("schema") != SCHEMA_VERSION:
            raise CardError(
                f"the model card has schema version {values.get('schema')!r}; "
                f"this software reads version {SCHEMA_VERSION}: export the model again"
            )
        known = {f.name for f in fields(cls)}
        required = {f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING}
        missing = sorted(required - values.keys())
        if missing:
            raise CardError(f"the model card lacks {', '.join(missing)}")
        # A later minor version may add fields; those this version does not know are left out.
        found = {key: _freeze(value) for key, value in values.items() if key in known}
        found["risk"] = _risk_thresholds(found.get("risk", ()), found["class_names"])
        card = cls(**found)
        card._check()
        return card

    def _check(self) -> None:
        for name in _TEXTS:
            self._demand(name, is_text(getattr(self, name)), "text")
        self._demand("name", self.name.isprintable(), "text of one line")
        for name in ("height", "width"):
            value = getattr(self, name)
            holds = is_whole(value) and 0 < value <= LARGEST_SIDE
            self._demand(name, holds, f"a whole number, 1 to {LARGEST_SIDE}")
        ok = self.height * self.width <= LARGEST_IMAGE
        self._demand("height", ok, f"such that the image has at most {LARGEST_IMAGE} pixels")
        for name in ("working_scale", "temperature"):
            value = getattr(self, name)
            self._demand(name, is_number(value) and 1e-3 <= value <= 1e3, "a number, 0.001 to 1000")
        for name, test in (("mean", is_offset), ("std", is_spread)):
            self._demand(name, is_triple(getattr(self, name), test), "three numbers (RGB) of colours in 0…1")
        self._demand("parameters", is_whole(self.parameters) and self.parameters >= 0, "a whole number")
        multiple = self.padding_multiple
        self._demand("padding_multiple", is_whole(multiple) and multiple >= 0, "a whole number, 0 or more")
        layers = self.single_precision
        ok = isinstance(layers, tuple) and all(isinstance(layer, str) for layer in layers)
        self._demand("single_precision", ok, "a list of names")
        for name in ("config", "training_images", "int8"):
            self._demand(name, isinstance(getattr(self, name), dict), "an object")
        for name in ("miou", "ece_before", "ece_after", "agreement"):
            scores = getattr(self, name)
            test = is_number if name == "agreement" else is_share
            ok = isinstance(scores, dict) and all(map(test, scores.values()))
            self._demand(name, ok, f"an object of numbers{'' if name == 'agreement' else ', 0…1'}")
        ok = isinstance(self.reliability, dict) and all(map(is_table, self.reliability.values()))
        self._demand("reliability", ok, f"tables of {', '.join(RELIABILITY)}, 0…1, of equal lengths")

        ok = isinstance(self.expected_accuracy, dict) and all(map(is_range, self.expected_accuracy.values()))
        self._demand("expected_accuracy", ok, "ranges within 0…1")
        what = f"quantiles {', '.join(QUANTILES)} that do not fall, images, method and source"
        self._demand("domain", is_domain(self.domain), what)
        what = "distances, factors, largest distance, range, errors, images and source; domain is needed, too"
        ok = is_accuracy_correction(self.accuracy_correction)
        ok = ok and bool(self.domain or not self.accuracy_correction)
        self._demand("accuracy_correction", ok, what)

        names, palette = self.class_names, self.palette
        ok = isinstance(names, tuple) and len(names) > 1 and all(map(is_name, names))
        self._demand("class_names", ok, "a list of at least two names, none of them empty")
        alike = same_names(names)
        if alike:
            raise CardError(f"the model card names two classes {' and '.join(map(repr, alike))}")
        ok = is_calibration(self.calibration, len(names))
        self._demand("calibration", ok, f"a method and its parameters, one or {len(names)} numbers each")
        ok = isinstance(palette, tuple) and all(is_triple(colour, is_byte) for colour in palette)
        self._demand("palette", ok, "a list of RGB colours, 0…255")
        if len(palette) != len(names):
            raise CardError(f"the model card names {len(names)} classes but {len(palette)} colours")
        ok = is_byte(self.ignore_id) and self.ignore_id >= len(names)
        self._demand("ignore_id", ok, "a byte that is none of the class ids")

    def _demand(self, name: str, holds: bool, what: str) -> None:
        if not holds:
            raise CardError(f"the model card's {name} must be {what}, not {getattr(self, name)!r:.60}")


_TEXTS: Final = (
    *("name", "dataset", "package_version", "created", "config_hash", "limitations"),
    *("measured_on", "digest", "digest_method"),
)


def _risk_thresholds(values: Any, class_names: Any) -> tuple[RiskThreshold, ...]:
    """Read a card's thresholds; raises CardError for one that is none."""
    names = class_names if isinstance(class_names, tuple) else ()
    thresholds = [risk_threshold_of(item, names) for item in values] if isinstance(values, tuple) else [None]
    if None in thresholds:
        raise CardError("the model card's risk must be a list of thresholds of its classes")
    return tuple(item for item in thresholds if item is not None)


def _freeze(value: Any) -> Any:
    """Turn JSON lists into tuples, the form the dataclass declares."""
    return tuple(_freeze(item) for item in value) if isinstance(value, list) else value


def same_names(names: Sequence[str]) -> list[str]:
    """Return two names that ROS parameters cannot tell apart, spaces being underscores there; or nothing."""
    seen: dict[str, str] = {}
    for name in names:
        key = name.strip().replace(" ", "_")
        if key in seen:
            return [seen[key], name]
        seen[key] = name
    return []

"""The parameters with thresholds of the confidence, which may change while the node runs.

They are ``min_confidence``, ``class_min_confidence.<class>``, ``risk`` and ``drivable_min_confidence``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.topics import DRIVABLE, LABEL_INFO
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.drivable import DrivableArea, drivable_area, drivable_classes
from kd_seg_ros.inference.named_thresholds import named_threshold
from kd_seg_ros.inference.risk import levels_for
from kd_seg_ros.inference.thresholds import MinConfidenceLevels, min_confidence_levels
from kd_seg_ros.node.label_info import LabelInfoPublisher
from kd_seg_ros.node.parameter_declaration import declare_class_thresholds, misfit

MIN_CONFIDENCE: Final = "min_confidence"
RISK: Final = "risk"
DRIVABLE_MIN_CONFIDENCE: Final = "drivable_min_confidence"
_CLASSES: Final = "drivable_classes"


class ThresholdParameters:
    """Keeps the thresholds of confidence up to date, and publishes them on label_info."""

    levels: MinConfidenceLevels
    """Lowest confidence, 0…255, with which a pixel keeps its class, by class id, uint8 [256]. Replaced as a
    whole when a parameter changes, so that it may be read from any thread."""
    drivable: DrivableArea | None
    """Which pixels are drivable; None if no class is. Replaced as a whole."""

    def __init__(self, node: Node, card: ModelCard) -> None:
        """Declare the parameters of the model's classes; publish label_info where vision_msgs is installed.

        :raises UserError: for a value out of range, or a class or rule that the model does not know.
        """
        self._node = node
        self._card = card
        self._of_classes = declare_class_thresholds(node, card.class_names)
        names = [MIN_CONFIDENCE, RISK, DRIVABLE_MIN_CONFIDENCE, *self._of_classes]
        self._values = {name: node.get_parameter(name).value for name in names}
        self._classes = self._drivable_classes(str(node.get_parameter(_CLASSES).value))
        self._apply(self._values)
        self._label_info: LabelInfoPublisher | None = None
        try:
            self._label_info = LabelInfoPublisher(node, card)
            self._label_info.publish(self._highest)
        except ImportError:
            node.get_logger().warning(f"vision_msgs is not installed: no {LABEL_INFO.name}")
        node.add_on_set_parameters_callback(self._on_set)

    def close(self) -> None:
        """Take back the topic; the parameters stay, with their values."""
        self._node.remove_on_set_parameters_callback(self._on_set)
        if self._label_info:
            self._label_info.close()

    def _on_set(self, parameters: list[Any]) -> SetParametersResult:
        """Take over new values, all of them or, where one cannot be used, none; rclpy has checked ranges."""
        new = {item.name: item.value for item in parameters if item.name in self._values}
        if not new:
            return SetParametersResult(successful=True)
        wrong = misfit(parameters)
        if not wrong:
            try:
                self._apply(self._values | new)
            except UserError as error:
                wrong = str(error)
        if wrong:
            return SetParametersResult(successful=False, reason=wrong)
        self._values |= new
        if self._label_info:
            self._label_info.publish(self._highest)
        return SetParametersResult(successful=True)

    def _apply(self, values: Mapping[str, Any]) -> None:
        """Derive everything from the parameters' values.

        :raises UserError: for a value that cannot be used; nothing has changed then.
        """
        card = self._card
        try:
            name = MIN_CONFIDENCE
            general = named_threshold(values[name], card)
            name = RISK
            rules = levels_for(values[name], card.risk, card.class_names)
            name = DRIVABLE_MIN_CONFIDENCE
            area = drivable_area(self._classes, values[name], card) if self._classes else None
        except UserError as error:
            raise UserError(f"parameter {name!r}: {error}") from error
        by_class = [float(values[name]) for name in self._of_classes]
        self.levels = np.maximum.reduce([general.levels, rules, min_confidence_levels(0.0, by_class)])
        self.drivable = area
        self._highest = max(general.highest, int(rules.max()) / 255)

    def _drivable_classes(self, text: str) -> tuple[str, ...]:
        """Return the drivable classes of the model; say so where it has none though some are asked for."""
        try:
            classes = drivable_classes(text, self._card.class_names)
        except UserError as error:
            raise UserError(f"parameter {_CLASSES!r}: {error}") from error
        if text.strip() and not classes:
            self._node.get_logger().info(
                f"no {DRIVABLE.name}: the model has no class called road; "
                f"set {_CLASSES} to those that are drivable"
            )
        return classes

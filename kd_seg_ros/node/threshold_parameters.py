"""The parameters ``min_confidence``, ``class_min_confidence.<class>`` and ``risk``, which may change."""

from __future__ import annotations

from typing import Any

import numpy as np
from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.topics import LABEL_INFO
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.risk import levels_for
from kd_seg_ros.inference.thresholds import MinConfidenceLevels, min_confidence_levels
from kd_seg_ros.node.label_info import LabelInfoPublisher
from kd_seg_ros.node.parameter_declaration import declare_class_thresholds


class ThresholdParameters:
    """Keeps the thresholds of confidence up to date, and publishes them on label_info."""

    levels: MinConfidenceLevels
    """Lowest confidence, 0…255, with which a pixel keeps its class, by class id, uint8 [256]. Replaced as a
    whole when a parameter changes, so that it may be read from any thread."""

    def __init__(self, node: Node, card: ModelCard) -> None:
        """Declare the parameters of the model's classes; publish label_info where vision_msgs is installed.

        :raises UserError: for a value out of range or a class the model does not know.
        """
        self._node = node
        names = ["min_confidence", *declare_class_thresholds(node, card.class_names)]
        self._values = {name: float(node.get_parameter(name).value) for name in names}
        self._card = card
        self._rules = self._levels_for(str(node.get_parameter("risk").value))
        self._label_info: LabelInfoPublisher | None = None
        try:
            self._label_info = LabelInfoPublisher(node, card)
        except ImportError:
            node.get_logger().warning(f"vision_msgs is not installed: no {LABEL_INFO.name}")
        self._apply()
        node.add_on_set_parameters_callback(self._on_set)

    def close(self) -> None:
        """Take back the topic; the parameters stay, with their values."""
        self._node.remove_on_set_parameters_callback(self._on_set)
        if self._label_info:
            self._label_info.close()

    def _on_set(self, parameters: list[Any]) -> SetParametersResult:
        """Take over new values, whose type and range rclpy has checked before."""
        for item in parameters:
            if item.name == "risk":
                try:
                    rules = self._levels_for(item.value)
                except UserError as error:
                    return SetParametersResult(successful=False, reason=str(error))
                self._rules = rules
                self._apply()
        new = {item.name: float(item.value) for item in parameters if item.name in self._values}
        if new:
            self._values |= new
            self._apply()
        return SetParametersResult(successful=True)

    def _levels_for(self, text: str) -> MinConfidenceLevels:
        """Return the levels that keep the rules in a text; raises UserError if the card has none for them."""
        try:
            return levels_for(text, self._card.risk, self._card.class_names)
        except UserError as error:
            raise UserError(f"parameter 'risk': {error}") from error

    def _apply(self) -> None:
        """Derive the levels from the present values, and publish the threshold."""
        threshold, *by_class = self._values.values()
        self.levels = np.maximum(min_confidence_levels(threshold, by_class), self._rules)
        if self._label_info:
            self._label_info.publish(threshold)

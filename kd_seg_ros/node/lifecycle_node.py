"""The node as a managed node: a lifecycle manager says when it loads the model and when it works.

==============  =====================================================================================
configure       loads the model and offers the outputs; FAILURE, with the reason, if it cannot
activate        subscribes to the camera and segments
deactivate      leaves the camera; the model stays loaded
cleanup         takes back the outputs and releases the model
shutdown        the same from any state
==============  =====================================================================================
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.inference.shared_engine import SharedEngines
from kd_seg_ros.node.diagnostics_publisher import DiagnosticsPublisher
from kd_seg_ros.node.given_parameters import given_parameters
from kd_seg_ros.node.parameter_declaration import read_parameters, refusal
from kd_seg_ros.node.ros_log_handler import forward_logs
from kd_seg_ros.node.segmentation import Segmentation

_LOOK_S = 0.25
"""Seconds between two looks whether the network has failed for good."""


class LifecycleSegmentationNode(LifecycleNode):
    """Loads, segments, pauses and releases when it is told to.

    Parameters can be changed while it is not configured; they are read when it is. If the network fails for
    good, the node goes back to unconfigured by itself.
    """

    failure = ""
    """Always empty: a managed node outlives the failure of its network."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str] = (),
        engines: SharedEngines | None = None,
        **options: Any,
    ) -> None:
        """Declare the parameters and wait to be configured.

        :param arguments: the whole command line, whose parameter files are looked at.
        :param engines: of the process, where its nodes share their networks.
        :param options: further ones of :class:`rclpy.node.Node`.
        :raises UserError: for a parameter that cannot be used.
        """
        super().__init__(name, **options)
        forward_logs(self.get_logger())
        given_parameters(self, arguments, fixed=False)
        self.segmentation: Segmentation | None = None
        """The parts of the node while it is configured."""
        self._engines = engines
        self._given_up = False
        self._diagnostics = DiagnosticsPublisher(self)
        self.add_on_set_parameters_callback(self._on_set)
        self.create_timer(_LOOK_S, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.get_logger().info("waiting to be configured by a lifecycle manager")

    def idleness(self) -> str:
        """Say why no frame has been segmented since the node was configured; empty if one has."""
        if self.segmentation is None:
            return "no frame was segmented: the node is not configured"
        return self.segmentation.idleness()

    def stop(self) -> None:
        """End the threads after the frame they are busy with."""
        if self.segmentation is not None:
            self.segmentation.deactivate()
        forward_logs(None)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and offer the outputs."""
        self._given_up = False
        try:
            self.segmentation = Segmentation(
                self, read_parameters(self), self._diagnostics, self._note_failure, self._engines
            )
        except UserError as error:
            self.get_logger().error(f"cannot be configured: {first_line(error)}")
            return TransitionCallbackReturn.FAILURE
        except Exception as error:  # rclpy would hide it
            self.get_logger().error(f"configuring failed: {type(error).__name__}: {first_line(error)}")
            return TransitionCallbackReturn.ERROR
        self.get_logger().info(f"configured: {self.segmentation.description}")
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the camera."""
        assert self.segmentation is not None
        self.segmentation.activate()
        self.get_logger().info(f"ready: {self.segmentation.description}")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Leave the camera; return after the frame that is being processed."""
        if self.segmentation is not None:
            self.segmentation.deactivate()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the model."""
        self._release()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the model, from any state."""
        self._release()
        return super().on_shutdown(state)

    def on_error(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Release the model after a transition has failed unexpectedly; the node is unconfigured then."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def _release(self) -> None:
        if self.segmentation is not None:
            self.segmentation.close()
            self.segmentation = None
            gc.collect()  # its parts know each other, so that the model's memory would stay for a while

    def _note_failure(self) -> None:
        """Take note that the network has failed for good; called in the worker's thread."""
        self._given_up = True

    def _look(self) -> None:
        """Go back to unconfigured if the network has failed for good."""
        if self._given_up and self.segmentation is not None:
            self._given_up = False
            self.get_logger().error(f"back to unconfigured: {self.segmentation.failure}")
            self.trigger_deactivate()
            self.trigger_cleanup()

    def _on_set(self, parameters: list[Any]) -> SetParametersResult:
        """Refuse what cannot be changed now; rclpy has checked types and ranges before."""
        reason = refusal(parameters, configured=self.segmentation is not None)
        return SetParametersResult(successful=not reason, reason=reason)

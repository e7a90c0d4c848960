"""The parts of the node put together: camera images in, class masks and confidence out.

There are three kinds of threads. The executor's thread takes messages and service calls, and runs two timers:
one watches who listens and which cameras publish, the other reports on ``/diagnostics``. It never waits for
the network: a new image goes into a mailbox of one slot. The worker (:mod:`kd_seg_ros.node.worker`) takes it
from there and publishes mask and confidence. Pictures for people (:mod:`kd_seg_ros.node.outputs`) are made in
threads after that.

A frame that cannot be used is dropped, counted and reported; the node lives on. It ends when the network
fails for good.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import SetBool

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.onnx_runtime import choose_telemetry
from kd_seg_ros.common.share import default_model
from kd_seg_ros.common.topics import SET_ENABLED
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.shared_engine import SharedEngines
from kd_seg_ros.node.camera import CameraSubscription
from kd_seg_ros.node.diagnostics import Activity
from kd_seg_ros.node.diagnostics_publisher import DiagnosticsPublisher
from kd_seg_ros.node.outputs import Outputs
from kd_seg_ros.node.parameters import Parameters
from kd_seg_ros.node.reporting import Activities, Reporting
from kd_seg_ros.node.threshold_parameters import ThresholdParameters
from kd_seg_ros.node.worker import SegmentationWorker

WATCH_PERIOD_S: Final = 0.25
"""Seconds between two looks at who listens and which cameras publish."""
LOOK_PERIOD_S: Final = 1.0
"""Seconds between two looks at what keeps results from coming."""


class Segmentation:
    """Segments the newest camera image, again and again, on a ROS node of either kind.

    Made inactive: the model is loaded and the outputs are offered, but no image is subscribed to.
    """

    def __init__(
        self,
        node: Node,
        settings: Parameters,
        diagnostics: DiagnosticsPublisher,
        on_given_up: Callable[[], None],
        engines: SharedEngines | None = None,
    ) -> None:
        """Open the model and all topics.

        :param diagnostics: of the node, which may outlive this object.
        :param on_given_up: called in the worker's thread, as its last act, when the network fails for good.
        :param engines: of the process, where its nodes share their networks.
        :raises UserError: for a parameter or a model that cannot be used.
        """
        self.node = node
        self._settings = settings
        self._on_given_up = on_given_up
        self._diagnostics = diagnostics
        self._active = False
        self._enabled = True
        self._was_wanted = False
        self._activities = Activities()
        self._model = Path(settings.model).expanduser() if settings.model else default_model()
        choose_telemetry(settings.onnxruntime_telemetry)
        self._engine = self._open_engine(engines)
        self._engine.warm_up()
        with ExitStack() as undo:
            self._make_parts(undo)
            self._close_parts = undo.pop_all().close

    def _open_engine(self, engines: SharedEngines | None) -> Engine:
        """Open the network, or get the one that another camera has opened; raises UserError."""
        settings = self._settings
        options: dict[str, Any] = {
            "cuda_graph": None if settings.cuda_graph else False,  # None: wherever it is possible
            "threads": settings.threads,
            "memory_mb": settings.max_model_memory_mb,
        }
        if engines is not None:
            options["batch_wait_ms"] = settings.batch_wait_ms if settings.batch else None
            return engines.open(self._model, settings.provider, **options)
        if settings.batch:
            raise UserError(
                "parameter 'batch' is for several cameras in one process: start them with one_process:=true, "
                "by cameras_node, or leave it out"
            )
        return Engine(self._model, settings.provider, **options)

    def _make_parts(self, undo: ExitStack) -> None:
        """Make topics, service and timers on the node.

        :param undo: takes note of how each is taken back.
        """
        node, settings = self.node, self._settings
        self._thresholds = ThresholdParameters(node, self._engine.card)
        undo.callback(self._thresholds.close)
        drivable = self._thresholds.drivable is not None
        self._outputs = Outputs(node, settings, self._engine.card, drivable)
        undo.callback(self._outputs.close)
        self._camera = CameraSubscription(
            node,
            self._on_image,
            compressed=settings.compressed,
            reliability=settings.reliability,
            with_info=settings.follows_camera_info(),
        )
        undo.callback(self._camera.close)
        self._worker = SegmentationWorker(
            node, settings, self._engine, self._thresholds, self._outputs, self._camera, self._give_up
        )
        undo.callback(node.destroy_service, node.create_service(SetBool, SET_ENABLED, self._set_enabled))
        self._reporting = Reporting(
            node,
            self._engine,
            str(self._model),
            settings.compressed,
            self._camera,
            self._worker,
            self._diagnostics,
            self._activities,
        )
        wall = Clock(clock_type=ClockType.STEADY_TIME)  # simulated time may stand still
        periodic = (
            (settings.period_s, self._reporting.publish),
            (LOOK_PERIOD_S, self._reporting.look),
            (WATCH_PERIOD_S, self._watch),
        )
        for period, work in periodic:
            undo.callback(node.destroy_timer, node.create_timer(period, work, clock=wall))

    @property
    def failure(self) -> str:
        """Why the network has ended without being asked to; empty if it has not."""
        recovery = self._worker.recovery
        return recovery.trouble if recovery.given_up else ""

    def idleness(self) -> str:
        """Say why no frame has been segmented since the start; empty if one has."""
        if self._worker.segmented:
            return ""
        totals = self._worker.statistics.summary().totals
        if totals.get("received"):
            counts = ", ".join(f"{count} {event}" for event, count in totals.items())
            return f"no frame was segmented of the images on {self._camera.topic}: {counts}"
        if self._was_wanted:
            return f"no frame was segmented: no image came on {self._camera.topic}"
        return (
            "no frame was segmented: nobody listens to an output, and the node works only then "
            "(active:=always: on every image)"
        )

    @property
    def description(self) -> str:
        """What runs and where the images come from, for a line of the log."""
        network = f"{self._engine.card.name!r} on {self._engine.provider}"
        return f"model {network}, images from {self._camera.topic}"

    def activate(self) -> None:
        """Subscribe to the camera as soon as an output is wanted, and start the threads."""
        self._active = True
        self._watch()
        # Last, since whatever fails above (a signal may end ROS at any moment) must leave no threads running.
        self._outputs.start()
        self._worker.start()

    def deactivate(self) -> None:
        """Leave the camera and end the threads after the frame they are busy with."""
        if self._active:
            self._active = False
            self._watch()
            self._worker.stop()
            self._outputs.stop()

    def close(self) -> None:
        """Take back all that was made on the node; the model is released with this object."""
        self.deactivate()
        self._close_parts()

    def _on_image(self, message: Image | CompressedImage) -> None:
        now = time.monotonic()
        self._activities.last_image = now
        if self._enabled:
            self._worker.give(message, now)
        else:
            self._worker.statistics.count("paused")

    def _watch(self) -> None:
        """Subscribe to the camera or leave it, as listeners and publishers come and go."""
        wanted = self._active and (self._settings.active == "always" or self._outputs.wanted())
        self._was_wanted |= wanted
        self._camera.update(wanted)
        self._take_note()

    def _set_enabled(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._enabled = request.data
        self._take_note()
        response.success = True
        response.message = "segmenting" if request.data else "paused; the network stays loaded"
        return response

    def _take_note(self) -> None:
        """Keep up to date what the node is doing."""
        if not self._active:
            self._activities.become(Activity.INACTIVE)
        elif not self._enabled:
            self._activities.become(Activity.PAUSED)
        else:
            self._activities.become(Activity.RUNNING if self._camera.subscribed else Activity.IDLE)

    def _give_up(self) -> None:
        """Make a last report before the node is told; called in the worker's thread."""
        self._reporting.publish()
        self._on_given_up()

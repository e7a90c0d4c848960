"""What the node says about itself: ``/diagnostics``, and lines of its log when nothing comes out of it."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass, field
from typing import Final

from rclpy.node import Node
from rclpy.utilities import get_rmw_implementation_identifier

from kd_seg_ros.common import shared_memory
from kd_seg_ros.common.fast_dds import large_image_remedy
from kd_seg_ros.common.topics import SET_ENABLED
from kd_seg_ros.inference.camera_faults import CameraFault, FaultTimes
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.node.camera import CameraSubscription
from kd_seg_ros.node.complaint import Complaint
from kd_seg_ros.node.diagnostics import Activity, Limits, State, assess, values
from kd_seg_ros.node.diagnostics_publisher import DiagnosticsPublisher, Report
from kd_seg_ros.node.memory import resident_mb
from kd_seg_ros.node.silence import SharedMemory, Surroundings, cause
from kd_seg_ros.node.worker import SegmentationWorker

RECEIVING_S: Final = 3.0
"""Seconds after an image in which its stamp is still spoken of."""


@dataclass
class Activities:
    """What the node is doing, and since when it has been waiting for an image."""

    now: Activity = Activity.INACTIVE
    since: float = field(default_factory=time.monotonic)
    """Moment of the last change, in seconds of ``time.monotonic``."""
    last_image: float = field(default_factory=time.monotonic)
    """Moment of the last image, or at which the node began to listen."""

    def become(self, activity: Activity) -> None:
        """Take note of what the node does now."""
        if activity is not self.now:
            self.now, self.since = activity, time.monotonic()
            self.last_image = self.since


class Reporting:
    """Reports on ``/diagnostics``, and complains in the log."""

    def __init__(
        self,
        node: Node,
        engine: Engine,
        model: str,
        compressed: bool,
        camera: CameraSubscription,
        worker: SegmentationWorker,
        diagnostics: DiagnosticsPublisher,
        activities: Activities,
    ) -> None:
        """Take the parts of the node that know what there is to report.

        :param model: path of the model file.
        :param compressed: the node subscribes to compressed images.
        :param activities: kept up to date by the node.
        """
        self._node = node
        self._engine = engine
        self._model = model
        self._compressed = compressed
        self._camera = camera
        self._worker = worker
        self._diagnostics = diagnostics
        self._activities = activities
        self._logger = node.get_logger()
        self._reported = worker.statistics.summary()
        self._lost = 0
        self._rejected = 0
        self._silent = Complaint()
        self._rejecting = Complaint()
        self._paused = Complaint()
        self._idle = Complaint(repeat_s=math.inf)
        self._timeless = Complaint()
        self._ahead = Complaint()
        self._old = Complaint(repeat_s=math.inf)
        self._faulty = Complaint()
        self._namesake = Complaint(repeat_s=math.inf)

    def publish(self) -> None:
        """Publish the state on ``/diagnostics``."""
        self._diagnostics.publish(self.report())

    def report(self) -> Report:
        """Return the state, in which counts are since the last report."""
        state = self._state()
        self._reported, self._lost = state.now, state.lost
        level, message = assess(state, self._limits())
        return Report(self._engine.provider, level, message, values(state))

    def look(self) -> None:
        """Tell in the log what keeps results from coming, if anything does."""
        activity, now = self._activities.now, time.monotonic()
        patience = self._limits().no_image_s
        waited = 0 < patience < now - self._activities.since
        self._tell_of_silence(activity is Activity.RUNNING, now - self._activities.last_image, patience)
        self._tell_of_rejections()
        self._tell_of_pause(activity is Activity.PAUSED and waited)
        self._tell_of_idleness(activity is Activity.IDLE and waited)
        self._tell_of_clock(activity is Activity.RUNNING and waited)
        self._tell_of_stamps(receiving=now - self._activities.last_image < RECEIVING_S)
        self._tell_of_camera()
        self._tell_of_namesakes()

    def _tell_of_silence(self, running: bool, seconds: float, patience: float) -> None:
        lasted, topic = self._silent.lasts, self._camera.topic
        silent = running and 0 < patience < seconds
        reason = self._cause() if silent else ""
        if self._silent.due(reason):
            self._logger.warning(f"no image on {topic} for {seconds:.0f} s: {reason}")
        if lasted and running and not silent:
            self._logger.info(f"images come on {topic}")

    def _tell_of_rejections(self) -> None:
        number, reason = self._worker.rejections
        if number == self._rejected:
            return  # nothing new, as from a camera that has stopped meanwhile
        self._rejected = number
        if self._rejecting.due(reason if number > 1 else ""):
            self._logger.error(f"each of the last {number} images was rejected, the last because: {reason}")

    def _tell_of_pause(self, paused: bool) -> None:
        if self._paused.due("paused" if paused else ""):
            service = self._node.resolve_service_name(SET_ENABLED)
            number = self._worker.statistics.summary().totals.get("paused", 0)
            self._logger.warning(
                f"paused by {service}, {number} images dropped so far; to resume: ros2 service call "
                f"{service} std_srvs/srv/SetBool '{{data: true}}'"
            )

    def _tell_of_idleness(self, idle: bool) -> None:
        if self._idle.due("idle" if idle else ""):
            self._logger.info(
                f"idle: nobody listens to an output of this node, so {self._camera.topic} is not subscribed "
                "to (active:=always: on every image)"
            )

    def _tell_of_clock(self, waited: bool) -> None:
        stands = self._simulated and waited and self._node.get_clock().now().nanoseconds == 0
        if self._timeless.due("no clock" if stands else ""):
            self._logger.warning(
                "use_sim_time is true, but nothing comes on /clock: play the bag with --clock, or set "
                "use_sim_time to false; masks come all the same, ages of images do not"
            )

    def _tell_of_stamps(self, receiving: bool) -> None:
        if not receiving:
            return  # what the last images said may no longer hold
        ahead, old = self._worker.stamps.ahead(self._simulated), self._worker.stamps.old(self._simulated)
        if self._ahead.due("ahead" if ahead else ""):
            self._logger.warning(ahead)
        if self._old.due("old" if old else ""):
            self._logger.info(old)

    def _tell_of_camera(self) -> None:
        lasted, fault = self._faulty.lasts, self._camera_fault()
        if self._faulty.due(fault.value if fault else ""):
            self._logger.warning(f"{self._camera.topic}: {fault.value if fault else ''}")
        if lasted and not fault:
            self._logger.info(f"{self._camera.topic}: the camera's images are in order")

    def _camera_fault(self) -> CameraFault | None:
        """Return what is wrong with the last images; None if nothing is, or if none are looked at."""
        activities = self._activities
        looking = activities.now is Activity.RUNNING
        receiving = looking and time.monotonic() - activities.last_image < RECEIVING_S
        return self._worker.camera_faults.fault(self._fault_times()) if receiving else None

    def _tell_of_namesakes(self) -> None:
        name = self._node.get_fully_qualified_name()
        if self._namesake.due(name if self._node_names().count(name) > 1 else ""):
            self._logger.warning(
                f"another node is called {name} as well (or one was killed a moment ago): both answer to the "
                "same services and topics; give one another name or namespace, as by -r __ns:=/front"
            )

    def _node_names(self) -> list[str]:
        """Return the full names of all nodes that are seen, this one included."""
        pairs = self._node.get_node_names_and_namespaces()
        return [f"{namespace.rstrip('/')}/{name}" for name, namespace in pairs]

    @property
    def _simulated(self) -> bool:
        return bool(self._node.get_parameter("use_sim_time").value)

    def _limits(self) -> Limits:
        return Limits(
            self._limit("max_processing_time_ms"),
            self._limit("max_image_age_ms"),
            self._limit("no_image_timeout_s"),
            str(self._node.get_parameter("diagnostics.unknown_images").value),
        )

    def _fault_times(self) -> FaultTimes:
        return FaultTimes(self._limit("camera_fault_s"), self._limit("frozen_camera_s"))

    def _limit(self, name: str) -> float:
        return float(self._node.get_parameter(f"diagnostics.{name}").value)

    def _cause(self) -> str:
        """Look around, and say why no image comes."""
        node = self._node
        published = {
            name: kinds for name, kinds in node.get_topic_names_and_types() if node.count_publishers(name)
        }
        memory = SharedMemory(
            shared_memory.free_bytes(), shared_memory.foreign_owners(), shared_memory.largest_of_others()
        )
        return cause(
            Surroundings(
                topic=self._camera.topic,
                compressed=self._compressed,
                publishers=self._camera.publishers(),
                obstacle=self._camera.obstacle(),
                published=published,
                other_nodes=len(self._node_names()) - 1,
                environment=os.environ,
                middleware=get_rmw_implementation_identifier(),
                shared_memory=memory,
            )
        )

    def _state(self) -> State:
        worker, silence = self._worker, time.monotonic() - self._activities.last_image
        silent = self._activities.now is Activity.RUNNING and 0 < self._limits().no_image_s < silence
        return State(
            activity=self._activities.now,
            topic=self._camera.topic,
            publishers=self._camera.publishers(),
            silence_cause=self._cause() if silent else "",
            remedy=large_image_remedy(get_rmw_implementation_identifier(), os.environ),
            silence_s=silence,
            lost=self._camera.lost,
            lost_before=self._lost,
            trouble=worker.recovery.trouble,
            rejection=worker.rejections.reason,
            stamps_ahead=worker.stamps.ahead(self._simulated),
            provider=self._engine.provider,
            card=self._engine.card,
            model=self._model,
            sha256=self._engine.sha256,
            memory_mb=resident_mb(),
            now=worker.statistics.summary(),
            before=self._reported,
            drift=worker.drift.state() if worker.drift else None,
            domain=worker.domain.state() if worker.domain else None,
            camera_fault=self._camera_fault(),
            drivable=worker.drivable_threshold(),
        )

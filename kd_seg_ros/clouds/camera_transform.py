"""Where TF says the camera is, at the time of an image.

``tf2_ros`` keeps the transforms; it is imported when the first node needs it, since the wheels of ROS 2 for
Python lack it.
"""

from __future__ import annotations

from typing import Any, Final

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from kd_seg_ros.clouds.camera_pose import CameraPose, PoseError, camera_of_transform
from kd_seg_ros.common.errors import UserError

TOPICS: Final = ("/tf", "/tf_static")
PATIENCE: Final = Duration(seconds=0.2)
"""How long a transform of an image's time is waited for: moving ones come a little later than the image."""


class CameraTransform:
    """Listens to TF while somebody wants a pose; used like :class:`kd_seg_ros.clouds.inputs.Input`."""

    def __init__(self, node: Node, frame_id: str) -> None:
        """Begin without transforms.

        :param frame_id: the vehicle's frame.
        :raises UserError: where tf2_ros is not installed.
        """
        try:
            import tf2_ros
        except ImportError as error:
            raise UserError(
                "parameter 'camera_height' is not set, and TF cannot tell where the camera is, since tf2_ros "
                f"is not installed ({error}): set 'camera_height' and 'pitch', or install tf2_ros_py"
            ) from error
        self.topic = " or ".join(TOPICS)
        self.required = True
        self._tf = tf2_ros
        self._node = node
        self._frame_id = frame_id
        self._buffer = tf2_ros.Buffer(node=node)
        self._listener: Any = None

    def update(self, wanted: bool) -> None:
        """Subscribe or leave."""
        if not wanted:
            self.close()
        elif self._listener is None:
            self._listener = self._tf.TransformListener(self._buffer, self._node)

    def publishers(self) -> int:
        """Return how many publishers of transforms there are."""
        return sum(int(self._node.count_publishers(topic)) for topic in TOPICS)

    def close(self) -> None:
        """End the subscriptions; what has been heard is kept, as long as tf2 keeps it."""
        if self._listener is not None:
            self._listener.unregister()
            self._listener = None

    def pose(self, header: Header) -> CameraPose:
        """Return the camera's pose in the vehicle's frame at the time of a message; waits for it a little.

        Not to be called in the executor's thread, which takes in the transforms.

        :param header: its ``frame_id`` is the camera's optical frame.
        :raises PoseError: if TF does not say.
        """
        camera = header.frame_id
        if not camera:
            raise PoseError("the image's frame_id is empty: TF cannot tell where the camera is")
        try:
            found = self._buffer.lookup_transform(
                self._frame_id, camera, Time.from_msg(header.stamp), PATIENCE
            ).transform
        except self._tf.TransformException as error:
            reason = str(error).strip(" .")
            raise PoseError(
                f"TF does not say where {camera!r} is in {self._frame_id!r} at the image's time: {reason}. "
                "Publish it, or set 'camera_height' and 'pitch'"
            ) from error
        place, turn = found.translation, found.rotation
        return camera_of_transform((place.x, place.y, place.z), (turn.x, turn.y, turn.z, turn.w))

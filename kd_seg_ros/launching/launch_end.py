"""When a launch ends because its processes have, and whether ``ros2 launch`` fails then.

The exit status of ``ros2 launch`` does not depend on those of its processes. It is 1 in one case only: an
action or the handler of an event has raised an exception, whose message launch prints in one line while it
stops everything else. So that is what a handler does here after a fault: at once where the launch is to end
with the node, else when the launch ends for another reason than Ctrl-C.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kd_seg_ros.common.command_line import USER_ERROR

if TYPE_CHECKING:
    from launch.action import Action
    from launch.event import Event
    from launch.events import Shutdown as ShutdownEvent
    from launch.events.process import ProcessExited
    from launch.launch_context import LaunchContext


class LaunchFailedError(RuntimeError):
    """The reason why ``ros2 launch`` ends with status 1, in one line."""


class LaunchEnd:
    """Handles the end of the processes of one launch: of its nodes, and of the bag that feeds them."""

    def __init__(self, nodes: int, *, required: bool, respawn: bool, replay: bool = False) -> None:
        """Begin with all of them running.

        :param nodes: number of segmentation nodes; one that ends leaves the others running.
        :param required: when all nodes have ended, one of them by its own fault, stop whatever else runs.
        :param respawn: launch starts nodes again that have ended.
        :param replay: a bag is played to the nodes; the launch ends with either of them.
        """
        self._running = nodes
        self._required = required
        self._respawn = respawn
        self._replay = replay
        self._replayed = False
        self._faults: list[str] = []
        self._failure: Event | None = None

    def after_node(self, event: ProcessExited, context: LaunchContext) -> list[Action]:
        """Return what to do when a node has ended.

        :raises LaunchFailedError: to end the launch with status 1.
        """
        if context.is_shutdown:
            # Told to end. After a bag its status says whether it has segmented anything (--expect-frames).
            if self._replayed and event.returncode:
                raise LaunchFailedError(_fault(event))
            return []
        if self._respawn and event.returncode != USER_ERROR:
            return []
        self._running -= 1
        actions = self._note(event) if event.returncode else []
        if self._respawn:
            actions.append(_stop_respawning(event))
        if not self._running and self._required and self._faults:
            self._fail(context)
        if not self._running and self._replay:
            actions.append(_shutdown("the segmentation node has ended"))
        return actions

    def after_companion(self, event: ProcessExited, context: LaunchContext) -> list[Action]:
        """Return what to do when a node has ended that works with the segmentation nodes' maps.

        The launch goes on without it, and fails at its end if the node has ended by its own fault.
        """
        if context.is_shutdown or not event.returncode:
            return []
        return self._note(event)

    def after_replay(self, event: ProcessExited, context: LaunchContext) -> list[Action]:
        """Return what to do when the bag has been played, or could not be."""
        if context.is_shutdown:
            return []
        if event.returncode:
            return [*self._note(event), _shutdown("the bag could not be played")]
        self._replayed = True
        return [_shutdown("the bag has ended")]

    def _note(self, event: ProcessExited) -> list[Action]:
        """Keep what went wrong; return the action that makes the launch fail for it at its end."""
        from launch.actions import RegisterEventHandler
        from launch.event_handlers import OnShutdown

        self._faults.append(_fault(event))
        if len(self._faults) > 1:
            return []
        return [RegisterEventHandler(OnShutdown(on_shutdown=self._at_shutdown))]

    def _at_shutdown(self, event: ShutdownEvent, _context: LaunchContext) -> list[Action]:
        """Fail after the present event: an exception now would keep it from the processes still running."""
        from launch.actions import EmitEvent, OpaqueFunction, RegisterEventHandler
        from launch.event import Event
        from launch.event_handler import EventHandler

        if event.due_to_sigint:
            return []
        self._failure = Event()
        handler = EventHandler(matcher=self._is_failure, entities=OpaqueFunction(function=self._fail))
        return [RegisterEventHandler(handler), EmitEvent(event=self._failure)]

    def _is_failure(self, event: Event) -> bool:
        return event is self._failure

    def _fail(self, _context: LaunchContext) -> list[Action]:
        """Raise LaunchFailedError with all faults."""
        raise LaunchFailedError("; ".join(self._faults))


def _stop_respawning(event: ProcessExited) -> Action:
    """Return the action that keeps launch from starting a process again, every two seconds."""
    from launch.actions import EmitEvent
    from launch.events import matches_action
    from launch.events.process import ShutdownProcess

    return EmitEvent(event=ShutdownProcess(process_matcher=matches_action(event.action)))


def _shutdown(reason: str) -> Action:
    from launch.actions import Shutdown

    return Shutdown(reason=reason)


def _fault(event: ProcessExited) -> str:
    """Say in half a sentence how a process has ended by its own fault."""
    code = event.returncode
    how = f"was killed by signal {-code}" if code < 0 else f"has ended with exit status {code}"
    return f"{event.process_name} {how}, see its messages above"

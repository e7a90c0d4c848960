"""Which ends of a process make ``ros2 launch`` fail: an exception out of a handler is its only way to."""

from __future__ import annotations

from typing import Any

import launch_stand_in
import pytest
from launch_stand_in import LaunchContext, ProcessExited, ShutdownEvent

from kd_seg_ros.launching.launch_end import LaunchEnd, LaunchFailedError


@pytest.fixture(autouse=True)
def _stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    launch_stand_in.install(monkeypatch)


def exited(status: int, name: str = "segmentation_node-1") -> Any:
    return ProcessExited(launch_stand_in.Action(), status, name)


def context(shut_down: bool = False) -> Any:
    made = LaunchContext({})
    made.is_shutdown = shut_down
    return made


def shut_down(actions: list[Any], due_to_sigint: bool) -> None:
    """Do what launch does at its end with the handlers that these actions have registered."""
    for action in actions:
        if isinstance(action, launch_stand_in.RegisterEventHandler):
            answer = action.event_handler.on_shutdown(ShutdownEvent(due_to_sigint=due_to_sigint), context())
            handlers = [a.event_handler for a in answer if hasattr(a, "event_handler")]
            for event in [a.event for a in answer if hasattr(a, "event")]:
                for handler in handlers:
                    assert not handler.matcher(ShutdownEvent())
                    assert handler.matcher(event)
                    handler.entities.function(context())


@pytest.mark.parametrize(("status", "how"), [(2, "exit status 2"), (-9, "was killed by signal 9")])
def test_a_fault_fails_the_launch_at_its_end(status: int, how: str) -> None:
    actions = LaunchEnd(1, required=False, respawn=False).after_node(exited(status), context())
    with pytest.raises(LaunchFailedError, match=f"segmentation_node-1 .*{how}"):
        shut_down(actions, due_to_sigint=False)
    shut_down(actions, due_to_sigint=True)  # Ctrl-C is no failure


def test_a_required_node_ends_the_launch_at_once() -> None:
    with pytest.raises(LaunchFailedError, match="exit status 1"):
        LaunchEnd(1, required=True, respawn=False).after_node(exited(1), context())
    assert LaunchEnd(1, required=True, respawn=False).after_node(exited(0), context()) == []


def test_a_node_next_to_it_fails_the_launch_but_does_not_end_it() -> None:
    end = LaunchEnd(1, required=True, respawn=False, replay=True)
    assert end.after_companion(exited(0, "points_node-2"), context()) == []
    assert end.after_companion(exited(-15, "points_node-2"), context(shut_down=True)) == []
    actions = end.after_companion(exited(2, "points_node-2"), context())
    assert not any(isinstance(action, launch_stand_in.Shutdown) for action in actions)
    with pytest.raises(LaunchFailedError, match="points_node-2 has ended with exit status 2"):
        shut_down(actions, due_to_sigint=False)


def test_one_camera_leaves_the_others_running() -> None:
    end = LaunchEnd(2, required=True, respawn=False)
    end.after_node(exited(-11, "segmentation_node-1"), context())
    with pytest.raises(LaunchFailedError, match=r"segmentation_node-1 .*; segmentation_node-2 "):
        end.after_node(exited(1, "segmentation_node-2"), context())


def test_what_was_told_to_end_has_no_fault() -> None:
    end = LaunchEnd(1, required=True, respawn=False)
    assert end.after_node(exited(-2), context(shut_down=True)) == []


def test_respawning_stops_after_a_mistake() -> None:
    end = LaunchEnd(1, required=False, respawn=True)
    assert end.after_node(exited(-9), context()) == []
    event = exited(2)
    stop = end.after_node(event, context())[-1].event
    assert isinstance(stop, launch_stand_in.ShutdownProcess)
    assert stop.process_matcher(event.action)
    assert not stop.process_matcher(launch_stand_in.Action())


def test_the_end_of_a_bag_ends_the_launch() -> None:
    end = LaunchEnd(1, required=False, respawn=False, replay=True)
    (action,) = end.after_replay(exited(0, "play_bag-2"), context())
    assert action.reason == "the bag has ended"
    assert end.after_node(exited(0), context(shut_down=True)) == []
    with pytest.raises(LaunchFailedError, match="exit status 1"):  # nothing was segmented
        end.after_node(exited(1), context(shut_down=True))


def test_a_bag_that_cannot_be_played() -> None:
    end = LaunchEnd(1, required=False, respawn=False, replay=True)
    assert end.after_replay(exited(2, "play_bag-2"), context(shut_down=True)) == []
    actions = end.after_replay(exited(2, "play_bag-2"), context())
    assert actions[-1].reason == "the bag could not be played"
    with pytest.raises(LaunchFailedError, match="play_bag-2 has ended with exit status 2"):
        shut_down(actions, due_to_sigint=False)


def test_a_bag_without_a_node_is_of_no_use() -> None:
    end = LaunchEnd(1, required=False, respawn=False, replay=True)
    assert end.after_node(exited(0), context())[-1].reason == "the segmentation node has ended"

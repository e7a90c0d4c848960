"""Stand-ins for ROS 2's ``launch`` and ``launch_ros`` that record what a launch file asks for.

No package outside a ROS 2 install has the real ones. Signatures follow launch 3.7 and launch_ros 0.28, as
far as used here, so that a misspelt keyword fails. What is recorded keeps its constructor's arguments as
attributes; substitutions are plain text.
"""

from __future__ import annotations

import importlib.util
import operator
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


class Action:
    """Base of all actions."""


class LaunchContext:
    is_shutdown = False

    def __init__(self, given: dict[str, str], argv: list[str] | None = None) -> None:
        self.launch_configurations = dict(given)
        self.argv = argv or []


class LaunchDescription:
    def __init__(self, entities: list[Any]) -> None:
        self.entities = entities


class LaunchConfiguration:
    def __init__(self, variable_name: str, *, default: str | None = None) -> None:
        self.variable_name, self.default = variable_name, default

    def perform(self, context: LaunchContext) -> str:
        if self.default is None:
            return context.launch_configurations[self.variable_name]
        return context.launch_configurations.get(self.variable_name, self.default)


class DeclareLaunchArgument(Action):
    def __init__(
        self, name: str, *, default_value: str | None = None, description: str = "", choices: Any = None
    ) -> None:
        self.name, self.default_value, self.description, self.choices = (
            name,
            default_value,
            description,
            choices,
        )


class OpaqueFunction(Action):
    def __init__(self, *, function: Callable[[LaunchContext], list[Action]]) -> None:
        self.function = function


class Shutdown(Action):
    def __init__(self, *, reason: str = "reason not given") -> None:
        self.reason = reason


class Event:
    """Base of all events."""


class ShutdownEvent(Event):
    def __init__(self, *, due_to_sigint: bool = False) -> None:
        self.due_to_sigint = due_to_sigint


class ShutdownProcess(Event):
    def __init__(self, *, process_matcher: Callable[[Action], bool]) -> None:
        self.process_matcher = process_matcher


class ProcessExited(Event):
    def __init__(self, action: Action, returncode: int, process_name: str = "segmentation_node-1") -> None:
        self.action, self.returncode, self.process_name = action, returncode, process_name


def matches_action(target: Action) -> Callable[[Action], bool]:
    return partial(operator.is_, target)


class EmitEvent(Action):
    def __init__(self, *, event: Event) -> None:
        self.event = event


class EventHandler:
    def __init__(self, *, matcher: Callable[[Event], bool], entities: Any) -> None:
        self.matcher, self.entities = matcher, entities


class OnShutdown:
    def __init__(self, *, on_shutdown: Any) -> None:
        self.on_shutdown = on_shutdown


class ExecuteProcess(Action):
    def __init__(
        self,
        *,
        cmd: list[str],
        additional_env: dict[str, str] | None = None,
        output: str = "log",
        on_exit: Any = None,
        respawn: bool = False,
        respawn_delay: float | None = None,
    ) -> None:
        self.cmd, self.additional_env, self.output, self.on_exit = cmd, additional_env, output, on_exit
        self.respawn, self.respawn_delay = respawn, respawn_delay


class Node(ExecuteProcess):
    def __init__(
        self,
        *,
        executable: str,
        package: str | None = None,
        name: str | None = None,
        namespace: str | None = None,
        parameters: list[Any] | None = None,
        remappings: list[tuple[str, str]] | None = None,
        arguments: list[str] | None = None,
        ros_arguments: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(cmd=[executable, *(arguments or [])], **kwargs)
        self.package, self.executable, self.name, self.namespace = package, executable, name, namespace
        self.parameters, self.remappings, self.arguments = parameters or [], remappings or [], arguments or []
        self.ros_arguments = ros_arguments or []


class ParameterValue:
    def __init__(self, value: Any, *, value_type: Any = None) -> None:
        self.value, self.value_type = value, value_type


class ProcessIO:
    def __init__(self, text: bytes) -> None:
        self.text = text


class OnProcessIO:
    def __init__(self, *, target_action: Action, on_stdout: Any = None, on_stderr: Any = None) -> None:
        self.target_action, self.on_stdout, self.on_stderr = target_action, on_stdout, on_stderr


class RegisterEventHandler(Action):
    def __init__(self, event_handler: Any) -> None:
        self.event_handler = event_handler


_MODULES: dict[str, list[Any]] = {
    "launch": [LaunchContext, LaunchDescription],
    "launch.action": [Action],
    "launch.actions": [
        *(DeclareLaunchArgument, EmitEvent, ExecuteProcess, OpaqueFunction, RegisterEventHandler, Shutdown),
    ],
    "launch.event": [Event],
    "launch.event_handler": [EventHandler],
    "launch.event_handlers": [OnProcessIO, OnShutdown],
    "launch.events": [matches_action],
    "launch.events.process": [ProcessExited, ProcessIO, ShutdownProcess],
    "launch.substitutions": [LaunchConfiguration],
    "launch_ros": [],
    "launch_ros.actions": [Node],
    "launch_ros.parameter_descriptions": [ParameterValue],
}


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let imports of the launch modules find the stand-ins."""
    for name, contents in _MODULES.items():
        module = ModuleType(name)
        module.__dict__.update({item.__name__: item for item in contents})
        monkeypatch.setitem(sys.modules, name, module)


def load(file: Path, monkeypatch: pytest.MonkeyPatch) -> LaunchDescription:
    """Import a launch file over the stand-ins and return its description."""
    install(monkeypatch)
    spec = importlib.util.spec_from_file_location("launch_file", file)
    assert spec is not None
    assert spec.loader is not None
    launch_file = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(launch_file)
    description: LaunchDescription = launch_file.generate_launch_description()
    return description


def run(description: LaunchDescription, **given: str) -> list[Any]:
    """Go through the description as ``ros2 launch`` would with these arguments; return what it starts."""
    words = [f"{name}:={value}" for name, value in given.items()]
    context, started = LaunchContext(given, words), []
    for entity in description.entities:
        if isinstance(entity, DeclareLaunchArgument):
            if entity.default_value is not None:
                context.launch_configurations.setdefault(entity.name, entity.default_value)
            elif entity.name not in given:
                raise RuntimeError(f"Required launch argument '{entity.name}' was not provided")
            value = context.launch_configurations[entity.name]
            if entity.choices is not None and value not in entity.choices:
                raise ValueError(f"{entity.name}: {value!r} is none of {entity.choices}")
        elif isinstance(entity, OpaqueFunction):
            started += entity.function(context)
        else:
            started.append(entity)
    return started

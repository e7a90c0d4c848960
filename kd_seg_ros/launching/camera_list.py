"""The list of cameras that ``launch/multi_camera.launch.py`` starts a node each for. No ROS in here.

``config/cameras.yaml`` is an example with every key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.suggest import did_you_mean
from kd_seg_ros.common.topics import OUTPUTS
from kd_seg_ros.inference.providers import PROVIDERS
from kd_seg_ros.launching.names import check_image_topic, check_namespace, existing_file, read_yaml

SETTINGS: Final = ("model", "provider", "params_file", "parameters")
"""Keys that a camera may have, or share with the others in ``defaults``."""
QOS: Final = "qos_overrides"
"""The group of parameters that override the quality of service of outputs, by topic."""


@dataclass(frozen=True)
class CameraEntry:
    """A camera of the list, and what its node is started with."""

    name: str
    """Namespace of the node, e.g. ``front`` or ``car/front``."""
    image: str
    """Image topic without ``/compressed``; a relative one lies in the namespace."""
    params_file: Path | None = None
    """YAML file of parameters; None: the one shipped with the package."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that win over ``params_file``; a group of them (``qos_overrides``) is a mapping itself."""


def read_cameras(path: str | Path) -> list[CameraEntry]:
    """Read a YAML list of cameras; paths in it are relative to its folder.

    :raises UserError: with the file, the camera and the key at fault.
    """
    path = Path(path).expanduser()
    content = read_yaml(path, "cameras:=FILE names a YAML list of cameras")
    _check_keys(str(path), content, ("defaults", "cameras"))
    defaults = content.get("defaults") or {}
    _check_keys(f"{path}: defaults", defaults, SETTINGS)
    entries = content.get("cameras")
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{path}: 'cameras' must be a list with at least one camera, not {entries!r}")
    cameras = [_camera(path, number, entry, defaults) for number, entry in enumerate(entries, start=1)]
    names = [camera.name.strip("/") for camera in cameras]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"{path}: two cameras are named {twice[0]!r}: give each another name")
    return cameras


def _camera(path: Path, number: int, entry: Any, defaults: dict[str, Any]) -> CameraEntry:
    named = isinstance(entry, dict) and isinstance(entry.get("name"), str)
    where = f"{path}: camera {entry['name']!r}" if named else f"{path}: camera number {number}"
    _check_keys(where, entry, ("name", "image", *SETTINGS))
    name = _text(where, entry, "name")
    if name is None:
        raise UserError(f"{where}: 'name' is missing: give the camera's namespace")
    check_namespace(f"{where}: 'name'", name)
    image = _text(where, entry, "image")
    if not image:
        raise UserError(f"{where}: 'image' is missing: give the camera's image topic")
    check_image_topic(f"{where}: 'image'", image, "compressed: true among the parameters")
    settings = {**defaults, **entry}
    parameters = _parameters(where, {**_mapping(path, defaults), **_mapping(where, entry)})
    model = _text(where, settings, "model")
    if model:
        parameters["model"] = str(existing_file(f"{where}: 'model'", model, path.absolute().parent))
    provider = _text(where, settings, "provider")
    if provider:
        if provider not in PROVIDERS:
            raise UserError(
                f"{where}: 'provider' must be one of {', '.join(PROVIDERS)}, not {provider!r}"
                f"{did_you_mean(provider, PROVIDERS)}"
            )
        parameters["provider"] = provider
    params_file = _text(where, settings, "params_file")
    file = None
    if params_file:
        file = existing_file(f"{where}: 'params_file'", params_file, path.absolute().parent)
        read_yaml(file, "'params_file' names a YAML file of parameters")
    return CameraEntry(name, image, file, parameters)


def _check_keys(where: str, content: Any, known: tuple[str, ...]) -> None:
    """Refuse, by a UserError, what is no mapping or has a key that is not known."""
    if not isinstance(content, dict):
        raise UserError(f"{where}: must be a mapping with the keys {', '.join(known)}, not {content!r}")
    for key in content:
        if key not in known:
            advice = did_you_mean(str(key), known) or f"; there are {', '.join(known)}"
            raise UserError(f"{where}: unknown key {key!r}{advice}")


def _text(where: str, content: dict[str, Any], key: str) -> str | None:
    """Return the text under a key, or None without it; raises UserError for anything else."""
    value = content.get(key)
    if value is not None and not isinstance(value, str):
        raise UserError(f"{where}: {key!r} must be text, not {value!r}: put it in quotes")
    return value


def _mapping(where: str | Path, content: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a camera or of the defaults; raises UserError if they are no mapping."""
    parameters = content.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise UserError(f"{where}: 'parameters' must be a mapping of names to values, not {parameters!r}")
    return parameters


def _parameters(where: str, parameters: dict[Any, Any]) -> dict[str, Any]:
    """Check that the node has such parameters, and that every value is one that a ROS parameter can have."""
    if not parameters:
        return {}
    from kd_seg_ros.node.parameter_names import (
        refuse_unknown_names,  # needs rclpy, which a list without parameters does not
    )

    _check_overrides(where, parameters.get(QOS) or {})
    try:
        refuse_unknown_names(_names(parameters))
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    return _checked_values(where, parameters)


def absolute_overrides(parameters: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """Return a camera's parameters with the full names of the topics in ``qos_overrides``, as ROS needs them.

    :param namespace: the node's, absolute.
    """
    if QOS not in parameters:
        return dict(parameters)
    overrides = {}
    for topic, policies in parameters[QOS].items():
        full = topic if topic.startswith("/") else f"{namespace.rstrip('/')}/{topic}"
        overrides[full] = policies
    return {**parameters, QOS: overrides}


def _check_overrides(where: str, overrides: Any) -> None:
    """Check the relative names under ``qos_overrides``; what a full name belongs to, the node decides."""
    if not isinstance(overrides, dict):
        raise UserError(f"{where}: {QOS!r} must be a mapping of topics to policies, not {overrides!r}")
    outputs = [topic.name for topic in OUTPUTS]
    for topic in overrides:
        if not str(topic).startswith("/") and topic not in outputs:
            advice = did_you_mean(str(topic), outputs) or f"; there are {', '.join(outputs)}"
            raise UserError(f"{where}: {QOS!r}: the node has no output {topic!r}{advice}")


def _names(parameters: dict[Any, Any], group: str = "") -> list[str]:
    """Return the full names of parameters: the group's name stands before a dot."""
    names = []
    for name, value in parameters.items():
        full = f"{group}{name}"
        names += _names(value, f"{full}.") if isinstance(value, dict) else [full]
    return names


def _checked_values(where: str, parameters: dict[Any, Any]) -> dict[str, Any]:
    """Return the parameters; raises UserError for a value that a ROS parameter cannot have."""
    for name, value in parameters.items():
        if isinstance(value, dict):
            _checked_values(where, value)
            continue
        items = value if isinstance(value, list) else [value]
        if not items or not all(isinstance(item, (bool, int, float, str)) for item in items):
            raise UserError(f"{where}: parameter {name!r} has no value that ROS knows: {value!r}")
    return parameters

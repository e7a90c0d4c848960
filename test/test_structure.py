"""Which package ("room") may import which, read from the sources; imports inside functions count too.

:data:`ROOMS` lists the rooms of each half from the lowest tier to the highest. A room imports only rooms of
lower tiers of its half, and the offline half imports only those rooms of the vehicle half that
:data:`VEHICLE_ROOMS` grants it. The vehicle half imports nothing of the offline half.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

ROOMS = {
    "kd_seg_ros": (
        {"common"},
        {"inference"},
        {"bags", "node"},
        {"playback", "launching", "faults", "clouds", "predict"},
        {"benchmark", "campaign", "cameras"},
    ),
    "distill": (
        {"common"},
        {"losses", "metrics", "datasets"},
        {"models"},
        {"config"},
        {"data", "checkpoints", "scenes"},
        {"evaluation", "teachers"},
        {"calibration", "drives", "training", "imports"},
        {"export"},
        {"experiments", "benchmarks"},
        {"report", "campaign"},
        {"commands"},
    ),
}
"""The rooms of each half, from the lowest tier to the highest; rooms of one tier do not know each other."""

VEHICLE_ROOMS = {
    "common": None,
    "inference": None,
    "bags": {"datasets", "scenes", "drives", "commands"},
    "playback": {"drives", "commands"},
    "clouds": {"commands"},
    "predict": {"commands"},
    "benchmark": {"benchmarks", "commands"},
    "faults": {"campaign"},
    "campaign": {"campaign", "commands"},
}
"""Rooms of the vehicle half that the offline half may use, and by which of its rooms (None: all)."""

HEAVY = {"torch", "torchvision", "timm", "lightning", "transformers", "pydantic"}
"""Packages of the offline half that a vehicle does not have."""

WITHOUT_TORCH = (
    "distill.commands.benchmark",
    "distill.commands.export",
    "distill.commands.fuzz",
    "distill.commands.import_weights",
    "distill.commands.make_bag",
    "distill.commands.models",
    "distill.commands.nav2_layer",
    "distill.commands.predict",
    "distill.commands.score_node",
    "distill.commands.segment_bag",
    "distill.drives",
    "distill.commands.weights",
    "distill.commands.wrap",
    "distill.models.catalogue",
    "distill.datasets",
    "distill.scenes",
    "distill.metrics.calibration",
    "distill.metrics.cells",
    "distill.metrics.confusion",
    "distill.metrics.precision_recall",
    "distill.evaluation.mask_scores",
    "distill.evaluation.metrics_json",
    "distill.metrics.mask_accumulator",
)
"""Packages and modules whose import must not bring PyTorch, by whatever way."""

PENDING: set[str] = set()
"""Imports that are still to be mended, as ``importing module > imported module``."""


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for half in ROOMS for path in sorted((ROOT / half).rglob("*.py"))}


def imported(module: str, at_import: bool = False) -> Iterator[str]:
    """Yield the full names of what a module imports.

    :param at_import: leave out what functions import, and what is imported for type checkers only.
    """
    tree = ast.parse(FILES[module].read_text(encoding="utf-8"))
    for node in _without_deferred(tree) if at_import else ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            assert node.module
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in FILES else node.module


def _without_deferred(node: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree, but not into functions and ``if TYPE_CHECKING`` blocks."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from _without_deferred(child)


def room_of(module: str) -> str:
    """The folder below the half that a module lies in; empty for the few modules outside the rooms."""
    parts = module.split(".")
    in_room = len(parts) > 2 or FILES[module].name == "__init__.py"
    return parts[1] if in_room and len(parts) > 1 else ""


def tier_of(half: str, room: str) -> int:
    """The number of a room's tier, 0 for the lowest."""
    return next(number for number, rooms in enumerate(ROOMS[half]) if room in rooms)


def faults(half: str) -> Iterator[str]:
    """Imports that go against the plan, as :data:`PENDING` writes them."""
    for module in FILES:
        if not module.startswith(f"{half}."):
            continue
        for name in imported(module):
            target_half, _, rest = name.partition(".")
            if target_half not in ROOMS or not rest:
                continue
            if not _allowed(half, room_of(module), target_half, rest.partition(".")[0]):
                yield f"{module} > {name}"


def _allowed(half: str, room: str, target_half: str, target: str) -> bool:
    if half == "kd_seg_ros" and target_half == "distill":
        return False
    if target == "commands":
        return False  # nobody imports a command, not even another one
    if half != target_half:
        if target not in VEHICLE_ROOMS:
            return False
        granted = VEHICLE_ROOMS[target]
        return granted is None or room in granted
    if not room:
        return True
    return target == room or tier_of(half, target) < tier_of(half, room)


def test_every_folder_is_a_room_with_a_description() -> None:
    for half, tiers in ROOMS.items():
        folders = {path.parent.name for path in (ROOT / half).glob("*/__init__.py")}
        assert folders == {room for tier in tiers for room in tier}
        for room in folders:
            text = (ROOT / half / room / "__init__.py").read_text(encoding="utf-8")
            assert ast.get_docstring(ast.parse(text)), f"{half}/{room} does not say what it is for"


def test_no_module_lies_outside_the_rooms() -> None:
    for half in ROOMS:
        assert {path.name for path in (ROOT / half).glob("*.py")} <= {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("half", ROOMS)
def test_rooms_import_lower_rooms_only(half: str) -> None:
    found = set(faults(half))
    assert found - PENDING == set()
    assert not {entry for entry in PENDING if entry.startswith(half)} - found, "no longer pending: remove it"


def test_the_vehicle_half_imports_nothing_of_the_offline_half() -> None:
    for module in FILES:
        if module.startswith("kd_seg_ros"):
            packages = {name.partition(".")[0] for name in imported(module)}
            assert not packages & {"distill", *HEAVY}, module


@pytest.mark.parametrize("start", WITHOUT_TORCH)
def test_rooms_that_need_no_torch_do_not_load_it(start: str) -> None:
    waiting = [module for module in FILES if module == start or module.startswith(f"{start}.")]
    seen: dict[str, str] = dict.fromkeys(waiting, start)
    while waiting:
        module = waiting.pop()
        for name in imported(module, at_import=True):
            assert name.partition(".")[0] != "torch", f"{module} loads torch, by way of {seen[module]}"
            # Importing a.b.c runs a/__init__ and a/b/__init__ first.
            parts = name.split(".")
            for end in range(1, len(parts) + 1):
                package = ".".join(parts[:end])
                if package in FILES and package not in seen:
                    seen[package] = module
                    waiting.append(package)


def test_files_can_be_seen_whole() -> None:
    for module, path in FILES.items():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines < 300, f"{module} has {lines} lines"

"""Finds, by name, which of the project's 19 classes each class of a teacher from elsewhere is.

Names are compared by their letters and digits alone ("Traffic_Light" is "traffic light"). A name may list
synonyms ("traffic light, traffic signal, stoplight" in ADE20K) or stand in a hierarchy
("object--traffic-light" in Mapillary Vistas, of which the last one or two parts count). Besides our own
names, a table knows those of the usual data sets, as far as Cityscapes' definitions leave no doubt: grass,
earth and sand are terrain there, a van is a car, a tram a train, a curb belongs to the sidewalk. Others stay
out (ADE20K's "signboard", mostly advertisements; "ground"; Mapillary's "guard rail"): say what they are with
an explicit mapping, which wins over the table.

A class of ours that the teacher does not know gets probability 0. The KL term then pulls the student away
from that class wherever it is true, and only the labels speak for it: prefer teachers that know all classes
that matter, or give the KL term less weight.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.suggest import did_you_mean

SYNONYMS: dict[str, tuple[str, ...]] = {
    "road": (
        "street",
        "lane marking general",
        "lane marking crosswalk",
        "marking general",
        "crosswalk zebra",
        "crosswalk plain",
        "service lane",
    ),
    "sidewalk": ("pavement", "footpath", "curb", "pedestrian area"),
    "building": ("edifice", "house", "skyscraper"),
    "wall": (),
    "fence": ("fencing",),
    "pole": ("utility pole", "street light", "street lamp"),
    "traffic light": ("traffic signal", "stoplight", "traffic light general upright"),
    "traffic sign": ("traffic sign front", "road sign", "stop sign"),
    "vegetation": ("tree", "plant", "palm", "bush", "hedge"),
    "terrain": ("grass", "earth", "field", "sand", "soil"),
    "sky": (),
    "person": ("pedestrian", "people", "individual"),
    "rider": ("bicyclist", "cyclist", "motorcyclist", "other rider"),
    "car": ("automobile", "motorcar", "van"),
    "truck": ("motortruck", "lorry"),
    "bus": ("autobus", "motorbus"),
    "train": ("on rails", "tram", "streetcar"),
    "motorcycle": ("motorbike", "minibike"),
    "bicycle": ("bike",),
}
"""Names of each of our classes in ADE20K, Mapillary Vistas, COCO, BDD and CamVid, by our own name."""

NAMES_SHOWN = 8
"""Largest number of dropped classes that a description names."""


@dataclass(frozen=True)
class ClassMapping:
    """The classes of a teacher, and which of our classes each of them is."""

    names: tuple[str, ...]
    """The teacher's classes, in the order of its channels."""
    targets: tuple[int | None, ...]
    """Our trainId for each of the teacher's classes; None: it is dropped."""

    @property
    def covered(self) -> tuple[int, ...]:
        """Our trainIds that the teacher knows, in ascending order."""
        return tuple(sorted({target for target in self.targets if target is not None}))

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of our classes that the teacher does not know."""
        return tuple(name for i, name in enumerate(CLASS_NAMES) if i not in self.covered)

    @property
    def dropped(self) -> tuple[str, ...]:
        """Names of the teacher's classes that are none of ours."""
        return tuple(n for n, target in zip(self.names, self.targets, strict=True) if target is None)

    def channels(self, ours: int) -> list[int]:
        """Return the channels of the teacher that together are our class ``ours`` (a trainId)."""
        return [channel for channel, target in enumerate(self.targets) if target == ours]

    def describe(self) -> str:
        """Describe in a few lines which classes were matched, renamed, missed and dropped."""
        lines = [
            f"classes: {len(self.covered)} of our {len(CLASS_NAMES)} from the teacher's {len(self.names)}"
        ]
        renamed = [
            f"{name} → {CLASS_NAMES[target]}"
            for name, target in zip(self.names, self.targets, strict=True)
            if target is not None and _key(name) != _key(CLASS_NAMES[target])
        ]
        if renamed:
            lines.append(f"taken as ours: {'; '.join(renamed)}")
        if self.missing:
            lines.append(f"unknown to the teacher (probability 0): {', '.join(self.missing)}")
        if self.dropped:
            more = len(self.dropped) - NAMES_SHOWN
            shown = "; ".join(self.dropped[:NAMES_SHOWN]) + (f"; and {more} more" if more > 0 else "")
            lines.append(f"dropped: {shown}")
        return "\n".join(lines)


def map_classes(
    names: Sequence[str], explicit: Mapping[str, str | None] | None = None, source: str = "teacher"
) -> ClassMapping:
    """Find our class for each class of a teacher.

    :param names: the teacher's classes, in the order of its channels.
    :param explicit: ``{teacher's name: our name}``, or None in place of our name to drop that class; wins
        over what the name says.
    :param source: names the teacher in messages.
    :raises UserError: for an unknown name in ``explicit``, or fewer than two of our classes covered.
    """
    targets = [_target(name) for name in names]
    for theirs, ours in (explicit or {}).items():
        target = None if ours is None else _our_class(ours)
        for channel in _channels_named(theirs, names, source):
            targets[channel] = target
    mapping = ClassMapping(tuple(names), tuple(targets))
    if len(mapping.covered) < 2:
        raise UserError(
            f"{source}: {len(mapping.covered)} of our classes found among the teacher's {len(names)} "
            f"({', '.join(names[:3])}, …); at least 2 are needed: say with teacher.classes which are ours"
        )
    return mapping


def _key(name: str) -> str:
    """Return what is compared of a name: its letters and digits in lower case."""
    return re.sub(r"[\W_]+", "", name.casefold())


def _keys(name: str) -> list[str]:
    """Return all keys by which a teacher's class may be known, the most specific first."""
    spellings = [name, *re.split("[,;]", name)]
    parts = name.split("--")  # Mapillary's hierarchy
    if len(parts) > 1:
        spellings += [" ".join(parts[-2:]), parts[-1]]
    spellings.append(re.sub("(-other)?-merged$", "", name))  # COCO's panoptic classes
    return [key for key in map(_key, spellings) if key]


def _train_ids_by_key() -> dict[str, int]:
    """Build the table from the keys of our names and their synonyms to our trainIds."""
    table = {}
    for target, name in enumerate(CLASS_NAMES):
        for spelling in (name, *SYNONYMS[name]):
            table[_key(spelling)] = target
    return table


_BY_KEY = _train_ids_by_key()


def _target(name: str) -> int | None:
    """Return our trainId for a teacher's class by its name, None if it is none of ours."""
    for key in _keys(name):
        if key in _BY_KEY:
            return _BY_KEY[key]
    return None


def _our_class(name: str) -> int:
    """Return our trainId for one of our own names; raises UserError for any other."""
    for target, known in enumerate(CLASS_NAMES):
        if _key(known) == _key(name):
            return target
    raise UserError(f"teacher.classes: {name!r} is none of our classes{did_you_mean(name, CLASS_NAMES)}")


def _channels_named(name: str, names: Sequence[str], source: str) -> list[int]:
    """Return the channels of the classes called ``name``: by whole names if any match, else by synonyms."""
    whole = [channel for channel, known in enumerate(names) if _key(known) == _key(name)]
    found = whole or [channel for channel, known in enumerate(names) if _key(name) in _keys(known)]
    if not found:
        raise UserError(f"teacher.classes: {name!r} is no class of {source}{did_you_mean(name, names, 3)}")
    return found

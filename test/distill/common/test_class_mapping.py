from __future__ import annotations

import pytest

from distill.common.class_mapping import SYNONYMS, _key, map_classes
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError

TWO = ("road", "sky")
"""Known names that make any mapping acceptable."""


def found(name: str) -> str | None:
    target = map_classes([*TWO, name]).targets[2]
    return None if target is None else CLASS_NAMES[target]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        # Spelling
        ("Traffic_Light", "traffic light"),
        ("traffic-sign", "traffic sign"),
        ("TrafficLight", "traffic light"),
        (" motorcycle ", "motorcycle"),
        # ADE20K, full and short names
        ("traffic light, traffic signal, stoplight", "traffic light"),
        ("bus, autobus, coach, charabanc, double-decker, jitney, motorbus, motorcoach", "bus"),
        ("person;individual;someone;somebody;mortal;soul", "person"),
        ("minibike, motorbike", "motorcycle"),
        ("car, auto, automobile, machine, motorcar", "car"),
        ("van", "car"),
        ("tree", "vegetation"),
        ("palm, palm tree", "vegetation"),
        ("grass", "terrain"),
        ("earth, ground", "terrain"),
        ("streetlight, street lamp", "pole"),
        ("signboard, sign", None),
        ("railing, rail", None),
        ("floor, flooring", None),
        # Mapillary Vistas, names and keys
        ("Bicyclist", "rider"),
        ("Other Rider", "rider"),
        ("Traffic Sign (Front)", "traffic sign"),
        ("Traffic Sign (Back)", None),
        ("Lane Marking - Crosswalk", "road"),
        ("Utility Pole", "pole"),
        ("On Rails", "train"),
        ("Bike Lane", None),
        ("Guard Rail", None),
        ("object--traffic-light", "traffic light"),
        ("object--traffic-sign--front", "traffic sign"),
        ("object--traffic-sign--back", None),
        ("object--support--utility-pole", "pole"),
        ("object--vehicle--car", "car"),
        ("void--car-mount", None),
        ("human--rider--motorcyclist", "rider"),
        ("human--person--individual", "person"),
        ("marking--general", "road"),
        ("construction--flat--curb-cut", None),
        # COCO
        ("building-other-merged", "building"),
        ("grass-merged", "terrain"),
        # No letters to compare
        ("???", None),
    ],
)
def test_names_of_the_usual_data_sets(theirs: str, ours: str | None) -> None:
    assert found(theirs) == ours


def test_our_own_names_map_to_themselves() -> None:
    mapping = map_classes(CLASS_NAMES)
    assert mapping.targets == tuple(range(19))
    assert mapping.missing == mapping.dropped == ()
    assert mapping.describe() == "classes: 19 of our 19 from the teacher's 19"


def test_no_spelling_stands_for_two_classes() -> None:
    keys = [_key(spelling) for name in CLASS_NAMES for spelling in (name, *SYNONYMS[name])]
    assert len(set(keys)) == len(keys)
    assert list(SYNONYMS) == list(CLASS_NAMES)


def test_covered_missing_dropped_and_channels() -> None:
    mapping = map_classes(["tree", "bed", "road", "plant", "lamp"])
    assert mapping.targets == (8, None, 0, 8, None)
    assert mapping.covered == (0, 8)
    assert mapping.missing == tuple(n for n in CLASS_NAMES if n not in ("road", "vegetation"))
    assert mapping.dropped == ("bed", "lamp")
    assert mapping.channels(8) == [0, 3]
    assert mapping.channels(1) == []
    text = mapping.describe()
    assert text.startswith("classes: 2 of our 19 from the teacher's 5\n")
    assert "tree → vegetation; plant → vegetation" in text
    assert "probability 0): sidewalk, building" in text
    assert text.endswith("dropped: bed; lamp")


def test_many_dropped_classes_are_counted() -> None:
    text = map_classes([*TWO, *(f"thing {i}" for i in range(20))]).describe()
    assert text.endswith("thing 7; and 12 more")


def test_the_explicit_mapping_wins() -> None:
    names = ["road", "sky", "signboard, sign", "tree", "grass"]
    explicit = {"Sign": "Traffic_Sign", "tree": "terrain", "grass": None}
    assert map_classes(names, explicit).targets == (0, 10, 7, 9, None)


def test_a_whole_name_goes_before_a_synonym() -> None:
    names = ["road", "sky", "wheel", "bicycle, wheel"]
    assert map_classes(names, {"wheel": "car"}).targets == (0, 10, 13, 18)


@pytest.mark.parametrize(
    ("explicit", "message"),
    [
        ({"sing": "traffic sign"}, r"'sing' is no class of here; did you mean 'sign'"),
        ({"sign": "traffic sing"}, r"'traffic sing' is none of our classes; did you mean 'traffic sign'"),
        ({"": "road"}, r"'' is no class of here"),
    ],
)
def test_unknown_names_in_it_are_refused(explicit: dict[str, str | None], message: str) -> None:
    with pytest.raises(UserError, match=message):
        map_classes(["road", "sky", "sign"], explicit, "here")


@pytest.mark.parametrize("names", [["road", "street", "bed"], ["bed", "lamp"]])
def test_fewer_than_two_of_our_classes_are_refused(names: list[str]) -> None:
    with pytest.raises(UserError, match=r"^here: [01] of our classes .*teacher\.classes") as error:
        map_classes(names, source="here")
    assert "\n" not in str(error.value)

from __future__ import annotations

import json
from typing import Any

import pytest
import tiny_model
from hypothesis import given
from hypothesis import strategies as st
from trust_entries import CORRECTION, DOMAIN

from kd_seg_ros.inference.card import CardError, ModelCard

TEMPERATURES = [1.5, 0.5] + [1.0] * 17
TABLE = {"confidence": [None, 0.7], "accuracy": [None, 0.8], "share": [0.0, 1]}
CARD = tiny_model.card(
    8,
    12,
    miou={"full": 0.5, "fog": 0.25},
    limitations="none",
    config={"a": [1, {"b": 2}]},
    calibration={"method": "class_temperature", "parameters": {"temperatures": TEMPERATURES}},
    reliability={"full": TABLE, "fog": TABLE},
    expected_accuracy={"full": [0.6, 0.75]},
)


def changed(**values: Any) -> str:
    return json.dumps(json.loads(CARD.to_json()) | values)


def test_survives_the_trip_through_json() -> None:
    again = ModelCard.from_json(CARD.to_json())
    assert again.class_names == CARD.class_names
    assert again.palette == CARD.palette
    assert again.to_json() == CARD.to_json()
    assert "\n" not in CARD.to_json()


def test_a_field_that_a_later_version_added_is_ignored() -> None:
    assert ModelCard.from_json(changed(colour="blue")).to_json() == CARD.to_json()


def test_how_far_to_trust_a_confidence_is_at_hand() -> None:
    again = ModelCard.from_json(CARD.to_json())
    assert again.reliability["fog"]["accuracy"] == [None, 0.8]
    assert again.calibration == {"method": "class_temperature", "parameters": {"temperatures": TEMPERATURES}}


def test_a_card_of_before_there_were_reliability_tables_loads() -> None:
    values = json.loads(CARD.to_json())
    del values["calibration"], values["reliability"], values["expected_accuracy"]
    del values["single_precision"], values["padding_multiple"]
    card = ModelCard.from_json(json.dumps(values))
    assert (card.calibration, card.reliability) == ({}, {})
    assert (card.single_precision, card.padding_multiple) == ((), 0)


def test_layers_in_single_precision_are_named() -> None:
    assert ModelCard.from_json(changed(single_precision=["a.b", "c"])).single_precision == ("a.b", "c")
    with pytest.raises(CardError, match="single_precision must be a list of names"):
        ModelCard.from_json(changed(single_precision=[1]))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"card"', "1"])
def test_no_json_object(text: str) -> None:
    with pytest.raises(CardError, match="JSON"):
        ModelCard.from_json(text)


def test_another_schema_version() -> None:
    with pytest.raises(CardError, match=r"schema version 2; this software reads version 1"):
        ModelCard.from_json(changed(schema=2))


def test_missing_fields_are_named() -> None:
    values = json.loads(CARD.to_json())
    del values["std"], values["palette"]
    with pytest.raises(CardError, match="lacks palette, std"):
        ModelCard.from_json(json.dumps(values))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 1),
        ("name", "two\nlines"),
        ("dataset", "\ud800"),
        ("height", 0),
        ("height", 10**9),
        ("height", 10**400),
        ("height", float("nan")),
        ("width", 65536),
        ("working_scale", 0),
        ("working_scale", 1e9),
        ("temperature", float("nan")),
        ("temperature", -1.0),
        ("temperature", 10**400),
        ("parameters", -1),
        ("mean", [0.5, 0.5, float("nan")]),
        ("mean", [123.7, 116.3, 103.5]),
        ("std", [0.2, 0.0, 0.2]),
        ("std", [58.4, 57.1, 57.4]),
        ("miou", {"full": 1.5}),
        ("ece_after", {"full": -0.1}),
        ("calibration", {"method": "temperature", "parameters": {"temperature": 0}}),
        ("calibration", {"method": "class_temperature", "parameters": {"temperatures": [1.0] * 18}}),
        ("calibration", {"method": "class_temperature", "parameters": {"temperatures": [1.0] * 18 + [-1]}}),
        ("calibration", {"method": "vector", "parameters": {"weights": [1.0] * 20}}),
        ("calibration", {"method": "vector", "parameters": {"weights": "many"}}),
        ("height", 8.5),
        ("width", "12"),
        ("working_scale", -0.5),
        ("temperature", 0),
        ("temperature", True),
        ("temperature", float("inf")),
        ("parameters", "many"),
        ("config", []),
        ("miou", {"full": "good"}),
        ("ece_after", [0.1]),
        ("calibration", "temperature"),
        ("calibration", {"method": "temperature"}),
        ("calibration", {"method": 1, "parameters": {}}),
        ("calibration", {"method": "temperature", "parameters": [1.0]}),
        ("expected_accuracy", [0.5, 0.6]),
        ("expected_accuracy", {"full": [0.5]}),
        ("expected_accuracy", {"full": [0.7, 0.6]}),
        ("expected_accuracy", {"full": [0.7, 1.1]}),
        ("expected_accuracy", {"full": [0.7, None]}),
        ("accuracy_correction", CORRECTION),  # of a file without a distance
        ("reliability", [TABLE]),
        ("reliability", {"full": 0.5}),
        ("reliability", {"full": {"confidence": [0.5], "accuracy": [0.5]}}),
        ("reliability", {"full": TABLE | {"share": [1.0]}}),
        ("reliability", {"full": TABLE, "fog": TABLE | {"accuracy": [None, 1.01]}}),
        ("reliability", {"full": TABLE | {"accuracy": [-0.1, 0.5]}}),
        ("reliability", {"full": TABLE | {"accuracy": [True, 0.5]}}),
        ("reliability", {"full": TABLE | {"confidence": ["0.5", 0.5]}}),
        ("class_names", []),
        ("class_names", "road"),
        ("class_names", ["road"]),
        ("class_names", ["road", ""]),
        ("class_names", ["road", " "]),
        ("class_names", ["road", "c\0r"]),
        ("class_names", list(range(19))),
        ("palette", [[0, 0, 256]] * 19),
        ("palette", [[0, 0, 0]]),
        ("ignore_id", 18),
        ("ignore_id", 256),
        ("mean", [0.5]),
        ("std", [1, 1, 1, 1]),
    ],
)
def test_impossible_values_name_their_field(field: str, value: Any) -> None:
    with pytest.raises(CardError, match=f"{field}|colours"):
        ModelCard.from_json(changed(**{field: value}))


@pytest.mark.parametrize(
    "changes",
    [
        {"distances": [4.0, 1.0]},
        {"distances": [0.0, 4.0]},
        {"distances": [1.0, 1.0]},
        {"distances": [], "factors": []},
        {"factors": [0.5, 1.0]},
        {"factors": [1.0, -0.5]},
        {"factors": [1.0]},
        {"factors": [1.0, float("nan")]},
        {"factors": 1.0},
        {"largest_distance": 0},
        {"largest_distance": None},
        {"range": [0.9, 0.6]},
        {"error": 1.5},
        {"images": 2.5},
        {"source": None},
    ],
)
def test_an_impossible_correction_of_the_accuracy_is_refused(changes: dict[str, Any]) -> None:
    good = {"domain": DOMAIN, "accuracy_correction": CORRECTION}
    assert ModelCard.from_json(changed(**good)).accuracy_correction == CORRECTION
    bad = good | {"accuracy_correction": CORRECTION | changes}
    with pytest.raises(CardError, match="accuracy_correction must be distances, factors"):
        ModelCard.from_json(changed(**bad))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(field=st.sampled_from(sorted(json.loads(CARD.to_json()))), value=JSON_VALUES)
def test_any_value_in_any_field_is_taken_or_refused_cleanly(field: str, value: Any) -> None:
    try:
        card = ModelCard.from_json(changed(**{field: value}))
    except CardError as error:
        message = str(error)
        assert "\n" not in message
    else:
        assert len(card.class_names) == len(card.palette) <= card.ignore_id
        assert card.height > 0 < card.width


@pytest.mark.parametrize("names", [["road", "car", "road"], ["traffic light", "traffic_light"], ["a", "a "]])
def test_two_classes_that_ros_parameters_cannot_tell_apart(names: list[str]) -> None:
    with pytest.raises(CardError, match=f"names two classes '{names[0]}' and '{names[-1]}'"):
        ModelCard.from_json(changed(class_names=names, palette=[[0, 0, 0]] * len(names)))


def test_an_image_of_more_pixels_than_any_camera_has() -> None:
    with pytest.raises(CardError, match="at most 268435456 pixels"):
        ModelCard.from_json(changed(height=65535, width=65535))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"schema": ' + "1" * 5000 + "}"])
def test_json_made_to_exhaust_its_reader(text: str) -> None:
    with pytest.raises(CardError, match="the model card is not JSON") as error:
        ModelCard.from_json(text)
    assert "\n" not in str(error.value)

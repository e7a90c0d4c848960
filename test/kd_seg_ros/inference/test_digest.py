from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

import pytest
import tiny_model
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_seg_ros.common.share import share_path
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.digest import METHOD, UNKNOWN, check_digest, seal, to_be_sealed
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.errors import EngineError
from kd_seg_ros.inference.onnx_file import read_onnx_file
from kd_seg_ros.inference.opening import read_card


def sealed() -> bytes:
    card = to_be_sealed(tiny_model.card(40, 64))
    return seal(tiny_model.build(40, 64, card.to_json()).SerializeToString())


def test_the_digest_is_of_the_file_with_zeros_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(sealed())
    card = Engine(path, "cpu").card
    zeroed = path.read_bytes().replace(card.digest.encode(), UNKNOWN.encode())
    assert card.digest == hashlib.sha256(zeroed).hexdigest()
    assert card.digest_method == METHOD


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_no_single_bit_can_change_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(sealed())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path_factory.mktemp("flip") / "a.onnx"
    path.write_bytes(content)
    with pytest.raises(EngineError):
        Engine(path, "cpu")


@pytest.mark.parametrize("key", ["digest", "digest_method", "kd_seg_ros.card"])
def test_damage_to_a_name_does_not_switch_the_check_off(tmp_path: Path, key: str) -> None:
    content = sealed()
    place = content.index(f'"{key}"'.encode() if key[0] == "d" else key.encode())
    path = tmp_path / "a.onnx"
    for offset in range(1, len(key)):
        flipped = bytearray(content)
        flipped[place + offset] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(EngineError):
            Engine(path, "cpu")


def test_the_shipped_student_has_a_digest(tmp_path: Path) -> None:
    file = read_onnx_file(share_path("resource/demo_student.onnx"))
    card = read_card(file)
    assert card is not None
    assert card.digest_method == METHOD
    path = tmp_path / "flipped.onnx"
    for place in range(1000, len(file.content), len(file.content) // 7):
        content = bytearray(file.content)
        content[place] ^= 8
        path.write_bytes(content)
        with pytest.raises(EngineError):
            Engine(path, "cpu")


def test_a_file_from_before_digests_opens_with_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tiny_model.write_tiny_model(tmp_path / "old.onnx", 40, 64)
    text = json.dumps(
        {k: v for k, v in json.loads(tiny_model.card(40, 64).to_json()).items() if "digest" not in k}
    )
    path.write_bytes(tiny_model.build(40, 64, text).SerializeToString())
    with caplog.at_level(logging.INFO):
        assert Engine(path, "cpu").card.digest == ""
    assert "from before model files carried a digest" in caplog.text


def test_a_digest_of_another_kind_is_not_taken_for_right(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(sealed())
    file = read_onnx_file(path)
    card = read_card(file)
    assert card is not None
    others: list[dict[str, object]] = [
        {"digest_method": "MD5"},
        {"digest_method": ""},
        {"digest": ""},
        {"digest": UNKNOWN},
    ]
    for changed in others:
        with pytest.raises(EngineError, match="the file is damaged"):
            check_digest(file, ModelCard(**(vars(card) | changed)))


def test_only_one_place_can_be_sealed() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        seal(b"no card")
    with pytest.raises(ValueError, match="exactly one"):
        seal(2 * f'"digest": "{UNKNOWN}"'.encode())

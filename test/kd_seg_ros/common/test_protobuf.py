from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import StringStringEntryProto, TensorProto

from kd_seg_ros.common.protobuf import DamagedMessageError, Field, read_fields, read_numbers

WHOLE = st.integers(-(2**63), 2**63 - 1)


@settings(deadline=None, max_examples=50)
@given(st.lists(WHOLE, max_size=5), st.text(max_size=200), st.binary(max_size=300))
def test_what_the_library_writes(dims: list[int], name: str, raw: bytes) -> None:
    data = TensorProto(dims=dims, name=name, raw_data=raw, data_type=1).SerializeToString()
    found_dims: list[int] = []
    found: dict[int, Field] = {}
    for field in read_fields(data, 0, len(data)):
        found[field.number] = field
        if field.number == 1:
            found_dims += read_numbers(data, field)
    assert found_dims == dims
    assert found[2].value == 1
    assert data[found[8].start : found[8].end].decode() == name
    assert data[found[9].start : found[9].end] == raw


def test_packed_numbers() -> None:
    packed = b"\x0a\x03\x01\xac\x02"
    (field,) = read_fields(packed, 0, len(packed))
    assert read_numbers(packed, field) == [1, 300]


@pytest.mark.parametrize("cut", range(1, 10))
def test_a_message_that_is_cut_short(cut: int) -> None:
    data = StringStringEntryProto(key="abc", value="d" * 200).SerializeToString()
    list(read_fields(data, 0, len(data)))
    with pytest.raises(DamagedMessageError):
        list(read_fields(data, 0, len(data) - cut))


@pytest.mark.parametrize("data", [b"\x0b", b"\x00\x01", b"\x08" + b"\xff" * 10, b"\x0a\xff\xff\xff\xff\x0f"])
def test_bytes_that_are_no_message(data: bytes) -> None:
    """A group, field 0, a number without end, and a length beyond the end."""
    with pytest.raises(DamagedMessageError):
        list(read_fields(data, 0, len(data)))

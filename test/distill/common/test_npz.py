"""Archives of arrays: what is good is read, what is damaged or claims too much is refused with the reason."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.common.npz import NpzError, read_npz


def archive(path: Path, **members: bytes) -> Path:
    """Write a zip of raw members, compressed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def claiming(shape: tuple[int, ...], content: bytes) -> bytes:
    """Return an array's header for a shape, with other content after it."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "<i8", "fortran_order": False, "shape": shape})
    return out.getvalue() + content


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_writes_is_read(tmp_path: Path, save: object) -> None:
    given_arrays = {"a": np.arange(6).reshape(2, 3), "text": np.array(["ü", "b"]), "scalar": np.float64(2)}
    save(tmp_path / "a.npz", **given_arrays)  # type: ignore[operator]
    for name, array in read_npz(tmp_path / "a.npz").items():
        np.testing.assert_array_equal(array, given_arrays[name])


def test_a_claim_is_compared_with_what_the_file_holds(tmp_path: Path) -> None:
    path = archive(tmp_path / "claim.npz", a=claiming((2**31,), b"\0" * 64))
    with pytest.raises(NpzError, match=r"a\.npy claims 17179869184 bytes and holds 64"):
        read_npz(path)


def test_more_than_the_limit_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "zeros.npz", a=claiming((1000,), b"\0" * 8000), b=claiming((1000,), b"\0" * 8000)
    )
    assert read_npz(path)["b"].shape == (1000,)
    with pytest.raises(NpzError, match="its arrays claim 16000 bytes; at most 9000 are read"):
        read_npz(path, largest=9000)


def test_python_objects_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", a=np.array([{"a": 1}], object))
    with pytest.raises(NpzError, match="holds Python objects"):
        read_npz(tmp_path / "objects.npz")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(NpzError, match="a pipe or a device, not a file"):
        read_npz(tmp_path / "pipe.npz")


def test_a_missing_file_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path / "missing.npz")


_GOOD = io.BytesIO()
np.savez_compressed(_GOOD, a=np.arange(50), b=np.linspace(0, 1, 9))


@given(st.integers(0, 8 * len(_GOOD.getvalue()) - 1))
def test_a_flipped_bit_is_found_or_without_effect(tmp_path_factory: pytest.TempPathFactory, bit: int) -> None:
    content = bytearray(_GOOD.getvalue())
    content[bit // 8] ^= 1 << bit % 8
    path = tmp_path_factory.mktemp("flip") / "a.npz"
    path.write_bytes(content)
    try:
        found = read_npz(path)
    except NpzError:
        return
    for name, expected in {"a": np.arange(50), "b": np.linspace(0, 1, 9)}.items():
        if name in found:  # a flip in a name leaves the array under another one
            np.testing.assert_array_equal(found[name], expected)

from __future__ import annotations

import pytest

from kd_seg_ros.playback.keyboard import Key, Keyboard, parse_keys


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        (b" ", [Key.PAUSE]),
        (b"ss", [Key.NEXT, Key.NEXT]),
        (b"\x1b[C\x1bOC", [Key.NEXT, Key.NEXT]),  # right arrow in both modes of the terminal
        (b"\x1b[A\x1b[B", [Key.FASTER, Key.SLOWER]),
        (b"\x1b[Dx\x1b[3~q", []),  # left arrow, x, delete, q
        (b"\x1b ", [Key.PAUSE]),  # escape alone, then space
    ],
)
def test_keys(typed: bytes, keys: list[Key]) -> None:
    assert parse_keys(typed) == (keys, b"")


def test_a_key_may_come_in_two_pieces() -> None:
    keys, rest = parse_keys(b"s\x1b[")
    assert (keys, rest) == ([Key.NEXT], b"\x1b[")
    assert parse_keys(rest + b"C") == ([Key.NEXT], b"")


def test_without_a_terminal_there_are_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with Keyboard() as keyboard:
        assert not keyboard.active
        assert keyboard.wait(0.0) is None

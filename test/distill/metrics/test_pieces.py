from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from distill.metrics import pieces
from distill.metrics.accumulator import Accumulator
from distill.metrics.pieces import in_pieces


@pytest.fixture
def seven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIXELS_AT_ONCE", 7)


@pytest.mark.usefixtures("seven")
def test_every_pixel_is_in_one_piece_in_order() -> None:
    parts = in_pieces(lambda part: list(range(30))[part], 30, torch.device("cpu"))
    assert [len(part) for part in parts] == [7, 7, 7, 7, 2]
    assert sum(parts, []) == list(range(30))  # noqa: RUF017
    assert in_pieces(lambda part: part, 0, torch.device("cpu")) == []


@pytest.mark.usefixtures("seven")
def test_pieces_make_no_difference_to_the_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    p = (2 * torch.randn(5, 20, 30)).softmax(0)
    labels = torch.randint(5, (20, 30))
    small, whole = Accumulator(5), Accumulator(5)
    small.update(p, labels)
    monkeypatch.setattr(pieces, "PIXELS_AT_ONCE", 600)
    whole.update(p, labels)
    for name, array in whole.state().items():
        np.testing.assert_allclose(small.state()[name], array, rtol=1e-12, err_msg=name)


@pytest.mark.usefixtures("seven")
def test_each_piece_is_done_by_one_thread_and_the_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        barrier = threading.Barrier(3, timeout=120)  # three at a time, or it breaks
        seen = in_pieces(lambda _: (barrier.wait(), torch.get_num_threads())[1], 21, torch.device("cpu"))
        assert seen == [1, 1, 1]
        assert torch.get_num_threads() == 3
        with pytest.raises(ZeroDivisionError):
            in_pieces(lambda _: 1 // 0, 21, torch.device("cpu"))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_a_gpu_gets_all_pixels_at_once() -> None:
    assert in_pieces(lambda part: part, 10**7, torch.device("meta")) == [slice(0, 10**7)]

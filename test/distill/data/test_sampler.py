"""The epoch sampler: every frame once, an order of (seed, epoch) alone."""

import pytest

from distill.data.sampler import EpochSampler


def order(length: int = 50, seed: int = 0, epoch: int = 0) -> list[int]:
    sampler = EpochSampler(length, seed)
    sampler.set_epoch(epoch)
    pairs = list(sampler)
    assert {e for e, _ in pairs} <= {epoch}
    return [index for _, index in pairs]


@pytest.mark.parametrize("length", [0, 1, 50])
def test_every_index_once(length: int) -> None:
    assert sorted(order(length)) == list(range(length))
    assert len(EpochSampler(length)) == length


def test_order_depends_on_seed_and_epoch_alone() -> None:
    assert order(seed=3, epoch=7) == order(seed=3, epoch=7)
    assert order(seed=3, epoch=7) != order(seed=3, epoch=8)
    assert order(seed=3, epoch=7) != order(seed=4, epoch=7)


def test_an_iteration_keeps_its_epoch_whatever_comes_later() -> None:
    sampler = EpochSampler(3, shuffle=False)
    iterator = iter(sampler)
    sampler.set_epoch(1)
    assert list(iterator) == [(0, 0), (0, 1), (0, 2)]
    assert list(sampler) == [(1, 0), (1, 1), (1, 2)]

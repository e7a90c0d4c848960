"""The epoch sampler: every frame once, an order of (seed, epoch) alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.mark.parametrize(("rank", "world_size"), [(-1, 2), (2, 2), (0, 0)])
def test_a_rank_that_does_not_exist_is_refused(rank: int, world_size: int) -> None:
    with pytest.raises(ValueError, match="rank must be"):
        EpochSampler(5, rank=rank, world_size=world_size)


@given(
    length=st.integers(0, 60),
    world_size=st.integers(1, 5),
    per_rank=st.integers(1, 4),
    shuffle=st.booleans(),
    epoch=st.integers(0, 3),
)
def test_processes_together_see_the_batches_of_one(
    length: int, world_size: int, per_rank: int, shuffle: bool, epoch: int
) -> None:
    def batches(rank: int, ranks: int, size: int) -> list[list[tuple[int, int]]]:
        sampler = EpochSampler(length, 3, shuffle, rank, ranks)
        sampler.set_epoch(epoch)
        draws = list(sampler)
        assert len(draws) == len(sampler)
        return [draws[start : start + size] for start in range(0, len(draws) - size + 1, size)]

    alone = batches(0, 1, per_rank * world_size)
    shares = [batches(rank, world_size, per_rank) for rank in range(world_size)]
    assert {len(share) for share in shares} == {len(alone)}
    for whole, *parts in zip(alone, *shares, strict=True):
        assert sorted(whole) == sorted(draw for part in parts for draw in part)

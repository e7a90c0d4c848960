"""Mixtures: shares, passes, statistics, and an order of (seed, epoch) alone that processes share."""

import itertools
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from acdc_tree import write_acdc
from data_trees import write_cityscapes
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from distill.data.dataset import SegmentationDataset, init_worker
from distill.data.mixture import MixtureSampler, Part, mixed_frames, share_out
from distill.data.transforms import TrainTransform
from distill.datasets.acdc import ACDC_MEAN, ACDC_STD, list_acdc
from distill.datasets.cityscapes import CITYSCAPES_MEAN, CITYSCAPES_STD, list_cityscapes
from distill.datasets.frame import Frame
from kd_seg_ros.common.errors import UserError

LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=4)


def draws(sampler: MixtureSampler, epoch: int) -> list[tuple[int, int]]:
    sampler.set_epoch(epoch)
    return list(sampler)


@given(total=st.integers(1, 500), weights=st.lists(st.integers(1, 50), min_size=1, max_size=6))
def test_every_share_is_its_weight_to_less_than_a_draw(total: int, weights: list[int]) -> None:
    exact = [Fraction(total * weight, sum(weights)) for weight in weights]
    assume(all(share >= 1 for share in exact))
    counts = share_out(total, weights)
    assert sum(counts) == total
    assert all(abs(count - share) < 1 for count, share in zip(counts, exact, strict=True))


def test_weights_that_cannot_be() -> None:
    for weights in ([1, 0], [1, -1], [1, float("nan")], [1, float("inf")]):
        with pytest.raises(UserError, match="must be positive numbers"):
            share_out(10, weights)
    with pytest.raises(UserError, match=r"weight 0\.001 of a mixture gives no draw among 10"):
        share_out(10, [1, 0.001])
    with pytest.raises(ValueError, match="no weights"):
        MixtureSampler([3, 0], [1, 1])
    with pytest.raises(ValueError, match="no weights"):
        MixtureSampler([3, 3], [1])


@given(lengths=LENGTHS, data=st.data(), seed=st.integers(0, 9), epoch=st.integers(0, 5))
def test_an_epoch_holds_every_sets_share(
    lengths: list[int], data: st.DataObject, seed: int, epoch: int
) -> None:
    weights = data.draw(st.lists(st.integers(1, 5), min_size=len(lengths), max_size=len(lengths)))
    sampler = MixtureSampler(lengths, weights, 60, seed)
    drawn = draws(sampler, epoch)
    bounds = np.cumsum(lengths)
    found = Counter(int(np.searchsorted(bounds, index, side="right")) for _, index in drawn)
    assert [found[part] for part in range(len(lengths))] == share_out(60, weights)
    assert len(set(drawn)) == len(drawn)  # no frame twice with the same augmentation
    # From (seed, epoch) alone: another sampler without the epochs before gives the same.
    assert draws(MixtureSampler(lengths, weights, 60, seed), epoch) == drawn


@given(lengths=LENGTHS, total=st.integers(4, 40), seed=st.integers(0, 3))
def test_every_set_is_drawn_in_whole_passes(lengths: list[int], total: int, seed: int) -> None:
    sampler = MixtureSampler(lengths, [1] * len(lengths), total, seed)
    drawn = [draw for epoch in range(5) for draw in draws(sampler, epoch)]
    assert len(set(drawn)) == len(drawn)
    start = 0
    for length, count in zip(lengths, sampler.counts, strict=True):
        passes = Counter(number for number, index in drawn if start <= index < start + length)
        whole, rest = divmod(5 * count, length)
        assert passes == Counter(dict.fromkeys(range(whole), length) | ({whole: rest} if rest else {}))
        start += length


def test_order_differs_by_epoch_and_seed_and_mixes_the_sets() -> None:
    orders, turns = [], []
    for seed, epoch in ((0, 0), (0, 1), (1, 0)):
        order = [index for _, index in draws(MixtureSampler([30, 30], [1, 1], seed=seed), epoch)]
        orders.append(order)
        turns.append([index < 30 for index in order])
    assert orders[0] != orders[1]
    assert orders[0] != orders[2]
    assert 5 < sum(turns[0][:30]) < 25
    assert turns[0] != turns[1]
    assert turns[0] != turns[2]
    assert len(MixtureSampler([30, 30], [1, 1])) == 60


@given(
    lengths=LENGTHS,
    total=st.integers(4, 50),
    world_size=st.integers(1, 4),
    per_rank=st.integers(1, 3),
    epoch=st.integers(0, 3),
)
def test_processes_together_see_the_batches_of_one(
    lengths: list[int], total: int, world_size: int, per_rank: int, epoch: int
) -> None:
    def batches(rank: int, ranks: int, size: int) -> list[list[tuple[int, int]]]:
        weights = range(1, len(lengths) + 1)
        sampler = MixtureSampler(lengths, list(weights), max(total, 10), 5, rank, ranks)
        drawn = draws(sampler, epoch)
        return [drawn[start : start + size] for start in range(0, len(drawn) - size + 1, size)]

    alone = batches(0, 1, per_rank * world_size)
    shares = [batches(rank, world_size, per_rank) for rank in range(world_size)]
    assert {len(share) for share in shares} == {len(alone)}
    for whole, *parts in zip(alone, *shares, strict=True):
        assert sorted(whole) == sorted(itertools.chain(*parts))


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Part]:
    acdc = write_acdc(tmp_path_factory.mktemp("acdc"), frames=1)
    cityscapes = write_cityscapes(tmp_path_factory.mktemp("cityscapes"), frames=1)
    adverse, clear = list_acdc(acdc, "train"), list_cityscapes(cityscapes, "train")
    return [
        Part("ACDC", adverse.complete(), 3.0, ACDC_MEAN, ACDC_STD),
        Part("Cityscapes", clear.complete(), 1.0, CITYSCAPES_MEAN, CITYSCAPES_STD),
    ]


def test_each_sample_is_normalised_by_its_own_set(parts: list[Part]) -> None:
    plain = TrainTransform(
        (12, 20), working_scale=1.0, scale=(1.0, 1.0), jitter=0.0, mean=(0, 0, 0), std=(1, 1, 1)
    )
    dataset = SegmentationDataset(mixed_frames(parts), plain)
    raw = SegmentationDataset(mixed_frames(parts))
    assert len(dataset) == 6
    for index, part in ((1, parts[0]), (5, parts[1])):
        assert part.mean is not None
        assert part.std is not None
        image = dataset[index]["image"].numpy().astype(float)
        values = (raw[index].image / 255 - part.mean) / part.std
        # Up to the flip, and padding in the set's mean colour: the sum over all pixels.
        padding = (1 / 255) * 20 * 2 / min(part.std)
        np.testing.assert_allclose(image.sum((1, 2)), values.sum((0, 1)), atol=padding)
        assert dataset[index]["labels"].max() == 255


def test_workers_change_nothing(parts: list[Part]) -> None:
    frames = mixed_frames(parts)

    def batches(workers: int) -> list[dict[str, Any]]:
        dataset = SegmentationDataset(frames, TrainTransform((16, 16)), seed=2)
        sampler = MixtureSampler([len(part.frames) for part in parts], [3, 1], 8, seed=2)
        sampler.set_epoch(1)
        options: dict[str, Any] = {"worker_init_fn": init_worker} if workers else {}
        return list(DataLoader(dataset, 4, sampler=sampler, num_workers=workers, **options))

    for a, b in zip(batches(0), batches(2), strict=True):
        assert a["path"] == b["path"]
        assert torch.equal(a["image"], b["image"])


def test_sets_that_do_not_fit_are_refused(parts: list[Part]) -> None:
    with pytest.raises(UserError, match="data set none of the mixture has no images"):
        mixed_frames([*parts, Part("none", [])])
    other = Part("CamVid", [replace(parts[0].frames[0], num_classes=11)])
    with pytest.raises(UserError, match="same number of classes, not Cityscapes 19, CamVid 11"):
        mixed_frames([*parts, other])
    unlabelled = Part("more", [Frame(Path("x.png"), None, "normal", num_classes=11)])
    assert len(mixed_frames([*parts, unlabelled])) == 7

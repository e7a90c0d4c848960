"""What is remembered, against lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.losses.embedding_memory import ClassRing, EmbeddingMemory

CLASSES, WIDTH = 2, 3


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(1, 7),
    batches=st.lists(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=10), max_size=5),
)
def test_a_ring_keeps_the_newest_of_each_class(size: int, batches: list[list[tuple[bool, bool]]]) -> None:
    ring = ClassRing(CLASSES, size, 1)
    expected: list[list[float]] = [[], []]
    number = 0.0
    for batch in batches:
        vectors = torch.zeros(CLASSES, len(batch), 1)
        for place, there in enumerate(batch):
            for c in range(CLASSES):
                number += 1
                vectors[c, place] = number
                if there[c]:
                    expected[c].append(number)
        ring.add(vectors, torch.tensor(batch).T)
    held, is_held = ring.spread(size, torch.tensor(0))
    for c in range(CLASSES):
        own = held.view(CLASSES, size)[c][is_held.view(CLASSES, size)[c]]
        assert sorted(own.tolist()) == expected[c][-size:]


def test_a_spread_is_even_and_moves_on() -> None:
    ring = ClassRing(1, 10, 1)
    ring.add(torch.arange(10.0)[None, :, None], torch.ones(1, 10, dtype=torch.bool))
    drawn = [ring.spread(5, torch.tensor(shift))[0].flatten().tolist() for shift in (0, 1, 9)]
    assert drawn == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9], [9, 1, 3, 5, 7]]


def test_pixels_are_spread_over_a_class_and_regions_are_its_mean_direction() -> None:
    features = torch.randn(1, WIDTH, 1, 9, dtype=torch.float64)
    labels = torch.tensor([[[0, 1, 0, 0, 255, 0, 0, 0, 0]]])
    memory = EmbeddingMemory(CLASSES, WIDTH, pixels=9, regions=2, pixels_per_image=3)
    memory.remember(features, labels)
    unit = (features / features.norm(dim=1, keepdim=True))[0, :, 0].T
    own = unit[labels[0, 0] == 0]
    pixels, there = memory.pixels.spread(9, torch.tensor(0))
    torch.testing.assert_close(pixels[there], torch.cat([own[[0, 2, 4]], unit[[1]]]))  # of 7: 0, 7/3, 14/3
    regions, there = memory.regions.spread(1, torch.tensor(0))
    assert there.all()
    torch.testing.assert_close(regions[0], own.mean(0) / own.mean(0).norm())
    torch.testing.assert_close(regions[1], unit[1])


def test_contrasts_are_shared_between_the_classes() -> None:
    memory = EmbeddingMemory(CLASSES, WIDTH, pixels=50, regions=50, pixel_contrasts=20, region_contrasts=7)
    assert [len(vectors) for vectors, _ in memory.contrasts()] == [2 * 11, 2 * 4]
    assert not any(there.any() for _, there in memory.contrasts())  # nothing is remembered yet


def test_a_restored_memory_goes_on_alike() -> None:
    torch.manual_seed(0)
    batches = [(torch.randn(2, WIDTH, 2, 3), torch.randint(0, CLASSES, (2, 4, 6))) for _ in range(4)]
    whole = small_memory()
    resumed = small_memory()
    for features, labels in batches[:2]:
        whole.remember(features, labels)
    resumed.load_state_dict(whole.state_dict())
    for features, labels in batches[2:]:
        whole.remember(features, labels)
        resumed.remember(features, labels)
    for (a, a_there), (b, b_there) in zip(whole.contrasts(), resumed.contrasts(), strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a_there, b_there)


def small_memory(**sizes: Any) -> EmbeddingMemory:
    return EmbeddingMemory(CLASSES, WIDTH, **{"pixels": 5, "regions": 3, **sizes})


@pytest.mark.parametrize("sizes", [{"pixels": 6}, {"regions": 2}])
def test_a_memory_of_other_sizes_is_not_restored(sizes: dict[str, int]) -> None:
    name = next(iter(sizes))
    with pytest.raises(ValueError, match=rf"{name} is \(2, .*, 3\) there, not \(2, "):
        small_memory().load_state_dict(small_memory(**sizes).state_dict())
    with pytest.raises(ValueError, match="steps is None there"):
        small_memory().load_state_dict({})


def test_half_precision_is_remembered_in_full() -> None:
    memory = small_memory()
    memory.remember(torch.full((1, WIDTH, 2, 2), 60000, dtype=torch.float16), torch.zeros(1, 2, 2).long())
    assert memory.pixels.vectors.dtype == torch.float32
    assert np.allclose(memory.pixels.vectors[0, 0], WIDTH**-0.5)
    assert memory.megabytes == pytest.approx((2 * (5 + 3) * 3 * 4 + 4 * 2 * 8 + 8) / 1e6)

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distill.metrics.cells import coarsen, equal_edges, union
from distill.metrics.sweep import cell_of


def test_edges_are_those_of_torch() -> None:
    np.testing.assert_array_equal(equal_edges(15), torch.linspace(0, 1, 16).numpy())
    with pytest.raises(ValueError, match="at least 1"):
        equal_edges(0)


@given(bins=st.lists(st.integers(1, 30), min_size=1, max_size=4), seed=st.integers(0, 1000))
def test_coarsened_cells_equal_counting_with_the_coarse_edges(bins: list[int], seed: int) -> None:
    edges = union([equal_edges(n) for n in bins])
    generator = torch.Generator().manual_seed(seed)
    p = torch.cat([torch.rand(50, generator=generator), torch.from_numpy(edges)])  # edges themselves too
    table = cell_of(p, torch.from_numpy(edges)).bincount(minlength=len(edges)).numpy()
    for n in bins:
        coarse = coarsen(table, edges, equal_edges(n))
        bounds = [*equal_edges(n), np.inf]
        expected = [((p.numpy() >= a) & (p.numpy() < b)).sum() for a, b in pairwise(bounds)]
        np.testing.assert_array_equal(coarse, expected)


def test_bins_that_were_not_counted_are_refused() -> None:
    edges = equal_edges(15)
    with pytest.raises(ValueError, match="7 bins were not asked for"):
        coarsen(np.zeros(len(edges)), edges, equal_edges(7))


def test_a_probability_above_one_by_rounding_is_in_the_last_cell() -> None:
    assert cell_of(torch.tensor([1.0, 1.0000001]), torch.tensor([0, 0.5, 1])).tolist() == [2, 2]


@pytest.mark.parametrize("bins", [1, 2, 3, 7, 9, 10, 13, 14, 15, 19, 20, 100, 1000])
def test_edges_are_torchs_to_the_bit(bins: int) -> None:
    assert equal_edges(bins).tolist() == torch.linspace(0, 1, bins + 1).tolist()

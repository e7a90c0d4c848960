"""Resampling against linear functions of the image's pixels, which bilinear reading reproduces exactly."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from distill.config.objective import AdapterConfig
from distill.training.adapters import Adapter, resample
from distill.training.feature_maps import FeatureMap, FeatureShape


def ramp(height: int, width: int, stride: int, padding: tuple[int, int, int, int]) -> FeatureMap:
    """A map whose value in a cell is that of 3·x − 2·y + 1 at its centre, x and y in pixels of the image."""
    left, right, top, bottom = padding
    y = (torch.arange((height + top + bottom) // stride) + 0.5) * stride - top
    x = (torch.arange((width + left + right) // stride) + 0.5) * stride - left
    values = 3 * x[None, :] - 2 * y[:, None] + 1
    return FeatureMap(values.double().expand(2, 4, -1, -1), padding, (height, width))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (ramp(96, 160, 8, (0, 0, 0, 0)), ramp(96, 160, 8, (48, 48, 16, 16))),
        (ramp(96, 160, 8, (48, 48, 16, 16)), ramp(96, 160, 8, (0, 0, 0, 0))),
        (ramp(97, 131, 4, (14, 15, 15, 16)), ramp(97, 131, 16, (62, 63, 15, 16))),
        (ramp(97, 131, 16, (62, 63, 15, 16)), ramp(97, 131, 4, (14, 15, 15, 16))),
        (ramp(64, 96, 4, (0, 0, 0, 0)), ramp(64, 96, 8, (0, 0, 0, 0))),
    ],
)
def test_values_are_those_of_the_same_places_of_the_image(source: FeatureMap, target: FeatureMap) -> None:
    got = resample(source, target)
    assert got.shape == target.values.shape
    # Beyond the outermost centres of the source its values stay.
    lowest, highest = source.values.amin((2, 3)), source.values.amax((2, 3))
    inside = (target.values >= lowest[..., None, None]) & (target.values <= highest[..., None, None])
    reach = [_between(source, axis, target) for axis in (0, 1)]
    inside &= (reach[0][:, None] & reach[1][None, :]).expand_as(inside)
    assert inside.double().mean() > 0.25
    torch.testing.assert_close(got[inside], target.values[inside])


def _between(source: FeatureMap, axis: int, target: FeatureMap) -> torch.Tensor:
    """Which of the target's centres lie between the outermost centres of the source."""

    def centres(where: FeatureMap) -> torch.Tensor:
        before, after = where.padding[2:] if axis == 0 else where.padding[:2]
        cells = where.values.shape[2 + axis]
        return (torch.arange(cells) + 0.5) * ((where.image[axis] + before + after) / cells) - before

    own, others = centres(source), centres(target)
    return (others >= own[0]) & (others <= own[-1])


@pytest.mark.parametrize("size", [(3, 5), (12, 14), (24, 7)])
def test_with_one_padding_it_is_the_usual_resizing(size: tuple[int, int]) -> None:
    values = torch.randn(2, 3, 6, 7, dtype=torch.float64)
    source = FeatureMap(values, (1, 2, 0, 1), (47, 53))
    target = FeatureMap(torch.zeros(2, 1, *size), (1, 2, 0, 1), (47, 53))
    expected = F.interpolate(values, size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(resample(source, target), expected)


def test_the_same_grid_is_left_alone() -> None:
    here = ramp(97, 131, 4, (14, 15, 15, 16))
    assert resample(here, here) is here.values


def test_half_precision_comes_back_in_full() -> None:
    source = ramp(64, 96, 4, (0, 0, 0, 0))
    half = source._replace(values=source.values.half())
    got = resample(half, ramp(64, 96, 8, (0, 0, 0, 0)))
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, ramp(64, 96, 8, (0, 0, 0, 0)).values.float())


def test_an_adapter_brings_width_and_size() -> None:
    adapter = Adapter([FeatureShape(64, 108, 108)], FeatureShape(320, 108, 108), AdapterConfig())
    assert adapter.describe() == "1 projector, 20 800 extra parameters, training only"
    three = Adapter(
        [FeatureShape(4, 16, 24)], FeatureShape(7, 8, 12), AdapterConfig(projectors=3, relu=True)
    ).double()
    assert three.describe() == "3 projectors, 105 extra parameters, training only"
    got = three([ramp(64, 96, 4, (0, 0, 0, 0))], ramp(64, 96, 8, (0, 0, 0, 0)))
    assert got.shape == (2, 7, 8, 12)
    assert got.min() >= 0


BRANCHES = [ramp(64, 96, 4, (0, 0, 0, 0)), ramp(64, 96, 16, (0, 0, 0, 0)), ramp(64, 96, 8, (16, 16, 0, 0))]
SHAPES = [FeatureShape(*branch.values.shape[1:]) for branch in BRANCHES]
TEACHER = ramp(64, 96, 8, (0, 0, 0, 0))


def test_stacked_maps_become_the_sum_of_their_projections() -> None:
    """A projection of stacked maps is that of each by its share of the weights, and the bias once."""
    torch.manual_seed(0)
    adapter = Adapter(SHAPES, FeatureShape(7, 8, 12), AdapterConfig()).double()
    assert adapter.describe() == "1 projector, 91 extra parameters, training only"
    (weight, bias) = adapter.projector.parameters()
    expected = bias[:, None, None].expand(2, 7, 8, 12)
    for branch, part in zip(BRANCHES, weight[:, :, 0, 0].chunk(3, dim=1), strict=True):
        expected = expected + torch.einsum("dc,bchw->bdhw", part, resample(branch, TEACHER))
    torch.testing.assert_close(adapter(BRANCHES, TEACHER), expected)


def test_attention_weighs_the_projected_maps_pixel_by_pixel() -> None:
    torch.manual_seed(0)
    adapter = Adapter(SHAPES, FeatureShape(7, 8, 12), AdapterConfig(fuse="attention")).double()
    assert adapter.describe() == "3 projectors, attention, 171 extra parameters, training only"
    assert adapter.attention is not None
    projected = []
    for branch, projector in zip(BRANCHES, adapter.projectors, strict=True):
        weight, bias = projector.parameters()
        there = resample(branch, TEACHER)
        projected.append(torch.einsum("dc,bchw->bdhw", weight[:, :, 0, 0], there) + bias[:, None, None])
    scores = F.conv2d(torch.cat(projected, 1), adapter.attention.weight, adapter.attention.bias)
    shares = torch.softmax(scores, 1)
    expected = sum(shares[:, i : i + 1] * one for i, one in enumerate(projected))
    got = adapter(BRANCHES, TEACHER)
    torch.testing.assert_close(got, expected)
    got.sum().backward()
    assert all(parameter.grad is not None for parameter in adapter.parameters())

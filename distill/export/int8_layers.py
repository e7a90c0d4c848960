"""Which layers of a network stay in floating point in an INT8 file, because quantising them costs too much.

They are found by measurement: how many pixels keep their class where only some layers are quantised (the
sensitivity analysis of Wu et al., *Integer Quantization for Deep Learning Inference*, arXiv 2004.09602,
section 5.2, by groups first, so that a deep network does not take hours).

1. All layers are quantised. If enough pixels keep their class, nothing stays in floating point.
2. The layers are cut into :data:`GROUPS` groups of neighbours, and each group alone is quantised. The groups
   that cost most pixels for each multiply-add come first: the fewest of them that suffice are kept.
3. The same for the single layers of the kept groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tqdm import tqdm

from kd_seg_ros.common.logs import progress_shown

GROUPS: Final = 16
"""Number of groups that a network's layers are cut into."""

Layers = tuple[str, ...]
"""Names of layers, in the order in which the network computes them."""
Measure = Callable[[Layers], float]
"""Quantises these layers alone and returns the share of pixels that keep their class, 0…1."""


@dataclass(frozen=True)
class Choice:
    """What stays in floating point."""

    kept: Layers
    """Layers that are not quantised."""
    losses: Mapping[str, float]
    """Share of pixels, 0…1, that get another class where this layer alone is quantised, or its group, by
    layer; the measured ones only."""

    def worst(self, count: int = 3) -> list[tuple[str, float]]:
        """Return the layers that cost most, and their losses, the worst first."""
        return sorted(self.losses.items(), key=lambda item: item[1], reverse=True)[:count]


def choose_layers(work: Mapping[str, int], measure: Measure, least: float) -> Choice:
    """Find the layers that must stay in floating point.

    :param work: multiply-adds of every layer, at least 1, in the order in which the network computes them.
    :param measure: see :data:`Measure`; it is called about ``2 · GROUPS`` times.
    :param least: share of pixels that must keep their class.
    """
    layers = tuple(work)
    if measure(layers) >= least:
        return Choice((), {})
    groups = _neighbours(layers, GROUPS)
    costs = _costs(groups, measure, "groups of layers")
    kept_groups = _fewest(_ranked(costs, work), layers, measure, least)

    losses = {layer: loss for group, loss in costs.items() for layer in group}
    singles = [(layer,) for group in kept_groups for layer in group]
    own = _costs(singles, measure, "single layers")
    losses.update({layer: loss for (layer,), loss in own.items()})
    kept = _fewest(_ranked(own, work), layers, measure, least)
    names = {layer for single in kept for layer in single}
    return Choice(tuple(layer for layer in layers if layer in names), losses)


def _neighbours(layers: Layers, count: int) -> list[Layers]:
    """Cut the layers into at most ``count`` groups of about equal length."""
    length = -(-len(layers) // count)
    return [layers[start : start + length] for start in range(0, len(layers), length)]


def _costs(groups: Sequence[Layers], measure: Measure, what: str) -> dict[Layers, float]:
    """Return the share of pixels that quantising each group alone costs."""
    bar = tqdm(groups, f"INT8: {what}", disable=not progress_shown())
    return {group: 1 - measure(group) for group in bar}


def _ranked(costs: Mapping[Layers, float], work: Mapping[str, int]) -> list[Layers]:
    """Sort groups by what they cost for each multiply-add, the most expensive first."""
    prices = {}
    for group, cost in costs.items():
        prices[group] = cost / sum(work[layer] for layer in group)
    return sorted(prices, key=prices.__getitem__, reverse=True)


def _fewest(ranked: Sequence[Layers], layers: Layers, measure: Measure, least: float) -> list[Layers]:
    """Return the shortest beginning of ``ranked`` that must be kept for enough pixels to keep their class.

    It is found by doubling, then by halving: the share grows, but for noise, with what is kept.
    """
    too_few, enough = 0, 1
    while enough < len(ranked) and not _suffices(ranked[:enough], layers, measure, least):
        too_few, enough = enough, min(2 * enough, len(ranked))
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if _suffices(ranked[:middle], layers, measure, least):
            enough = middle
        else:
            too_few = middle
    return list(ranked[:enough])


def _suffices(kept: Sequence[Layers], layers: Layers, measure: Measure, least: float) -> bool:
    """Return whether enough pixels keep their class with these groups in floating point."""
    names = {layer for group in kept for layer in group}
    return measure(tuple(layer for layer in layers if layer not in names)) >= least

"""Lays out a street from a seed: lots and what stands on them, furniture, traffic."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from distill.scenes.canvas import Canvas
from distill.scenes.layout import Lot, LotKind, Place, Side, Street, Thing
from distill.scenes.texture import Texture
from distill.scenes.things.barriers import (
    FINEST,
    LABELS,
    PERIOD,
    STOCK,
    Barrier,
    barrier,
    height_of,
)
from distill.scenes.things.buildings import draw_along, make_house
from distill.scenes.things.furniture import add_furniture
from distill.scenes.things.plants import TreeKind, paint_tree
from distill.scenes.things.wires import add_wires
from distill.scenes.traffic import add_people, add_traffic

LOT_KINDS: tuple[LotKind, ...] = ("building", "house", "wall", "fence", "park")
LOTS_BEFORE = 30.0
"""Metres before z = 0 where the lots begin."""


def build(seed: int, length: float) -> Street:
    """Make the street of a seed, from a little before z = 0 to ``length`` metres."""
    rng = np.random.default_rng(seed)
    crossings = []
    z = float(rng.uniform(13, 55))
    while z < length:
        width = float(rng.uniform(7, 13))
        if rng.random() < 0.8:
            crossings.append((z, z + width))
        z += width + float(rng.uniform(55, 130))
    urban = float(rng.random())  # from garden suburb (0) to inner city (1)
    street = Street(
        seed=seed,
        length=length,
        lanes=int(rng.choice([1, 2], p=[0.7, 0.3])),
        lane_width=float(rng.uniform(3.0, 3.6)),
        parking=(bool(rng.random() < 0.45), bool(rng.random() < 0.45)),
        tram=bool(rng.random() < 0.22),
        kerb=float(rng.uniform(0.08, 0.16)),
        bends=_bends(rng),
        sides=(_side(rng, -1, length, crossings, urban), _side(rng, 1, length, crossings, urban)),
        crossings=tuple(crossings),
    )
    kinds: tuple[TreeKind, ...] = ("leafy", "leafy", "conifer", "bare")
    species = kinds[rng.integers(4)]
    for side in street.sides:
        for lot in side.lots:
            if lot.kind in ("building", "house"):
                _build_on(rng, street, side, lot)
            elif lot.kind != "crossing":
                _enclose(rng, street, side, lot)
        _avenue(rng, street, side, species)
    add_furniture(rng, street)
    add_traffic(rng, street)
    add_people(rng, street)
    add_wires(rng, street)
    return street


def _bends(rng: np.random.Generator) -> tuple[tuple[float, float, float], ...]:
    if rng.random() < 0.4:
        return ()
    wave = float(rng.uniform(180, 500))
    return ((float(rng.uniform(0.2, 1.0) * 0.014 * wave), wave, float(rng.uniform(0, 6.28))),)


def _side(
    rng: np.random.Generator, sign: int, length: float, crossings: list[tuple[float, float]], urban: float
) -> Side:
    """Lay out one side: lots from before the camera to the end, broken by the crossings."""
    lots = []
    weights = np.array([0.15 + 0.6 * urban, 0.4 * (1 - urban) + 0.05, 0.12, 0.12, 0.14])
    z = -LOTS_BEFORE
    end = length + 60
    for start, stop in [*crossings, (end, end)]:
        while z < start:
            kind = LOT_KINDS[rng.choice(len(LOT_KINDS), p=weights / weights.sum())]
            edge = z + float(rng.uniform(10, 26))
            edge = start if start - edge < 6 else edge
            lots.append(_lot(rng, z, edge, kind))
            z = edge
        if stop > start:
            lots.append(Lot(start, stop, "crossing", "road"))
        z = stop
    verge = float(rng.uniform(1.0, 2.5)) if rng.random() < 0.35 * (1.3 - urban) else 0.0
    return Side(sign, verge, float(rng.uniform(1.6, 4.2)), tuple(lots))


def _lot(rng: np.random.Generator, start: float, stop: float, kind: LotKind) -> Lot:
    if kind == "building":
        return Lot(start, stop, kind, "paved", 0.0 if rng.random() < 0.75 else float(rng.uniform(2, 5)))
    if kind == "house":
        return Lot(start, stop, kind, "grass", float(rng.uniform(3, 7)))
    return Lot(start, stop, kind, "dirt" if rng.random() < 0.3 else "grass")


def _build_on(rng: np.random.Generator, street: Street, side: Side, lot: Lot) -> None:
    """Add a house, in a small garden if it stands back."""
    edge, small = street.frontage(side), lot.kind == "house"
    gap = float(rng.uniform(0.7, 2)) if small else float(rng.choice([0.0, 0.0, 0.7]))
    offset = side.sign * (edge + lot.setback)
    house = make_house(rng, offset, lot.start + gap, lot.stop - gap, street.kerb, small=small)
    _add_strip(street, lot, offset, partial(house.paint, street=street))
    if not small:
        return
    barriers: tuple[Barrier | None, ...] = ("hedge", "fence", "low wall", None)
    _add_barrier(rng, street, lot, side.sign * (edge + 0.25), barriers[rng.integers(4)])
    if rng.random() < 0.6:
        z, middle = float(rng.uniform(lot.start, lot.stop)), side.sign * (edge + lot.setback / 2)
        _add_tree(rng, street, middle, z, "bush", float(rng.uniform(1, 2.5)))


def _enclose(rng: np.random.Generator, street: Street, side: Side, lot: Lot) -> None:
    """Add a wall, a fence or a hedge with trees farther from the road, and sometimes a house."""
    edge = street.frontage(side)
    others: tuple[Barrier | None, ...] = ("hedge", "fence", None, None)
    kind: Barrier | None = (
        "wall" if lot.kind == "wall" else "fence" if lot.kind == "fence" else others[rng.integers(4)]
    )
    _add_barrier(rng, street, lot, side.sign * (edge + 0.3), kind)
    trees: tuple[TreeKind, ...] = ("leafy", "leafy", "conifer", "bare", "bush")
    for _ in range(int(rng.integers(1, 5))):
        species = trees[rng.integers(5)]
        height = float(rng.uniform(1.2, 3)) if species == "bush" else float(rng.uniform(5, 19))
        offset, z = side.sign * (edge + float(rng.uniform(3, 16))), float(rng.uniform(lot.start, lot.stop))
        _add_tree(rng, street, offset, z, species, height)
    if rng.random() < 0.6:
        offset = side.sign * (edge + float(rng.uniform(16, 26)))
        house = make_house(rng, offset, lot.start, lot.stop, street.kerb, small=rng.random() < 0.6)
        _add_strip(street, lot, offset, partial(house.paint, street=street))


def _add_strip(street: Street, lot: Lot, offset: float, draw: Callable[[Canvas], None]) -> None:
    """Add a thing as long as its lot; ``draw`` knows where that is."""
    paint = partial(_paint_strip, draw=draw)
    street.things.append(Thing(paint, offset, lot.start, reach=lot.length))


def _paint_strip(canvas: Canvas, place: Place, time: float, *, draw: Callable[[Canvas], None]) -> None:
    """Draw a thing that follows the street, so that its place and the time do not matter."""
    del place, time
    draw(canvas)


def _add_barrier(
    rng: np.random.Generator, street: Street, lot: Lot, offset: float, kind: Barrier | None
) -> None:
    """Add a wall, fence or hedge along the whole lot, repeating one from the stock."""
    if kind is None:
        return
    seed = int(rng.integers(STOCK))
    _add_strip(street, lot, offset, partial(_draw_barrier, street, lot, offset, kind, seed))


def _draw_barrier(street: Street, lot: Lot, offset: float, kind: Barrier, seed: int, canvas: Canvas) -> None:
    """Draw a barrier along a lot in pieces of at most ``PERIOD`` metres."""
    height, label = height_of(kind, seed), LABELS[kind]
    for start in np.arange(lot.start, lot.stop, PERIOD).tolist():
        stop = min(start + PERIOD, lot.stop)
        texture = partial(_barrier_texture, kind, seed, (stop - start) / PERIOD)
        draw_along(canvas, street, (offset, start, stop), street.kerb, height, texture, label)


def _barrier_texture(kind: Barrier, seed: int, share: float, ppm: int) -> Texture:
    """Return the first ``share`` of a barrier's texture at ``ppm`` pixels per metre."""
    return barrier(kind, seed, (FINEST // ppm).bit_length() - 1).columns(0, share)


def _add_tree(
    rng: np.random.Generator, street: Street, offset: float, z: float, kind: TreeKind, height: float
) -> None:
    wide = {"leafy": 0.8, "conifer": 0.62, "bare": 0.85, "bush": 1.3}[kind] * rng.uniform(0.8, 1.15)
    red, green, blue = (rng.uniform(0.35, 1.25) * rng.uniform(0.88, 1.12, 3)).tolist()
    paint = partial(
        paint_tree,
        kind=kind,
        variant=int(rng.integers(1 << 16)),
        height=height,
        width=float(height * wide * rng.choice([-1, 1])),
        tint=(red, green, blue),
    )
    street.things.append(Thing(paint, offset, z, y=street.kerb, seen=160.0, footprint=(0.25, 0.25)))


def _avenue(rng: np.random.Generator, street: Street, side: Side, species: TreeKind) -> None:
    """Add a row of trees along the kerb, on some streets."""
    if rng.random() < 0.5 or side.verge + side.sidewalk < 2.2:
        return
    offset = side.sign * (street.half_width(side.sign) + (side.verge / 2 if side.verge else 0.6))
    step, tall = float(rng.uniform(8, 18)), float(rng.uniform(5, 14))
    for z in np.arange(float(rng.uniform(0, step)), street.length, step):
        if any(start - 4 < z < stop + 4 for start, stop in street.crossings) or rng.random() < 0.15:
            continue
        where = float(z + rng.normal(0, 0.5))
        _add_tree(rng, street, offset, where, species, tall * float(rng.uniform(0.85, 1.25)))

"""Who is on the street: cars, lorries, buses, trams, two-wheelers and people, parked and moving."""

from __future__ import annotations

from functools import partial

import numpy as np

from distill.scenes.layout import CAMERA_SPEED, Paint, Side, Street, Thing
from distill.scenes.things.cars import Car, CarKind, paint_car
from distill.scenes.things.cycles import STOCK as CYCLES
from distill.scenes.things.cycles import Cycle, paint_cycle
from distill.scenes.things.large import TRAM_CAR, Large, paint_bus, paint_tram, paint_truck
from distill.scenes.things.people import STOCK, Person, paint_person

_CARS: tuple[CarKind, ...] = ("hatch", "sedan", "estate", "suv", "van")
_CAR_SHARES = (0.3, 0.2, 0.17, 0.23, 0.1)
SMALL = 85.0
"""Metres from which people and two-wheelers are drawn."""
CLEAR_AHEAD = 7.0
"""Metres in front of z = 0 without traffic in the camera's lane."""


def _vehicle(rng: np.random.Generator, *, lit: bool, small: bool = False) -> tuple[Paint, float, float]:
    """Return a random motor vehicle: how to draw it, half its width and half its length in metres."""
    draw = rng.random() * (0.8 if small else 1)
    if draw < 0.8:
        kind = _CARS[rng.choice(5, p=_CAR_SHARES)]
        return partial(paint_car, car=Car(int(rng.integers(64)), kind, lit)), 0.9, 2.2
    if draw < 0.91:
        return partial(paint_truck, truck=_large(rng, lit=lit)), 1.25, 4.6
    return partial(paint_bus, bus=_large(rng, lit=lit)), 1.3, 6.0


def _cycle(rng: np.random.Generator, motor: bool, ridden: bool) -> Cycle:
    return Cycle(int(rng.integers(CYCLES)), motor, ridden, _tint(rng), _tint(rng))


def _large(rng: np.random.Generator, *, lit: bool) -> Large:
    return Large(int(rng.integers(40)), lit)


def _headlamps(half_length: float) -> tuple[tuple[float, float, float], ...]:
    return ((0.0, 0.6, half_length + 0.6),)


def add_traffic(rng: np.random.Generator, street: Street) -> None:
    """Add moving and parked vehicles, two-wheelers and trams."""
    busy = float(rng.uniform(0.3, 1.0))
    for sign in (-1, 1):
        for lane in range(street.lanes):
            if street.tram and sign < 0 and lane == 0:
                continue  # the trams' lane
            _lane(
                rng,
                street,
                sign,
                (lane + 0.5) * street.lane_width,
                busy,
                own=sign > 0 and lane == street.lanes - 1,
            )
        if street.parking[sign > 0]:
            _parked(rng, street, sign)
        else:
            _cyclists(rng, street, sign)
    for start, stop in street.crossings:
        _cross_traffic(rng, street, start, stop)
    if street.tram:
        _trams(rng, street)


def _lane(
    rng: np.random.Generator, street: Street, sign: int, offset: float, busy: float, *, own: bool
) -> None:
    """Add a queue of vehicles in one lane; the camera's own lane is kept clear for a while."""
    speed = float(rng.uniform(6, 12)) * sign if not own else CAMERA_SPEED
    z = float(rng.uniform(CLEAR_AHEAD + 4, 45)) if own else float(rng.uniform(2, 25))
    stop = street.length + (250 if sign < 0 else 0)
    while z < stop:
        paint, half_width, half_length = _vehicle(rng, lit=True)
        if rng.random() < busy:
            cycle = rng.random() < 0.14
            if cycle:
                paint, half_width, half_length = (
                    partial(paint_cycle, cycle=_cycle(rng, True, True)),
                    0.35,
                    1.0,
                )
            z += half_length
            street.things.append(
                Thing(
                    paint,
                    sign * offset + float(rng.normal(0, 0.15)),
                    z,
                    heading=0.0 if sign > 0 else np.pi,
                    speed=speed,
                    seen=130.0,
                    footprint=(half_width, half_length),
                    lamps=_headlamps(half_length),
                )
            )
        z += half_length + float(rng.uniform(5, 40))


def _parked(rng: np.random.Generator, street: Street, sign: int) -> None:
    offset = sign * (street.half_width(sign) - 1.05)
    full, z = float(rng.uniform(0.4, 0.95)), float(rng.uniform(-6, 4))
    while z < street.length:
        z += 2.9
        near_crossing = any(start - 6 < z < stop + 6 for start, stop in street.crossings)
        if not near_crossing and rng.random() < full:
            if rng.random() < 0.14:  # a row of motorcycles
                for step in range(int(rng.integers(1, 4))):
                    _stand(rng, street, offset, z - 1 + 0.9 * step, motor=True, across=True)
            else:
                paint, half_width, half_length = _vehicle(rng, lit=False, small=rng.random() < 0.93)
                heading = (0.0 if sign > 0 else np.pi) + float(rng.normal(0, 0.02))
                z += max(0.0, half_length - 2.3)
                street.things.append(
                    Thing(
                        paint,
                        offset + float(rng.normal(0, 0.08)),
                        z,
                        heading=heading,
                        seen=130.0,
                        footprint=(half_width, half_length),
                    )
                )
                z += max(0.0, half_length - 2.3)
        z += 2.7


def _stand(
    rng: np.random.Generator,
    street: Street,
    offset: float,
    z: float,
    *,
    motor: bool,
    across: bool,
    y: float = 0.0,
) -> None:
    """Add a parked two-wheeler."""
    heading = (
        float(rng.choice([-1, 1]) * (np.pi / 2 + rng.normal(0, 0.25)))
        if across
        else float(rng.normal(0, 0.4))
    )
    paint = partial(paint_cycle, cycle=_cycle(rng, motor, False))
    street.things.append(Thing(paint, offset, z, y=y, heading=heading, seen=SMALL, footprint=(0.25, 0.5)))


def _cyclists(rng: np.random.Generator, street: Street, sign: int) -> None:
    z = float(rng.uniform(6, 30))
    while z < street.length:
        paint = partial(paint_cycle, cycle=_cycle(rng, False, True))
        offset = sign * (street.half_width(sign) - float(rng.uniform(0.5, 0.9)))
        heading = (0.0 if sign > 0 else np.pi) + float(rng.normal(0, 0.12))
        street.things.append(
            Thing(paint, offset, z, heading=heading, speed=4.5 * sign, seen=SMALL, footprint=(0.25, 0.6))
        )
        z += float(rng.uniform(10, 60))


def _cross_traffic(rng: np.random.Generator, street: Street, start: float, stop: float) -> None:
    """Add traffic on the cross street that leaves the crossing before the camera comes."""
    edge = max(street.half_width(1), street.half_width(-1)) + 1.5
    for sign in (-1, 1):
        z = (start + stop) / 2 + sign * (stop - start) / 4
        way = -sign  # right-hand traffic: the near half goes right
        heading, arrival = way * np.pi / 2, start / CAMERA_SPEED
        footprint: tuple[float, float] | None
        lamps: tuple[tuple[float, float, float], ...]
        draw = rng.random()
        if draw < 0.14:
            paint: Paint = partial(paint_tram, tram=_large(rng, lit=True), sections=3)
            after, speed = edge + 3 * TRAM_CAR + float(rng.uniform(0, 14)), 7.0
            footprint, lamps = None, ((0.0, 0.8, 5.5),)
        elif draw < 0.5:
            paint, half_width, half_length = _vehicle(rng, lit=True)
            after, speed = edge + half_length + float(rng.uniform(0, 20)), 6.0
            footprint, lamps = (half_width, half_length), _headlamps(half_length)
            if rng.random() < 0.4:  # waits at the corner
                after, speed = -edge - half_length - float(rng.uniform(1, 8)), 0.0
        elif draw < 0.8:
            paint = partial(paint_cycle, cycle=_cycle(rng, rng.random() < 0.3, True))
            after, speed = edge + float(rng.uniform(0, 6)), 3.5
            footprint, lamps = (0.25, 0.6), ()
        else:
            continue
        offset = way * (after - speed * arrival)
        street.things.append(
            Thing(paint, offset, z, heading=heading, drift=way * speed, footprint=footprint, lamps=lamps)
        )


def _trams(rng: np.random.Generator, street: Street) -> None:
    """Add trams that come towards the camera."""
    z = float(rng.uniform(16, 50))
    while z < street.length + 250:
        sections = int(rng.integers(2, 5))
        paint = partial(paint_tram, tram=_large(rng, lit=True), sections=sections)
        reach = sections * TRAM_CAR
        street.things.append(
            Thing(
                paint,
                -street.lane_width / 2,
                z,
                heading=np.pi,
                speed=-7.0,
                reach=reach,
                lamps=((0.0, 0.8, 5.5),),
            )
        )
        z += reach + float(rng.uniform(60, 160))


def add_people(rng: np.random.Generator, street: Street) -> None:
    """Add people on the sidewalks and zebra crossings, bicycles and motorcycles left at the walls."""
    crowd = float(rng.uniform(7, 30))
    for side in street.sides:
        z = float(rng.uniform(4, 12))
        while z < street.length:
            if not any(start - 1 < z < stop + 1 for start, stop in street.crossings):
                _walkers(rng, street, side, z)
            z += float(rng.uniform(1.5, crowd))
        z = float(rng.uniform(4, 35))
        while z < street.length:
            motor = rng.random() < 0.22
            place = (
                side.sign * (street.frontage(side) - 0.5)
                if rng.random() < 0.6
                else side.sign * (street.half_width(side.sign) + 0.7)
            )
            across = rng.random() < 0.5
            for step in range(int(rng.integers(1, 5))):
                _stand(rng, street, place, z + 0.75 * step, motor=motor, across=across, y=street.kerb)
            z += float(rng.uniform(12, 50))
    for start, stop in street.crossings:
        for z in (start - 2.6, stop + 2.6):
            for _ in range(int(rng.integers(0, 4))):
                way = int(rng.choice([-1, 1]))
                kerb, speed = street.half_width(-way) + 0.6, float(rng.uniform(1.1, 1.6))
                # They reach the other side just before the camera is there.
                begin = (
                    start / CAMERA_SPEED
                    - (kerb + street.half_width(way) + float(rng.uniform(0.5, 5))) / speed
                )
                paint = partial(paint_person, person=_person(rng, walking=True))
                street.things.append(
                    Thing(
                        paint,
                        -way * kerb,
                        z + float(rng.uniform(-1, 1)),
                        heading=way * np.pi / 2,
                        drift=way * speed,
                        start=begin,
                        seen=SMALL,
                        footprint=(0.2, 0.2),
                    )
                )


def _walkers(rng: np.random.Generator, street: Street, side: Side, z: float) -> None:
    """Add one person, or a group that stands or walks together."""
    inner = street.half_width(side.sign) + side.verge + 0.5
    offset = side.sign * float(rng.uniform(inner, max(inner + 0.3, street.frontage(side) - 0.4)))
    walking = rng.random() < 0.75
    heading = float(rng.choice([0, np.pi])) if walking else float(rng.uniform(0, 6.28))
    for step in range(int(rng.choice([1, 1, 2, 3]))):
        paint = partial(paint_person, person=_person(rng, walking=walking))
        street.things.append(
            Thing(
                paint,
                offset + 0.55 * step * float(rng.choice([-1, 1])),
                z + float(rng.normal(0, 0.3)),
                y=street.kerb,
                heading=heading,
                speed=1.3 * float(np.cos(heading)) if walking else 0.0,
                seen=SMALL,
                footprint=(0.2, 0.2),
            )
        )


def _person(rng: np.random.Generator, *, walking: bool) -> Person:
    child = rng.random() < 0.12
    height = float(rng.uniform(1.05, 1.45) if child else rng.normal(1.73, 0.08))
    return Person(int(rng.integers(STOCK)), height, walking, _tint(rng))


def _tint(rng: np.random.Generator) -> tuple[float, float, float]:
    """Draw random factors on the colours of a figure from the stock."""
    red, green, blue = (rng.uniform(0.6, 1.3) * rng.uniform(0.8, 1.2, 3)).tolist()
    return red, green, blue

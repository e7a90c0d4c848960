"""The windscreen that the camera looks through in wet weather: drops, the film of water, the wiper.

*Drops* on the glass are strong lenses close to the camera: each shows a wide part of the scene upside down,
and is out of focus (von Bernuth et al., 2018, "Rendering physically correct raindrops on windshields for
robustness verification of camera-based object recognition"). Here a drop shows the surroundings of its place
turned by 180°, blurred, with a soft outline.

*The wiper* sweeps from its rest and back once per interval. It takes the drops away, and they come back one
by one until it passes again. Behind it a *film* of water dries, ripples in which lie along the way of the
blade.

Labels and depth are those without the windscreen: what a pixel would show, as ACDC's annotators infer it
from a second drive in good weather.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from distill.scenes.geometry import Doubles
from distill.scenes.texture import Bytes, Floats, noise

FIELD = 0.3
"""Distance around a drop whose light it collects, as a share of the image height."""
RUBBER = 0.012
"""Linear albedo of blade and arm."""
DRYING = 0.7
"""Seconds after which a film has lost all but 1/e of itself."""


@dataclass(frozen=True)
class Windscreen:
    """A wet windscreen. Lengths are shares of the image height."""

    seed: int
    """Of the places and sizes of the drops."""
    drops: int
    """Number of drops that a dry glass gathers in 10 s."""
    radius: float
    """Median radius of a drop."""
    defocus: float
    """Standard deviation of the blur of what lies on the glass."""
    film: float
    """Strength of the film of water just behind the wiper, 0…1."""
    pivot: tuple[float, float]
    """Where the wiper turns, (share of the width from the left, share of the height from the top)."""
    joint: tuple[float, float]
    """Length of the arm, and angle in radians by which the blade at its end is turned from it."""
    blade: tuple[float, float]
    """Length and width of the blade."""
    interval: float
    """Seconds from the beginning of one sweep to that of the next, at least as many as a sweep takes."""
    sweep: float
    """Seconds that a sweep takes, there and back."""
    delay: float
    """Seconds since the beginning of the last sweep, at time 0."""

    @classmethod
    def draw(cls, rng: np.random.Generator, strength: float) -> Windscreen:
        """Draw a windscreen at random.

        :param strength: of the rain, 0…1: how many drops hit the glass, and how often the wiper passes.
        """
        sweep = float(rng.uniform(0.8, 1.3))
        interval = sweep + float(rng.uniform(0, 1.5) + (1 - strength) * rng.uniform(0, 6))
        return cls(
            seed=int(rng.integers(1 << 31)),
            drops=int(rng.uniform(100, 1200) * (0.2 + strength)),
            radius=float(rng.uniform(0.005, 0.016)),
            defocus=float(rng.uniform(0.0015, 0.006)),
            film=float(rng.uniform(0, 0.9)),
            pivot=(float(rng.uniform(-0.1, 1.1)), float(rng.uniform(0.96, 1.25))),
            joint=(float(rng.uniform(0.4, 0.9)), float(rng.normal(0, 0.35))),
            blade=(float(rng.uniform(0.7, 1.3)), float(rng.uniform(0.012, 0.045))),
            interval=interval,
            sweep=sweep,
            delay=float(rng.uniform(0, interval)),
        )

    def look_through(self, image: Floats, time: float) -> Floats:
        """Return the linear radiance [H,W,3] that reaches the camera through the glass.

        :param time: seconds since the beginning of the drive.
        """
        number, since = divmod(time + self.delay, self.interval)
        # Drops of the time before lie on the glass until the wiper has reached the other side.
        passed = since - self.sweep / 2
        cleaning = int(number) if passed >= 0 else int(number) - 1
        dry = passed if passed >= 0 else self.interval + passed
        if self.film:
            image = self._film(image, self.film * float(np.exp(-dry / DRYING)), cleaning)
        image = self._drops(image, dry, cleaning)
        return self._wiper(image, min(since / self.sweep, 1.0))

    def _film(self, image: Floats, strength: float, cleaning: int) -> Floats:
        """Bend and blur the light in ripples along the way of the blade."""
        if strength < 0.02:
            return image
        height, width = image.shape[:2]
        x, y = _grid(height, width)
        right, down = (x - self.pivot[0] * width) / height, y / height - self.pivot[1]
        tile = noise(23, 32, 4)
        place = np.random.default_rng([self.seed, 1, cleaning + 1]).uniform(0, 512, 2)
        around = np.hypot(right, down)
        row = ((around * 260 + place[0]) % 512).astype(np.int32)
        column = ((np.arctan2(right, -down) * 40 + place[1]) % 512).astype(np.int32)
        ripple = cv2.GaussianBlur(tile[row, column], (0, 0), 0.7)
        bend = ripple * np.float32(strength * 0.006 * height)
        across = np.stack([right, down], -1) / np.maximum(around, 1e-3)[..., None]
        bent = cv2.remap(
            image,
            x + bend * across[..., 0],
            y + bend * across[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        soft = cv2.GaussianBlur(bent, (0, 0), 0.012 * height)
        share = np.clip(strength * (0.5 + 0.4 * ripple), 0, 0.9)
        return bent + share[..., None] * (soft - bent)

    def _drops(self, image: Floats, dry: float, cleaning: int) -> Floats:
        """Put drops on the glass, those that have fallen in the ``dry`` seconds since the last cleaning."""
        height, width = image.shape[:2]
        rng = np.random.default_rng([self.seed, 0, cleaning + 1])
        places = rng.uniform(-0.02, 1.02, (self.drops, 2)) * (width, height)
        sizes = self.radius * height * rng.lognormal(0, 0.5, self.drops)
        count = min(self.drops, int(self.drops * dry / 10))
        if count == 0:
            return image
        x, y = _grid(height, width)
        cover = np.zeros((height, width), np.float32)
        for (across, down), radius in zip(places[:count], sizes[:count], strict=True):
            _put_drop(cover, x, y, (float(across), float(down)), float(radius), FIELD * height)
        blurred = cv2.GaussianBlur(image, (0, 0), (0.004 + self.defocus) * height)
        seen = cv2.remap(blurred, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        soft = max(0.4, self.defocus * height)
        seen = cv2.GaussianBlur(seen, (0, 0), soft)
        share = np.float32(0.9) * cv2.GaussianBlur(cover, (0, 0), soft)
        return image + share[..., None] * (seen - image)

    def _wiper(self, image: Floats, phase: float) -> Floats:
        """Draw arm and blade, dark and out of focus; ``phase`` is the share of the sweep that is over."""
        height, width = image.shape[:2]
        layer = np.zeros((height, width), np.float32)
        steps = 5
        for step in range(steps):  # the way during the exposure
            shape = np.zeros((height, width), np.uint8)
            self._draw_wiper(shape, phase + 0.008 * step / steps)
            layer += shape / np.float32(255 * steps)
        soft = cv2.GaussianBlur(layer, (0, 0), max(0.4, 1.5 * self.defocus * height))
        return image + soft[..., None] * (np.float32(RUBBER) - image)

    def _draw_wiper(self, shape: Bytes, phase: float) -> None:
        """Draw arm and blade into ``shape``, uint8 [H,W]."""
        height, width = shape.shape
        pivot = np.array(self.pivot) * (width / height, 1)
        angle = _sweep_angle(phase)
        length, turn = self.joint
        joint = pivot + length * _direction(angle)
        reach, wide = self.blade
        along = reach / 2 * _direction(angle + turn)
        for start, stop, thick in (
            (pivot, joint, 0.7 * wide),
            (joint - along, joint + along, wide),
        ):
            ends = np.rint(np.stack([start, stop]) * height * 16).astype(int).tolist()
            cv2.line(shape, ends[0], ends[1], 255, max(1, round(thick * height)), cv2.LINE_AA, 4)


def _sweep_angle(phase: float) -> float:
    """Return the angle of the arm from the horizontal, radians, for the share 0…1 of a sweep."""
    rest, end = np.radians(4), np.radians(135)
    return float(rest + (end - rest) * np.sin(np.pi * phase) ** 2)


def _direction(angle: float) -> Doubles:
    """Return the unit vector (right, down) of an angle from the left horizontal, clockwise."""
    return np.array([-np.cos(angle), -np.sin(angle)])


def _grid(height: int, width: int) -> tuple[Floats, Floats]:
    """Return the column and the row of every pixel, [H,W] each."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return x, y


def _put_drop(
    cover: Floats, x: Floats, y: Floats, place: tuple[float, float], radius: float, field: float
) -> None:
    """Let a drop turn the picture around: write where its pixels look into ``x`` and ``y``, and its cover."""
    height, width = cover.shape
    left, right = max(0, int(place[0] - radius)), min(width, int(place[0] + radius) + 2)
    top, bottom = max(0, int(place[1] - radius)), min(height, int(place[1] + radius) + 2)
    if left >= right or top >= bottom:
        return
    rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32)
    across, down = (columns - place[0]) / radius, (rows - place[1]) / radius
    # Drops that hang on glass are a little longer than wide.
    inside = across**2 + (0.9 * down) ** 2 <= 1
    window = (slice(top, bottom), slice(left, right))
    cover[window][inside] = 1
    x[window][inside] = (place[0] - across * field)[inside]
    y[window][inside] = (place[1] - down * field)[inside]

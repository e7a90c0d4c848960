"""Bodies made of flat faces, as a canvas draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distill.scenes.camera import PinholeCamera
from distill.scenes.geometry import NEAR, Doubles, clip_near
from distill.scenes.texture import Bytes, Floats


@dataclass(frozen=True)
class Body:
    """Flat faces in camera axes (right, down, forward).

    The corners of face k are those from number ``starts[k]`` to before ``starts[k + 1]``.
    """

    corners: Doubles
    """Corners of all faces one after the other, [N,3], metres."""
    starts: Sequence[int]
    normals: Doubles
    """Outward normal of each face, [F,3], of any length."""
    colours: Bytes
    """Per face sRGB and the emission, in 1/16 of the radiance of a white surface by day, [F,4]."""
    gradients: Floats
    """Factors on the colour at the upper and lower end of each face, [F,2]."""

    def outlines(self, camera: PinholeCamera, chosen: Sequence[int]) -> list[tuple[Doubles, int]]:
        """Return the outline [n,2] in pixels of each chosen face that is in front of the near plane."""
        if (self.corners[:, 2] > NEAR).all():
            pixels = camera.project(self.corners)
            return [(pixels[self.starts[k] : self.starts[k + 1]], k) for k in chosen]
        outlines = []
        for k in chosen:
            part = clip_near(self.corners[self.starts[k] : self.starts[k + 1]])
            if len(part) >= 3:
                outlines.append((camera.project(part).clip(-30000, 30000), k))
        return outlines

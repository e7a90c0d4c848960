"""What the camera sees before any light: albedo, emission, normal, depth and label of every pixel.

Primitives are flat polygons and textured parallelograms, clipped at the near plane, antialiased in colour
and crisp in label and depth (where the coverage is at least one half). The depth of a plane is exact:
with n·P = d in camera axes, 1/z = n·((u−cx)/f, (v−cy)/f, 1)/d, which is linear in u and v. A depth test
makes the order of drawing matter only for the blending of edges: draw far things first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from distill.scenes.body import Body
from distill.scenes.camera import PinholeCamera
from distill.scenes.geometry import NEAR, Doubles, clip_near, cover, cross
from distill.scenes.labels import SKY
from distill.scenes.texture import TO_LINEAR, Bytes, Colour, Floats, Texture, linear, warp

_BIAS = np.float32(0.004)
"""Share of the depth by which a surface may be farther and still be drawn over: decals win over walls."""
SPECK = 0.6
"""Primitives smaller than this many pixels both ways are left out."""
_BITS = 4  # binary places of the corners given to OpenCV
Surface = tuple[Floats, npt.NDArray[np.bool_]]
Point = Sequence[float] | Doubles


class Canvas:
    """Buffers of [H,W] for all that the camera sees, and the primitives that draw into them."""

    def __init__(self, camera: PinholeCamera) -> None:
        shape = (camera.height, camera.width)
        self.camera = camera
        self.layers = np.zeros((*shape, 4), np.float32)
        """Linear albedo (3) and emission (1, as a multiple of the albedo), both less the share of sky."""
        self.sky_share = np.ones(shape, np.float32)
        """How much of the pixel is open sky, 0…1."""
        self.inverse_depth = np.zeros(shape, np.float32)
        self.wires = np.zeros((*shape, 2), np.float32)
        """How much of the pixel thin wires cover, 0…1, and one over their planar depth in metres."""
        self.labels = np.full(shape, SKY, np.uint8)
        self.normal_index = np.zeros(shape, np.uint16)
        self._normal_list: list[Doubles] = [np.array([0.0, 1.0, 0.0])]

    @property
    def depth(self) -> Floats:
        """Planar depth in metres, infinite in the sky."""
        with np.errstate(divide="ignore"):
            return 1 / self.inverse_depth

    @property
    def normals(self) -> Floats:
        """World normal of each pixel, [H,W,3], towards the camera."""
        return np.stack(self._normal_list).astype(np.float32)[self.normal_index]

    def polygon(
        self,
        points: npt.ArrayLike,
        colour: Colour,
        label: int,
        *,
        emission: float = 0.0,
        gradient: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        """Fill a flat polygon (world points [n,3]) with one colour.

        ``gradient`` scales the colour from the upper to the lower end of the polygon's box in the image.
        """
        corners = self.camera.to_camera(points)
        normal = cross(corners[1] - corners[0], corners[2] - corners[0])
        self.fill(corners, normal, np.append(linear(colour), np.float32(emission)), label, gradient)

    def fill(
        self, corners: Doubles, normal: Doubles, source: Floats, label: int, gradient: tuple[float, float]
    ) -> None:
        """Fill a polygon in camera axes with albedo and emission ``source`` [4]."""
        region = self._region(corners)
        if region is None:
            return
        rows, columns, mask = region
        surface = self._plane(normal, corners[0], rows, columns)
        if surface is None:
            return
        coverage = mask * np.float32(1 / 255)
        if gradient != (1.0, 1.0):
            first, last = gradient
            ramp = np.arange(mask.shape[0], dtype=np.float32) * np.float32((last - first) / mask.shape[0])
            source = source * np.ones((mask.shape[0], 1, 1), np.float32)
            source[..., :3] *= (ramp + np.float32(first))[:, None, None]
        self._blend(
            rows, columns, coverage, mask >= 128, surface, source, label, self._normal(normal, corners[0])
        )

    def wire(self, start: Point, stop: Point, width: float) -> None:
        """Draw a thin wire between two world points into :attr:`wires`; it has neither label nor depth.

        In Cityscapes and ACDC wires belong to the sky, or to whatever is behind them.
        """
        ends = self.camera.to_camera(np.array([start, stop], np.float64))
        side = cross(ends[1] - ends[0], ends.mean(0))
        length = float(np.sqrt(side @ side))
        if length < 1e-6:
            return
        half = side * (width / 2 / length)
        corners = np.stack([ends[0] - half, ends[1] - half, ends[1] + half, ends[0] + half])
        region = self._region(corners)
        if region is None:
            return
        rows, columns, mask = region
        surface = self._plane(cross(ends[1] - ends[0], half), corners[0], rows, columns)
        if surface is None:
            return
        inverse, front = surface
        coverage = mask * front * np.float32(1 / 255)
        cover, depth = self.wires[rows, columns, 0], self.wires[rows, columns, 1]
        cover += coverage * (1 - cover)
        np.copyto(depth, inverse, where=coverage > 0)

    def solid(self, body: Body, chosen: Sequence[int], label: int) -> None:
        """Fill the chosen faces of one body, in this order, later ones over earlier ones."""
        camera = self.camera
        outlines = body.outlines(camera, chosen)
        if not outlines:
            return
        # The part of the image that the body touches, and how much of each of its pixels it covers.
        spans = np.array([[*pixels.min(0).tolist(), *pixels.max(0).tolist()] for pixels, _ in outlines])
        (low_u, low_v), (high_u, high_v) = spans[:, :2].min(0).tolist(), spans[:, 2:].max(0).tolist()
        left, top = max(0, int(low_u)), max(0, int(low_v))
        right, bottom = min(camera.width, int(high_u) + 2), min(camera.height, int(high_v) + 2)
        if left >= right or top >= bottom or max(high_u - low_u, high_v - low_v) < SPECK:
            return
        rows, columns = slice(top, bottom), slice(left, right)
        mask = cover([pixels - (left, top) for pixels, _ in outlines], bottom - top, right - left, 0.125)
        # Which face each pixel shows (its place in ``faces``), and the faces' colours with soft edges.
        number = np.zeros(mask.shape, np.uint8)
        picture = np.zeros((*mask.shape, 4), np.uint8)
        faces = [k for _, k in outlines]
        picture[:] = body.colours[faces[0]]
        colours = body.colours[faces].tolist()
        for count, (pixels, _) in enumerate(outlines):
            fixed = [np.rint((pixels - (left, top)) * (1 << _BITS)).astype(np.int32)]
            cv2.fillPoly(picture, fixed, colours[count], cv2.LINE_AA, _BITS)
            cv2.fillPoly(number, fixed, count, cv2.LINE_8, _BITS)
        # 1/depth of each face's plane, linear in u and v, and where it is in front of what was drawn.
        normals, first = body.normals[faces], body.corners[[body.starts[k] for k in faces]]
        planes = normals / np.einsum("fc,fc->f", normals, first)[:, None] / (camera.focal, camera.focal, 1)
        plane = planes.astype(np.float32)[number]
        u = np.arange(left, right, dtype=np.float32) - np.float32(camera.centre[0])
        v = np.arange(top, bottom, dtype=np.float32)[:, None] - np.float32(camera.centre[1])
        inverse = plane[..., 0] * u + plane[..., 1] * v + plane[..., 2]
        front = inverse >= self.inverse_depth[rows, columns] * (1 - _BIAS)
        if not front.any():
            return
        # Linear albedo, scaled from the upper to the lower end of each face, and emission.
        source = cv2.LUT(picture, TO_LINEAR).astype(np.float32, copy=False)
        gradients = body.gradients[faces]
        slope = (gradients[:, 1] - gradients[:, 0]) / np.maximum(spans[:, 3] - spans[:, 1], 1)
        ramp = np.stack([slope, gradients[:, 0] - slope * spans[:, 1]], 1).astype(np.float32)[number]
        image_row = np.arange(top, bottom, dtype=np.float32)[:, None]
        source[..., :3] *= (ramp[..., 0] * image_row + ramp[..., 1])[..., None]
        source[..., 3] = picture[..., 3] * np.float32(1 / 16)
        coverage = mask * np.float32(1 / 255)
        # Every chosen face looks at the camera: its outward normal is the one towards it.
        world = normals @ camera.rotation
        world /= np.sqrt(np.einsum("fc,fc->f", world, world))[:, None]
        normal = number.astype(np.uint16) + np.uint16(len(self._normal_list))
        self._normal_list += list(world)
        self._blend(rows, columns, coverage, mask >= 128, (inverse, front), source, label, normal)

    def picture(
        self,
        origin: Point,
        right: Point,
        down: Point,
        texture: Callable[[], Texture],
        label: int,
        tint: Point = (1, 1, 1),
        grow: float = 0.0,
    ) -> None:
        """Put a texture on the parallelogram with its top left corner at ``origin`` and these edges.

        The texture is asked for only if the parallelogram is in view. Pieces of one surface ``grow`` by
        half a pixel, so that no seam shows between them.
        """
        start, across, along = np.array([origin, right, down], np.float64)
        corners = self.camera.to_camera(
            np.stack([start, start + across, start + across + along, start + along])
        )
        region = self._region(corners, grow)
        if region is None:
            return
        rows, columns, mask = region
        edges = corners[1] - corners[0], corners[3] - corners[0]
        normal = cross(*edges)
        surface = self._plane(normal, corners[0], rows, columns)
        if surface is None:
            return
        look = texture()
        pull = self._texture_map(look, corners[0], edges, rows, columns)
        if pull is None:
            return
        size = (mask.shape[1], mask.shape[0])
        pixels = warp(look.pixels, pull, size)
        source = cv2.LUT(pixels, TO_LINEAR).astype(np.float32, copy=False)
        if tint != (1, 1, 1):
            source *= np.array([*tint, 1], np.float32)
        source[..., 3] = 0 if look.glow is None else warp(look.glow, pull, size) * np.float32(1 / 32)
        solid = mask >= 128
        if look.cover is not None:
            solid &= warp(look.cover, pull, size) >= 128
        elif not look.opaque:
            solid &= pixels[..., 3] >= 128
        coverage = mask * np.float32(1 / 255)
        if not look.opaque:
            coverage *= pixels[..., 3] * np.float32(1 / 255)
        self._blend(rows, columns, coverage, solid, surface, source, label, self._normal(normal, corners[0]))

    def _region(self, corners: Doubles, grow: float = 0.0) -> tuple[slice, slice, Bytes] | None:
        """Return rows, columns and coverage (0…255) of a polygon in camera axes; None if it is out of view.

        ``grow`` is by how many pixels it is made larger on every side.
        """
        if (corners[:, 2] <= NEAR).any():
            corners = clip_near(corners)
            if len(corners) < 3:
                return None
        outline = self.camera.project(corners)
        (low_u, low_v), (high_u, high_v) = outline.min(0).tolist(), outline.max(0).tolist()
        left, top = max(0, int(low_u)), max(0, int(low_v))
        right, bottom = min(self.camera.width, int(high_u) + 2), min(self.camera.height, int(high_v) + 2)
        if left >= right or top >= bottom or high_u < -0.5 or high_v < -0.5:
            return None
        if high_u - low_u < SPECK and high_v - low_v < SPECK:
            return None
        mask = cover([outline - (left, top)], bottom - top, right - left, grow)
        return slice(top, bottom), slice(left, right), mask

    def _plane(self, normal: Doubles, point: Doubles, rows: slice, columns: slice) -> Surface | None:
        """Return 1/depth of a plane in a region and where it is in front; None if nowhere or edge-on."""
        distance = float(normal @ point)
        if abs(distance) < 1e-9:
            return None
        focal, (cx, cy) = self.camera.focal, self.camera.centre
        a, b, c = (normal / distance).tolist()
        u = (np.arange(columns.start, columns.stop, dtype=np.float32) - np.float32(cx)) * np.float32(
            a / focal
        )
        v = (np.arange(rows.start, rows.stop, dtype=np.float32) - np.float32(cy)) * np.float32(b / focal)
        inverse = u + (v + np.float32(c))[:, None]
        front = inverse >= self.inverse_depth[rows, columns] * (1 - _BIAS)
        return (inverse, front) if front.any() else None

    def _texture_map(
        self, texture: Texture, corner: Doubles, edges: tuple[Doubles, Doubles], rows: slice, columns: slice
    ) -> Doubles | None:
        """Return the homography from region pixels to texture pixels, None if the surface is seen edge-on."""
        height, width = texture.pixels.shape[:2]
        focal, (cx, cy) = self.camera.focal, self.camera.centre
        intrinsics = np.array([[focal, 0, cx - columns.start], [0, focal, cy - rows.start], [0, 0, 1]])
        push = intrinsics @ np.stack([edges[0] / width, edges[1] / height, corner], axis=1)
        push[:, 2] += (push[:, 0] + push[:, 1]) / 2  # texel centres lie at half coordinates
        if abs(np.linalg.det(push)) < 1e-12:
            return None
        return np.linalg.inv(push)

    def _blend(
        self,
        rows: slice,
        columns: slice,
        coverage: Floats,
        solid: npt.NDArray[np.bool_],
        surface: Surface,
        source: Floats,
        label: int,
        normal: int | npt.NDArray[np.uint16],
    ) -> None:
        """Write a primitive where it is in front: colour by coverage, the rest where it is solid."""
        inverse, front = surface
        coverage *= front
        target = self.layers[rows, columns]
        target += coverage[..., None] * (source - target)
        self.sky_share[rows, columns] *= 1 - coverage
        self.wires[rows, columns, 0] *= 1 - coverage
        solid &= front
        np.copyto(self.inverse_depth[rows, columns], inverse, where=solid)
        np.copyto(self.labels[rows, columns], np.uint8(label), where=solid)
        np.copyto(self.normal_index[rows, columns], np.asarray(normal, np.uint16), where=solid)

    def _normal(self, normal: Doubles, point: Doubles) -> int:
        """Store a normal given in camera axes, turned towards the camera, and return its index."""
        world = normal @ self.camera.rotation
        length = np.sqrt(world @ world)
        self._normal_list.append(world / (-length if normal @ point > 0 else length))
        return len(self._normal_list) - 1

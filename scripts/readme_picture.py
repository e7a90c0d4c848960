"""Make the pictures of the README in docs/images, of generated streets and the shipped demo student.

python scripts/readme_picture.py [--old FILE]

demo.jpg: one street in four weathers. node.jpg: what the node publishes of one image. overlay_legend.jpg: its
overlay with the legend. ground.jpg: the ground from above. With ``--old``, two_students.jpg: where the demo
student and an older file of it differ.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.report.pictures import difference_picture, differences
from distill.scenes.drive import RATE, Drive
from distill.scenes.layout import CAMERA_SPEED
from distill.scenes.render import VIEW, render_scene
from distill.scenes.street import build
from kd_seg_ros.clouds.camera_pose import tilted_camera
from kd_seg_ros.clouds.ground_plane import Grid, GroundProjection
from kd_seg_ros.clouds.pinhole import Pinhole
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.inference.colour_vision import class_marks
from kd_seg_ros.inference.engine import Engine
from kd_seg_ros.inference.legend import legend_of
from kd_seg_ros.inference.overlay import blend, colorize

IMAGES = Path(__file__).parent.parent / "docs" / "images"
MODEL = Path(__file__).parent.parent / "resource" / "demo_student.onnx"
SEED = 4242
TITLE_HEIGHT = 44
Picture = NDArray[np.uint8]


def main() -> None:
    """Render, segment and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--old", type=Path, help="another model file, for two_students.jpg")
    old = parser.parse_args().old
    engine = Engine(MODEL, "cpu")
    demo(engine)
    node(engine)
    overlay_legend(engine)
    ground(engine)
    if old:
        two_students(Engine(old, "cpu"), engine)


def demo(engine: Engine) -> None:
    """Show camera, labels, mask and confidence in four weathers."""
    rows = []
    for condition in ("fog", "night", "rain", "snow"):
        frame = render_scene(SEED, engine.size, condition)
        found = engine.segment(frame.rgb)
        palette, marks = engine.card.palette, class_marks(engine.card.palette)
        masks = [colorize(mask, palette, marks) for mask in (frame.labels, found.mask)]
        rows.append([frame.rgb, *masks, confidence(found.confidence)])
    write("demo.jpg", ("camera", "labels", "mask", "confidence"), rows)


def node(engine: Engine) -> None:
    """Show the topics for one image."""
    rows = []
    for condition in ("rain", "night"):
        frame = render_scene(SEED + 1, engine.size, condition)
        found = engine.segment(frame.rgb)
        palette, marks = engine.card.palette, class_marks(engine.card.palette)
        overlay = blend(frame.rgb, found.mask, palette, marks=marks)
        rows.append([frame.rgb, overlay, confidence(found.confidence)])
    write("node.jpg", ("image", "segmentation/overlay", "segmentation/confidence"), rows)


def overlay_legend(engine: Engine) -> None:
    """Show the overlay with its legend, large enough to read."""
    frame = render_scene(SEED, engine.size, "rain")
    mask = engine.segment(frame.rgb).mask
    legend = legend_of(engine.card)
    overlay = blend(frame.rgb, mask, engine.card.palette, marks=legend.marks)
    whole = np.asarray(cv2.resize(overlay, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), np.uint8)
    legend.draw_over(whole, mask)
    path = IMAGES / "overlay_legend.jpg"
    cv2.imwrite(str(path), whole[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    print(path)


def ground(engine: Engine) -> None:
    """Show overlays, and the classes of the ground from above: by the mask, and by the labels."""
    height, width = engine.size
    cell = 16 / height
    grid = Grid(nearest=2.0, farthest=2.0 + cell * height, width=cell * width, cell=cell)
    palette, marks = engine.card.palette, class_marks(engine.card.palette)
    rows = []
    for condition in ("fog", "night"):
        drive = Drive(SEED, engine.size, 1, (condition,))
        frame = drive.render(0)
        seen = drive.camera(build(SEED, CAMERA_SPEED / RATE + VIEW), 0.0)
        camera = Pinhole(seen.focal, seen.focal, seen.centre[0], seen.centre[1], engine.size)
        pose = tilted_camera(seen.position[1], -np.degrees(seen.pitch), np.degrees(seen.roll))
        projection = GroundProjection(camera, pose, grid, engine.size, coarsest=0.5)
        mask = engine.segment(frame.rgb).mask
        row = [blend(frame.rgb, mask, palette, marks=marks)]
        for classes in (mask, frame.labels):
            cells = projection.look_up(classes, IGNORE_ID).T[::-1, ::-1]
            row.append(colorize(np.ascontiguousarray(cells), palette, marks))
        rows.append(row)
    write(
        "ground.jpg", ("segmentation/overlay", "segmentation/ground_classes", "the same of the labels"), rows
    )


def two_students(old: Engine, new: Engine) -> None:
    """Show where two students differ."""
    rows = []
    for condition in ("fog", "night"):
        frame = render_scene(SEED + 2, new.size, condition)
        first, second = old.segment(frame.rgb).mask, new.segment(frame.rgb).mask
        palette, marks = new.card.palette, class_marks(new.card.palette)
        masks = [colorize(mask, palette, marks) for mask in (first, second)]
        where = difference_picture(frame.rgb, differences(frame.labels, first, second))
        rows.append([frame.rgb, *masks, cv2.resize(where, new.size[::-1], interpolation=cv2.INTER_NEAREST)])
    write("two_students.jpg", ("camera", "old", "new", "only new right: blue, only old: orange"), rows)


def confidence(values: Picture) -> Picture:
    """Colour a confidence map: yellow is sure."""
    return np.asarray(cv2.applyColorMap(values, cv2.COLORMAP_CIVIDIS)[..., ::-1], np.uint8)


def write(name: str, titles: Sequence[str], rows: Sequence[Sequence[Picture | cv2.typing.MatLike]]) -> None:
    """Write rows of RGB pictures of one size below their titles."""
    sheet = np.vstack([np.hstack(row) for row in rows])[..., ::-1]
    header = np.full((TITLE_HEIGHT, sheet.shape[1], 3), 255, np.uint8)
    width = sheet.shape[1] // len(titles)
    for i, title in enumerate(titles):
        size = min(0.9, 0.9 * 28 / len(title))
        cv2.putText(
            header, title, (i * width + 8, 31), cv2.FONT_HERSHEY_SIMPLEX, size, (40, 40, 40), 2, cv2.LINE_AA
        )
    scale = 1434 / sheet.shape[1]
    picture = cv2.resize(np.vstack([header, sheet]), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(IMAGES / name), picture, [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(IMAGES / name)


if __name__ == "__main__":
    main()

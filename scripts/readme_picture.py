"""Make docs/images/demo.jpg: one street in four weathers, as the shipped demo student sees it.

python scripts/readme_picture.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from distill.data.scenes.render import render_scene
from kd_seg_ros.engine import Engine
from kd_seg_ros.overlay import colorize

ROOT = Path(__file__).parent.parent
SEED = 4242
TITLES = ("camera", "labels", "mask", "confidence")


def main() -> None:
    """Render, segment and write the picture."""
    engine = Engine(ROOT / "resource" / "demo_student.onnx", "cpu")
    rows = []
    for condition in ("fog", "night", "rain", "snow"):
        frame = render_scene(SEED, engine.size, condition)
        prediction = engine.segment(frame.rgb)
        panels = [
            frame.rgb[..., ::-1],
            colorize(frame.labels, engine.card.palette)[..., ::-1],
            colorize(prediction.mask, engine.card.palette)[..., ::-1],
            cv2.applyColorMap(prediction.confidence, cv2.COLORMAP_CIVIDIS),
        ]
        rows.append(np.hstack(panels))
    sheet = np.vstack(rows)
    header = np.full((44, sheet.shape[1], 3), 255, np.uint8)
    for i, title in enumerate(TITLES):
        place = (i * engine.size[1] + 8, 31)
        cv2.putText(header, title, place, cv2.FONT_HERSHEY_SIMPLEX, 0.9, (40, 40, 40), 2, cv2.LINE_AA)
    picture = cv2.resize(np.vstack([header, sheet]), None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    out = ROOT / "docs" / "images" / "demo.jpg"
    out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out), picture, [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(out)


if __name__ == "__main__":
    main()

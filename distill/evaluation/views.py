"""Which views of an image test-time augmentation averages, checked and combined."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from distill.evaluation.predictors import Predictor
from distill.evaluation.test_time_augmentation import flipped, scaled, tiled
from kd_seg_ros.common.errors import UserError


@dataclass(frozen=True)
class Views:
    """The views of an image whose probabilities are averaged; by default the image alone."""

    flip: bool = False
    """Average over the mirror image as well."""
    scales: tuple[float, ...] = ()
    """Factors by which the image is resized; empty: not at all."""
    tile: tuple[int, int] | None = None
    """Height and width of windows that replace the whole image; None: no windows."""
    overlap: float = 0.25
    """Least share of a window that its neighbour sees, too; 0…1, below 1."""

    @classmethod
    def parse(cls, args: argparse.Namespace) -> Views:
        """Read the options of `kd_seg evaluate`; raises UserError for values that make no sense."""
        if not 0 <= args.overlap < 1:
            raise UserError(f"--overlap must lie in 0…1, below 1, not {args.overlap:g}")
        if any(not 1 / 16 <= scale <= 8 for scale in args.scales):
            raise UserError("--scales must be within 1/16…8")
        return cls(args.flip, tuple(args.scales), args.tile, args.overlap)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Views:
        """Return the views that :meth:`document` describes."""
        tile = document.get("tile")
        return cls(
            bool(document.get("flip")),
            tuple(document.get("scales") or ()),
            None if tile is None else (int(tile[0]), int(tile[1])),
            float(document.get("overlap", cls.overlap)),
        )

    def __bool__(self) -> bool:
        return self.flip or bool(self.scales) or self.tile is not None

    def check(self, size: tuple[int, int] | None) -> None:
        """Refuse what a model of one fixed size (height, width) cannot do."""
        if size is None:
            return
        own = f"{size[0]}x{size[1]}"
        if self.scales:
            raise UserError(f"--scales: the file takes images of {own} only; evaluate the checkpoint")
        if self.tile and self.tile != size:
            raise UserError(f"--tile: the file takes images of {own} only: give --tile {own}")

    def apply(self, predict: Predictor) -> Predictor:
        """Make a predictor that averages over the views: windows, at each scale, of both mirror images."""
        if self.tile:
            predict = tiled(predict, self.tile, self.overlap)
        if self.scales:
            predict = scaled(predict, self.scales)
        return flipped(predict) if self.flip else predict

    def document(self) -> dict[str, Any]:
        """Return the ``options`` of metrics.json; empty for the image alone."""
        return asdict(self) if self else {}

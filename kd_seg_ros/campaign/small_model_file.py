"""The small model with a known answer as a file, for what reads models from files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from kd_seg_ros.faults.model_cards import small_model


@contextmanager
def small_model_file(height: int, width: int) -> Iterator[Path]:
    """Give the file's path; it is removed when the block ends.

    :param height: of the model's images, in pixels.
    :param width: likewise.
    """
    with TemporaryDirectory(prefix="kd_seg_fuzz_model_") as folder:
        path = Path(folder) / "small.onnx"
        path.write_bytes(small_model(height, width))
        yield path

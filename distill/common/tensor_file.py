"""Writing tensors by name as a .safetensors file, whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kd_seg_ros.common.files import write_atomically

if TYPE_CHECKING:
    from torch import Tensor


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str] | None = None) -> None:
    """Write tensors as a .safetensors file.

    :param header: texts to keep in the file's header.
    :raises UserError: if the file cannot be written, such as on a full disk; one already there is kept.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    def save(temporary: Path) -> None:
        try:
            save_file(dict(tensors), temporary, metadata=None if header is None else dict(header))
        except SafetensorError as error:
            # The library wraps the system's error: "… File too large (os error 27)".
            number = re.search(r"os error (\d+)", str(error))
            if number is None:
                raise OSError(str(error)) from error
            raise OSError(int(number[1]), os.strerror(int(number[1]))) from error

    write_atomically(path, save)

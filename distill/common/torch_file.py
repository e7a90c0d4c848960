"""Whether a file of ``torch.save`` is whole and may be loaded, looked at before anything is taken from it.

Such a file is a zip archive. Each of its records carries a CRC-32, which ``torch.load`` does not look at: it
takes a flipped bit for a weight. So they are checked here first. Up to 32 changed bits in a row are always
found, anything else but for one case in 2³². A file cut short lacks the zip's directory, which stands at its
end. Nothing is ever unpickled but tensors and plain data.
"""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Final

import torch

from kd_seg_ros.common.errors import first_line
from kd_seg_ros.common.files import reason, refuse_to_wait

ZIP: Final = b"PK\x03\x04"
"""First bytes of a zip archive."""

_FOLDER: Final = 0x10
"""Bit of a zip record's attributes; torch.save makes no folders."""
_SAFETENSORS_HEADER: Final = 100_000_000
"""Bytes of the longest header of a safetensors file, as its format says."""


def damage(path: Path) -> str | None:
    """Return why a file of torch.save cannot be loaded, such as "is cut short …", or None if it is whole."""
    try:
        refuse_to_wait(path)
        # Every record against its CRC-32.
        with zipfile.ZipFile(path) as archive:
            record = archive.testzip()
            records = archive.infolist()
        names = {info.filename.rpartition("/")[2] for info in records}
        if record is not None:
            return f"is damaged in {record!r}"
        if "constants.pkl" in names:
            return "is a TorchScript archive: save the network's state_dict instead"
        if "data.pkl" not in names:
            return "is a zip archive of something else than PyTorch's tensors"
        # The directory itself has no checksum. torch fills a record that it takes for a folder with whatever
        # is in memory; other mistakes it finds, without reading the tensors again.
        if any(info.external_attr & _FOLDER or info.compress_size != info.file_size for info in records):
            return "is damaged in its directory"
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        return "does not exist"
    except zipfile.BadZipFile:
        return _other_format(path) or "is cut short or no checkpoint"
    except pickle.UnpicklingError:
        return "holds more than tensors and plain data"
    except OSError as error:
        return f"cannot be read ({reason(error)})"
    except Exception as error:  # zipfile and torch raise many kinds for a damaged header
        return f"is damaged ({first_line(error)})"
    return None


def _other_format(path: Path) -> str | None:
    """Return which other kind of model file this is by its first bytes; None for none that is known."""
    with path.open("rb") as file:
        start = file.read(9)
    if len(start) == 9 and start.endswith(b"{") and int.from_bytes(start[:8], "little") < _SAFETENSORS_HEADER:
        return "is a safetensors file, weights alone, without the experiment that a checkpoint holds"
    if len(start) == 9 and start.startswith(b"\x08"):
        return "begins as an ONNX file does and is no checkpoint"
    if start.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        return "is a pickle, which may hold code, or of PyTorch before 1.6: it is not loaded"
    return None

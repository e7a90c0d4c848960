"""The masks as files."""

from __future__ import annotations

import re
from pathlib import Path

import cv2

from distill.drives.recording import AnsweredFrame
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.files import reason


class MaskFolder:
    """A folder of masks, one PNG of 8 bits per answered frame: ``000001.png`` for the first of the drive.

    A pixel is its class's trainId, 255 where it is unlabelled.
    """

    def __init__(self, folder: Path) -> None:
        """Make the folder; remove the masks of an earlier drive from it, and nothing else.

        :raises UserError: if that is not possible.
        """
        self.folder = folder
        try:
            folder.mkdir(exist_ok=True)
            for file in folder.iterdir():
                if re.fullmatch(r"\d{6}\.png", file.name):
                    file.unlink()
        except OSError as error:
            raise UserError(f"{folder}: cannot be written: {reason(error)}") from error

    def write(self, answer: AnsweredFrame) -> None:
        """Write the mask of a frame.

        :raises UserError: if that is not possible.
        """
        file = self.folder / f"{answer.frame.number:06d}.png"
        try:
            file.write_bytes(cv2.imencode(".png", answer.mask)[1].tobytes())
        except OSError as error:
            raise UserError(f"{file}: cannot be written: {reason(error)}") from error

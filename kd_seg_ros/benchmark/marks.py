"""A measured table in a Markdown document, between marks that name it."""

from __future__ import annotations

import re
from pathlib import Path

from kd_seg_ros.common.errors import UserError


def write_between_marks(path: Path, name: str, text: str) -> None:
    """Replace what stands between ``<!-- NAME -->`` and ``<!-- /NAME -->`` in a Markdown document.

    :raises UserError: if the document cannot be read or written, or has no such marks.
    """
    document = marked(path, name, text)
    try:
        path.write_text(document, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--write {path} cannot be written: {error.strerror}") from error


def marked(path: Path, name: str, text: str) -> str:
    """Return the document with what stands between the marks replaced; the file stays as it is.

    :raises UserError: if the document cannot be read or has no such marks.
    """
    try:
        document = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"--write {path} cannot be read: {error.strerror}") from error
    mark = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
    if not re.search(mark, document, re.DOTALL):
        raise UserError(f"--write {path} has no marks <!-- {name} --> … <!-- /{name} -->")
    return re.sub(mark, lambda m: f"{m[1]}\n{text}\n\n{m[2]}", document, flags=re.DOTALL)

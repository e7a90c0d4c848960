"""The tables of the page as files: CSV for programs, LaTeX (booktabs) for papers."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from distill.common.files import write_file
from distill.report.tables import Row, Table

_ESCAPED: Final = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": "$-$",
    "±": r"$\pm$",
    "→": r"$\rightarrow$",
    "–": "--",
    "α": r"$\alpha$",
    "×": r"$\times$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "“": "``",
    "”": "''",
    "…": r"\dots{}",
}
"""What LaTeX would take for a command, or lacks in the usual fonts, and how it is written there."""


def write_tables(tables: Mapping[str, Sequence[Table]], folder: Path) -> list[Path]:
    """Write each table as ``SECTION.csv`` and ``SECTION.tex``, numbered where a section has several.

    :param tables: by section.
    :return: the files.
    :raises UserError: if one cannot be written.
    """
    written = []
    for section, several in tables.items():
        for number, table in enumerate(several, 1):
            name = section if len(several) == 1 else f"{section}_{number}"
            for suffix, text in ((".csv", as_csv(table)), (".tex", as_latex(table))):
                path = folder / f"{name}{suffix}"
                write_file(path, text)
                written.append(path)
    return written


def as_csv(table: Table) -> str:
    """Return a table as CSV; the differences shown below values have columns of their own."""
    differences = _with_differences(table)
    head = [table.head[0]]
    for number, title in enumerate(_titles(table)):
        head += [title, f"{title}, difference"] if number in differences else [title]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for row in table.rows:
        cells = [row.title]
        for number, cell in enumerate(row.cells):
            cells += [cell.text, cell.below] if number in differences else [cell.text]
        # A minus sign that programs read as one, and an empty cell where there is no value.
        writer.writerow([_plain(cell) for cell in cells])
    return text.getvalue()


def as_latex(table: Table) -> str:
    """Return a table as LaTeX: a ``tabular`` with the rules of the package booktabs.

    Differences stand in parentheses after their value; notes follow as comments.
    """
    lines = [r"% needs \usepackage{booktabs}", rf"\begin{{tabular}}{{l{'r' * (len(table.head) - 1)}}}"]
    lines.append(r"\toprule")
    if table.groups:
        over = [rf"\multicolumn{{{span}}}{{c}}{{{escape(title)}}}" for title, span in table.groups]
        lines.append(" & ".join(["", *over]) + r" \\")
    lines.append(" & ".join(map(escape, table.head)) + r" \\")
    lines.append(r"\midrule")
    for number, row in enumerate(table.rows):
        if number and row.kind in ("first", "total"):
            lines.append(r"\midrule")
        lines.append(_latex_row(row))
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [f"% {note}" for note in table.notes]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Write a text such that LaTeX sets it as it stands."""
    return "".join(_ESCAPED.get(character, character) for character in text)


def _latex_row(row: Row) -> str:
    cells = [escape(row.title)]
    for cell in row.cells:
        cells.append(escape(f"{cell.text} ({cell.below})" if cell.below else cell.text))
    # A bracket after the end of a line before would be taken for its argument.
    return " & ".join("{}" + cell if cell.startswith("[") else cell for cell in cells) + r" \\"


def _titles(table: Table) -> list[str]:
    """Return the headings of the columns after the first, with those above them."""
    titles = list(table.head[1:])
    at = 0
    for group, span in table.groups:
        for number in range(at, at + span):
            titles[number] = f"{group}, {titles[number]}"
        at += span
    return titles


def _with_differences(table: Table) -> set[int]:
    """Return the numbers of the columns that have a difference in some row."""
    return {number for row in table.rows for number, cell in enumerate(row.cells) if cell.below}


def _plain(text: str) -> str:
    """Write a cell for a program: ASCII signs, nothing for a dash, no formula for a spreadsheet."""
    text = "" if text == "–" else text.replace("−", "-").replace("±", "")
    risky = text[:1] in ("=", "@") or (text[:1] in ("+", "-") and not text[1:2].isdigit())
    return f"'{text}" if risky else text

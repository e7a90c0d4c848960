"""What was seen of the data before training, as the page shows it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.config import load_config
from distill.data.data_check import DATA_CHECK, data_digest
from distill.report.data_table import HEAD, data_table
from distill.report.runs import load_runs

MakeRun = Callable[..., Path]


def write_check(folder: Path) -> Path:
    counted = {
        "sources": [{"dataset": "acdc", "root": "/data/acdc"}],
        "skipped": 0,
        "images": 4,
        "labelled": 3,
        "conditions": {"fog": 1, "night": 3},
        "sizes": {"96×64": 4},
        "ignored": 0.25,
        "looked_at": 4,
    }
    document = {
        "amount": "all",
        "data": data_digest(load_config(folder / "config.yaml").data),
        "splits": {"train": counted, "val": counted | {"images": 2}},
        "findings": [{"level": "oddity", "kind": "overlap", "message": "val: 1 of 2 images are known"}],
    }
    path = folder / DATA_CHECK
    path.write_text(json.dumps(document))
    return path


def test_each_split_has_a_row_and_findings_are_notes(make_run: MakeRun) -> None:
    paths = [make_run("plain"), make_run("taught", teacher=True)]
    write_check(paths[0])
    table = data_table(load_runs(paths))
    assert [row.title for row in table.rows] == ["plain", "", "taught"]
    assert [cell.text for cell in table.rows[0].cells] == [
        "train",
        "4",
        "3",
        "fog 1, night 3",
        "96×64 (4)",
        "25.0",
        "4",
    ]
    assert [cell.text for cell in table.rows[1].cells[:2]] == ["val", "2"]
    assert [cell.text for cell in table.rows[2].cells] == ["–"] * (len(HEAD) - 1)
    assert table.notes[0] == "plain: val: 1 of 2 images are known."
    assert table.notes[1].startswith("A dash")


@pytest.mark.parametrize("key", ["splits", "findings", "data"])
@pytest.mark.parametrize("value", [None, 7, "x", [], {}, [7], {"train": 7, "val": 7}])
def test_a_damaged_check_counts_as_none(make_run: MakeRun, key: str, value: object) -> None:
    folder = make_run("plain")
    path = write_check(folder)
    document = json.loads(path.read_text())
    if key == "findings" and value in ([], {}):
        return  # nothing was found
    path.write_text(json.dumps(document | {key: value}))
    assert data_table(load_runs([folder])).rows[0].cells[0].text == "–"

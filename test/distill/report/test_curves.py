"""Curves of a run, from the files of each logger."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch.utils.tensorboard import SummaryWriter

from distill.report.curves import read_curve
from kd_seg_ros.common.errors import UserError


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_a_resumed_runs_last_word_counts(tmp_path: Path, names: str) -> None:
    folder = tmp_path / "tensorboard"
    for name, values in zip(names, ({4: 0.2, 8: 0.3}, {8: 0.35, 12: 0.4}), strict=True):
        with SummaryWriter(str(folder)) as writer:
            for epoch, miou in values.items():
                writer.add_scalar("epoch", epoch - 1, 10 * epoch)
                writer.add_scalar("val/miou", miou, 10 * epoch)
        (written,) = [path for path in folder.iterdir() if not path.name.startswith("renamed")]
        written.rename(folder / f"renamed.tfevents.{name}")
    found = read_curve(tmp_path)
    assert [epoch for epoch, _ in found] == [4, 8, 12]
    assert [miou for _, miou in found] == pytest.approx([0.2, 0.35, 0.4])
    assert read_curve(tmp_path / "nothing") == []


def test_a_table_is_read_and_completes_the_events_of_another_logger(tmp_path: Path) -> None:
    (tmp_path / "csv").mkdir()
    table = tmp_path / "csv" / "metrics.csv"
    table.write_text(
        "epoch,step,train/loss,val/miou\n0,9,1.5,\n0,9,,0.1\n1,19,,0.2\n1,19,,0.3\n2,29,,nan\n3\n"
    )
    assert read_curve(tmp_path) == [(1, 0.1), (2, 0.3)]
    with SummaryWriter(str(tmp_path / "tensorboard")) as writer:
        writer.add_scalar("epoch", 3, 39)
        writer.add_scalar("val/miou", 0.5, 39)
    assert read_curve(tmp_path) == [(1, 0.1), (2, 0.3), (4, 0.5)]


@pytest.mark.parametrize("content", [b"epoch,val/miou\nx,0.1\n", b"epoch,val/miou\n0,x\n", b"\xff\xfe"])
def test_a_damaged_table_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "metrics.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"metrics\.csv is damaged: .+"):
        read_curve(tmp_path)

"""A teacher that has not been trained yet is one line with what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.config import load_config
from distill.config.shipped import find_config
from distill.teachers.configured import load_teacher
from kd_seg_ros.common.errors import UserError


def test_the_command_that_trains_a_missing_teacher_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = load_config(find_config("j_rn18_cwd_border"))
    with pytest.raises(
        UserError, match="does not exist: train it by `kd_seg fit --config teacher_convnext_l`"
    ):
        load_teacher(config)


def test_a_missing_file_of_another_name_has_the_option_as_its_remedy(tmp_path: Path) -> None:
    config = load_config(
        find_config("j_rn18_cwd_border"), {"teacher.checkpoint": str(tmp_path / "mine.ckpt")}
    )
    with pytest.raises(UserError, match=r"mine\.ckpt does not exist: give another one by --teacher"):
        load_teacher(config)

"""Configurations found by name."""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from distill.config import load_config
from distill.config.shipped import add_config_argument, find_config, shipped_configs
from kd_seg_ros.common.errors import UserError

FOLDER = Path(__file__).parents[3] / "config" / "distill"
NAME = "j_rn18_cwd_border"


@pytest.mark.parametrize("given", [NAME, f"{NAME}.yaml", Path(NAME), FOLDER / f"{NAME}.yaml"])
def test_a_name_or_a_path_finds_it(
    given: str | Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config(given).samefile(FOLDER / f"{NAME}.yaml")
    assert load_config(given).name == NAME


def test_all_files_have_a_name() -> None:
    assert {path.resolve() for path in shipped_configs().values()} == set(FOLDER.resolve().glob("*.yaml"))


def test_an_installed_package_has_them_in_its_share_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "share" / "kd_seg_ros" / "config" / "distill"
    shutil.copytree(FOLDER, installed)
    monkeypatch.setattr("kd_seg_ros.common.share._ament_share", list)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert find_config(NAME) == installed / f"{NAME}.yaml"
    assert load_config(NAME).name == NAME


@pytest.mark.parametrize("name", [NAME, f"{NAME}.yaml"])
def test_a_file_of_the_working_folder_goes_first_and_a_warning_says_so(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(yaml.safe_dump({"base": f"{NAME}.yaml" if name == NAME else "a_mnv4_border"}))
    with caplog.at_level(logging.WARNING):
        assert find_config(NAME) == Path(name)
    assert f"{name} in this folder is used, not" in caplog.text


def test_the_package_s_own_folder_is_no_reason_for_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(FOLDER)
    assert find_config(NAME).samefile(FOLDER / f"{NAME}.yaml")
    assert not caplog.text


def test_a_base_may_be_one_of_the_package(tmp_path: Path) -> None:
    for base in ("acdc_base", "acdc_base.yaml"):
        path = tmp_path / "mine.yaml"
        path.write_text(f"base: {base}\nname: mine\n")
        assert load_config(path).data.description.startswith("ACDC")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "j_rn18_cdw_border",
            "there is no configuration 'j_rn18_cdw_border'.*did you mean 'j_rn18_cwd_border'",
        ),
        ("config/distill/j_rn18_cdw_border.yaml", "does not exist; did you mean 'j_rn18_cwd_border'"),
        ("J", "no configuration 'J', by path or by name; `kd_seg experiments` lists"),
        ("nowhere/zzzzzzzzzzzzzz.yaml", "configuration nowhere/zzzzzzzzzzzzzz.yaml does not exist$"),
    ],
)
def test_an_unknown_name_lists_the_nearest(
    given: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        load_config(given)


def test_the_shell_is_offered_the_names() -> None:
    parser = argparse.ArgumentParser()
    add_config_argument(parser, "--config")
    (action,) = [action for action in parser._actions if action.dest == "config"]
    assert action.completer(prefix="j_", parsed_args=None) == list(shipped_configs())  # type: ignore[attr-defined]

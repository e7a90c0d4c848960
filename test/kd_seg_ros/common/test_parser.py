"""The parser that all commands share: what it accepts, and what it refuses and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from kd_seg_ros import __version__
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.parser import RENAMED, Parser


@pytest.fixture
def parser() -> Parser:
    parser = Parser("kd_seg test", "Test the frame.")
    parser.add_argument("bag", metavar="BAG")
    parser.add_argument("--model", required=True)
    parser.add_argument("--provider", choices=("cuda", "cpu"), default="cpu", help="what to run on")
    return parser


@pytest.fixture
def keyed() -> Parser:
    parser = Parser("kd_seg fit", "Train.")
    parser.add_argument("--config", required=True)
    parser.add_argument("--resume", action="store_true")
    parser.set_defaults(overrides=[])
    return parser


def refused(parser: Parser, words: list[str]) -> str:
    with pytest.raises(UserError) as caught:
        parser.read(words)
    line = str(caught.value)
    assert "\n" not in line
    assert line.endswith(f"`{parser.prog} --help`")
    return line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x"], "the following arguments are required: --model"),
        (["x", "--modle", "m"], "there is no option --modle; did you mean --model? See `"),
        (["x", "--qqq"], "there is no option --qqq; see `"),
        (["x", "--checkpoint", "m"], "--checkpoint is now --model"),
        (["x", "--checkpoint=m"], "--checkpoint is now --model"),
        (["--bag", "x", "--model", "m"], "--bag is now given without an option: kd_seg test BAG"),
        (["x", "--model", "m", "--provider", "gpu"], "--provider: there is no 'gpu'; did you mean 'cpu'?"),
        (["x", "--model", "m", "--provider", "zzz"], "there is no 'zzz'; choose from cuda, cpu"),
        (["x", "y", "--model", "m"], "unrecognized arguments: y"),
        (["x", "--mod", "m"], "did you mean --model?"),
        (["x", "--model"], "--model: expected one argument"),
    ],
)
def test_one_line_says_what_is_wrong_and_what_to_do(parser: Parser, words: list[str], message: str) -> None:
    assert message in refused(parser, words)


def test_of_several_new_names_the_one_is_given_that_the_command_has() -> None:
    assert RENAMED["--labels"] == ("--labels-topic", "--acdc", "--with-labels")
    parser = Parser("make_bag", "Make a bag.")
    parser.add_argument("--acdc")
    assert "--labels is now --acdc;" in refused(parser, ["--labels", "x"])


def test_an_old_name_that_means_something_else_here_is_taken() -> None:
    parser = Parser("kd_seg stats", "Statistics.")
    parser.add_argument("--labels")
    assert parser.read(["--labels", "x"]).labels == "x"


def test_unknown_options_can_be_keys_of_a_configuration(keyed: Parser) -> None:
    words = ["--data.root", "d", "--config", "c", "--training.epochs=3", "--name", "-1", "--resume"]
    args = keyed.read(words)
    assert args.overrides == ["--data.root", "d", "--training.epochs=3", "--name", "-1"]
    assert (args.config, args.resume) == ("c", True)


def test_keys_leave_the_positional_arguments_alone() -> None:
    parser = Parser("kd_seg config", "Print.")
    parser.add_argument("experiment")
    parser.set_defaults(overrides=[])
    args = parser.read(["--training.epochs", "3", "j_rn18"])
    assert (args.experiment, args.overrides) == ("j_rn18", ["--training.epochs", "3"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--config", "c", "--data.root"], "--data.root needs a value"),
        (["--config", "c", "--data.root", "--resume"], "--data.root needs a value"),
        (["--confg", "c"], "did you mean --config?"),
        (["--config", "c", "--cache-teacher", "d"], "--cache-teacher is now --teacher.cache"),
    ],
)
def test_mistyped_options_are_not_taken_for_keys(keyed: Parser, words: list[str], message: str) -> None:
    assert message in refused(keyed, words)


def test_ros_arguments_are_kept_apart(parser: Parser) -> None:
    parser.set_defaults(ros_arguments=[])
    args = parser.read(
        ["--ros-args", "-r", "a:=b", "--", "x", "--model", "m", "--ros-args", "--log-level", "x"]
    )
    assert (args.bag, args.model) == ("x", "m")
    assert args.ros_arguments == ["--ros-args", "-r", "a:=b", "--", "--ros-args", "--log-level", "x"]


def test_version_is_the_package(parser: Parser, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parser.read(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"kd_seg_ros {__version__}\n"


def test_help_states_defaults_and_ends_with_the_common_options(parser: Parser) -> None:
    parser.add_argument("--scales", nargs="+", default=[1.0, 1.5], help="factors")
    parser.add_argument("--topic", default="/a", help="of the camera (default: the only one)")
    text = " ".join(parser.format_help().split())
    assert "what to run on (default: cpu)" in text
    assert "factors (default: 1.0 1.5)" in text
    assert text.count("default") == 3
    assert text.rindex("--scales") < text.rindex("general options:") < text.rindex("--quiet")


def test_the_home_folder_stands_for_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In options, groups of them and positionals; a shell replaces it only at the beginning of a word."""
    monkeypatch.setenv("HOME", str(tmp_path))
    parser = Parser("x", "")
    parser.add_argument("bag", type=Path, nargs="+")
    parser.add_argument_group("more").add_argument("--out", type=Path)
    args = parser.read(["~/a", "./~", "b~", "--out=~/runs"])
    assert args.bag == [tmp_path / "a", Path("~"), Path("b~")]
    assert args.out == tmp_path / "runs"
    with pytest.raises(UserError, match=r"^--out: ~nobody_of_this_name/x: "):
        parser.read(["a", "--out", "~nobody_of_this_name/x"])

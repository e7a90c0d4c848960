"""README, CONTRIBUTING and docs/ name files, links, options and keys that exist."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from distill.__main__ import COMMANDS
from distill.config.keys import type_of
from distill.config.overrides import parse_overrides
from kd_seg_ros.common.parser import Parser

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()}
BY_NAME = {path.name for folder in FOLDERS - {".git", ".venv"} for path in (ROOT / folder).rglob("*.*")}
BY_NAME |= {path.name for path in ROOT.iterdir()}


INVENTED = ("l1", "mapillary", "NAME")
"""Names in CONTRIBUTING of what a reader might add."""
ALIASES = {
    "python -m kd_seg_ros.benchmark": "kd_seg benchmark",
    "python -m kd_seg_ros.campaign": "kd_seg fuzz",
    "python -m kd_seg_ros.playback.play_bag": "kd_seg play-bag",
    "-m distill": "kd_seg",
    "ros2 run kd_seg_ros play_bag": "kd_seg play-bag",
    "ros2 run kd_seg_ros segment_bag": "kd_seg segment-bag",
    "ros2 run kd_seg_ros make_bag": "kd_seg make-bag",
    "ros2 run kd_seg_ros score_node": "kd_seg score-node",
}
"""Other ways to start a command."""


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> list[str]:
    """The fenced blocks of a page, with continued lines joined."""
    found = re.findall(r"```\w*\n(.*?)```", text_of(page), flags=re.DOTALL)
    return [block.replace("\\\n", " ") for block in found]


def inline_code(page: Path) -> list[str]:
    """What stands between single backticks, with line breaks as spaces."""
    plain = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", plain)]


def block_lines(page: Path) -> list[str]:
    return [line for block in blocks(page) for line in block.splitlines()]


COMMAND = re.compile(rf"\bkd_seg ((?:{'|'.join(COMMANDS)})\b.*)")


def commands_in(lines: list[str]) -> Iterator[str]:
    """Every ``COMMAND …`` of ``kd_seg`` in these lines, without the comment and the pipe after it."""
    for line in lines:
        for alias, name in ALIASES.items():
            line = line.replace(alias, name)
        found = COMMAND.search(line)
        if found is not None:
            yield re.split(r" +#| \| | && |; ", found[1])[0].strip()


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    plain = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
    return plain.strip().replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", text_of(page), flags=re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if target.startswith("http"):
            continue
        name, _, anchor = unquote(target).partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    words = [word for code in [*inline_code(page), *blocks(page)] for word in code.split()]
    for word in words:
        word = word.strip("`'\"(),:;")
        if any(name in word for name in INVENTED) or not re.fullmatch(r"[\w.][\w./-]*", word):
            continue
        if word.partition("/")[0] in FOLDERS and "/" in word:
            assert (ROOT / word).exists() or word in {"docs/", "data/"}, word
        elif re.fullmatch(r"\w+\.(py|sh)", word):
            assert word in BY_NAME, word


def test_there_are_commands_to_check() -> None:
    for lines_of, least in ((block_lines, 25), (inline_code, 25)):
        assert sum(len(list(commands_in(lines_of(page)))) for page in PAGES) > least


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_whole_commands_are_understood(page: Path) -> None:
    for line in commands_in(block_lines(page)):
        if "…" not in line:
            name, *words = shlex.split(line)
            args = parser_of(name).read(words)
            parse_overrides(getattr(args, "overrides", []))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_exist(page: Path) -> None:
    """Also in commands that are not written out."""
    for line in commands_in([*block_lines(page), *inline_code(page)]):
        name, *words = shlex.split(line)
        parser = parser_of(name)
        for word in words:
            option = word.partition("=")[0]
            if option.startswith("--") and option not in parser._option_string_actions:
                assert parser.get_default("overrides") is not None, line
                type_of(option[2:])


def parser_of(name: str) -> Parser:
    """The parser of a command, as ``kd_seg NAME`` makes it."""
    parser = Parser(f"kd_seg {name}", "")
    module = COMMANDS[name].module
    if ":" not in module:
        importlib.import_module(module).add_arguments(parser)
    return parser


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_experiments_that_are_named_exist(page: Path) -> None:
    names = {path.stem for path in (ROOT / "config" / "distill").glob("*.yaml")}
    for line in commands_in([*block_lines(page), *inline_code(page)]):
        for name in re.findall(r"(?:--config|^config) (\w+)(?![\w./])", line):
            assert name in names or name == "EXPERIMENT", line


def test_parameters_on_command_lines_exist() -> None:
    """``-p NAME:=VALUE`` of the nodes, and the arguments of the launch files."""
    tables = text_of(ROOT / "docs" / "parameters.md") + text_of(ROOT / "docs" / "nav2.md")
    parameters = set(re.findall(r"^\| `([\w.]+)`", tables, re.MULTILINE))
    launch_files = "".join(text_of(path) for path in (ROOT / "launch").glob("*.py"))
    for page in PAGES:
        for line in [*block_lines(page), *inline_code(page)]:
            assert set(re.findall(r"-p ([\w.]+):=", line)) <= parameters, line
            if line.startswith("ros2 launch kd_seg_ros"):
                for argument in re.findall(r" (\w+):=", line):
                    assert f'"{argument}"' in launch_files, line

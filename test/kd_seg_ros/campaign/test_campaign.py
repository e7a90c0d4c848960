"""The campaign itself, with a suite whose cases do what a program must not do."""

from __future__ import annotations

import json
import os
import sys
from itertools import islice
from pathlib import Path

import pytest

from kd_seg_ros.campaign.campaign import Campaign, Limits, Results, problems
from kd_seg_ros.campaign.case import SUITES, Case, endless_cases, load_suite, read_case
from kd_seg_ros.campaign.command import run
from kd_seg_ros.campaign.outcome import Expected, Outcome, Verdict, judged, refusal, unexpected
from kd_seg_ros.common.child_process import ProcessError
from kd_seg_ros.common.command_line import run_command
from kd_seg_ros.common.errors import UserError

SUITE = """
import os, signal, time
from kd_seg_ros.campaign.outcome import Expected, judged
from kd_seg_ros.common.errors import UserError

def names():
    return ["refused", "right", "wrong", "two lines", "traceback", "killed", "exits", "hangs", "memory"]

seen = 0

def fail(text):
    raise UserError(text)

def try_case(name, seed, folder):
    global seen
    seen += 1
    (folder / "input").write_text(f"{name} {seed}")
    if name == "refused":
        return judged(lambda: fail("no"), Expected.REFUSED)
    if name == "right":
        return judged(lambda: 5, Expected.SAME, lambda found: "" if found == 5 else "not 5")
    if name == "wrong":
        return judged(lambda: 6, Expected.SAME, lambda found: "" if found == 5 else "not 5")
    if name == "two lines":
        return judged(lambda: fail("a\\nb"), Expected.REFUSED)
    if name == "traceback":
        raise KeyError("x")
    if name == "killed":
        print("last words", flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    if name == "exits":
        os._exit(3)
    if name == "hangs":
        time.sleep(100)
    if name == "memory":
        hoard = bytearray(2**28)
        hoard[:: 4096] = b"x" * len(hoard[:: 4096])
    if name == "flaky" and seen > 1:
        raise KeyError("y")
    return judged(lambda: 5, Expected.SAME)
"""


@pytest.fixture
def suites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    (tmp_path / "bad_suite.py").write_text(SUITE)
    monkeypatch.syspath_prepend(str(tmp_path))
    paths = [str(tmp_path), str(Path(__file__).resolve().parents[3]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.delitem(sys.modules, "bad_suite", raising=False)
    return {"bad": "bad_suite"}


def test_every_outcome_is_told_from_the_others(suites: dict[str, str], tmp_path: Path) -> None:
    names = ["flaky", "refused", "right", "wrong", "two lines", "traceback", "killed", "exits", "hangs"]
    cases = [Case("bad", name, 7) for name in ["right", *names]]
    campaign = Campaign(iter(cases), suites, Limits(None, None, case_s=1.0), tmp_path / "kept")
    results = campaign.run(jobs=1)
    found = {case.name: verdict.outcome for case, verdict in results.failures}
    assert found == {
        "flaky": Outcome.TRACEBACK,
        "wrong": Outcome.WRONG,
        "two lines": Outcome.TRACEBACK,
        "traceback": Outcome.TRACEBACK,
        "killed": Outcome.CRASH,
        "exits": Outcome.CRASH,
        "hangs": Outcome.HANG,
    }
    assert results.counts["bad"][Outcome.RIGHT] == 2
    assert results.counts["bad"][Outcome.CLEAR_ERROR] == 1
    assert results.tried == 10
    details = {case.name: verdict.detail for case, verdict in results.failures}
    assert details["wrong"] == "not 5"
    assert details["killed"] == "SIGSEGV; last words"
    assert details["exits"].startswith("exit status 3")
    assert details["flaky"].startswith(
        "only after other cases in the same process: KeyError at bad_suite.py:"
    )
    assert (tmp_path / "kept" / "bad_killed_7" / "input").read_text() == "killed 7"
    assert not (tmp_path / "kept" / "bad_right_7").exists()
    assert "crash: --case 'bad/killed:7': SIGSEGV; last words" in problems(results)


def test_memory_is_limited(suites: dict[str, str]) -> None:
    results = Campaign(iter([Case("bad", "memory", 1)]), suites, Limits(None, None, memory=2**27)).run(jobs=1)
    assert [verdict.outcome for _, verdict in results.failures] == [Outcome.MEMORY]


def test_a_suite_that_cannot_be_loaded_is_no_outcome() -> None:
    campaign = Campaign(iter([Case("no", "a", 1)]), {"no": "no_such_module"}, Limits(None, None))
    with pytest.raises(ProcessError, match="the suite no cannot be loaded: ModuleNotFoundError"):
        campaign.run(jobs=1)


def test_results_as_a_table_and_as_figures() -> None:
    results = Results()
    results.add(Case("bags", "a", 1), Verdict(Outcome.RIGHT))
    results.add(Case("bags", "b", 2), Verdict(Outcome.HANG, "no answer"))
    assert results.table().splitlines()[2:] == [
        "| bags | 2 | 0 | 1 | 0 | 0 | 0 | 0 | 1 | 0 |",
        "| all | 2 | 0 | 1 | 0 | 0 | 0 | 0 | 1 | 0 |",
    ]
    figures = results.figures()
    assert figures["failures"] == [{"case": "bags/b:2", "outcome": "hang", "detail": "no answer"}]
    assert figures["suites"]["bags"]["hang"] == 1


def test_suites_take_turns_and_seeds_rise() -> None:
    cases = islice(endless_cases({"x": ["a", "b"], "y": ["c"]}, 5), 8)
    expected = "x/a:5 y/c:5 x/b:5 y/c:6 x/a:6 y/c:7 x/b:6 y/c:8"
    assert " ".join(map(str, cases)) == expected


def test_a_case_is_read_as_it_is_printed() -> None:
    case = Case("messages", "jpeg: progressive, cut", 12)
    assert read_case(str(case), SUITES) == case
    for text, message in (
        ("messages", "must be SUITE/NAME:SEED"),
        ("messages/no data:x", "must be SUITE/NAME:SEED"),
        ("message/no data:1", "there is no suite 'message'; did you mean 'messages'"),
        ("messages/no date:1", "has no case 'no date'; did you mean 'no data'"),
    ):
        with pytest.raises(UserError, match=message):
            read_case(text, SUITES)


def test_judgements() -> None:
    assert judged(lambda: 1, Expected.REFUSED).outcome is Outcome.WRONG
    assert judged(lambda: 1, Expected.EITHER).outcome is Outcome.RIGHT
    assert refusal("").outcome is Outcome.TRACEBACK
    assert refusal("a\nb").outcome is Outcome.TRACEBACK
    assert refusal("x" * 10_000).outcome is Outcome.TRACEBACK
    assert refusal("no such file").outcome is Outcome.CLEAR_ERROR

    def refuse() -> int:
        raise UserError("no")

    assert judged(refuse, Expected.SAME) == Verdict(Outcome.REFUSED, "no")
    assert judged(refuse, Expected.EITHER) == Verdict(Outcome.CLEAR_ERROR, "no")
    with pytest.raises(ValueError, match="x") as caught:
        raise ValueError("x")
    assert unexpected(caught.value).detail.startswith("ValueError at test_campaign.py:")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "bag"], "--only: there is no suite 'bag'; did you mean 'bags'"),
        (["--seed", "-1"], "--seed -1: must not be negative"),
        (["--cases", "3", "--minutes", "1"], "not allowed with"),
        (["--case", "bags"], "must be SUITE/NAME:SEED"),
    ],
)
def test_wrong_options(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("fuzz", "", "kd_seg_ros.campaign.command", words) == 2
    assert message in capsys.readouterr().err


def test_the_command_ends_with_status_1_after_a_failure(
    suites: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    import argparse

    given = {
        "minutes": None,
        "cases": None,
        "seed": 0,
        "only": None,
        "out": None,
        "workers": 1,
        "timeout": 20.0,
    }
    bad = argparse.Namespace(**given, case=["bad/wrong:1", "bad/right:1"], json=True)
    assert run(bad, suites) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["cases"] == 2
    assert printed.err == "silently wrong: --case 'bad/wrong:1': not 5\n"
    good = argparse.Namespace(**given, case=["bad/right:1"], json=False)
    assert run(good, suites) == 0
    assert "| bad | 1 | 0 | 1 |" in capsys.readouterr().out


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_names_its_cases(suite: str) -> None:
    if suite == "parameters":
        pytest.importorskip("rclpy")
    names = load_suite(SUITES[suite]).names()
    assert len(names) == len(set(names)) > 5


def test_a_small_campaign_of_the_vehicle_half_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few of every suite; `kd_seg fuzz` tries thousands. Nothing is left in the temporary folder."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    names = {suite: load_suite(module).names() for suite, module in SUITES.items() if _can_run(suite)}
    spread = {suite: there[:: max(1, len(there) // 15)] for suite, there in names.items()}
    results = Campaign(endless_cases(spread, 1000), dict(SUITES), Limits(60, None)).run(jobs=1)
    assert problems(results) == []
    assert results.tried == 60
    assert list(tmp_path.glob("kd_seg_*")) == []


def _can_run(suite: str) -> bool:
    if suite != "parameters":
        return True
    try:
        import rclpy  # noqa: F401
    except ImportError:
        return False
    return True

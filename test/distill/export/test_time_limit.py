from __future__ import annotations

import contextlib
import signal
import threading
import time

import pytest

from distill.export import time_limit
from distill.export.time_limit import OutOfTime, processor_time_limit, processor_time_shown


def _work_without_end() -> None:
    while True:
        with contextlib.suppress(Exception):
            sum(range(1000))


def test_work_that_does_not_end_is_stopped_though_it_catches_all_exceptions() -> None:
    before = signal.getsignal(signal.SIGVTALRM)
    with pytest.raises(OutOfTime), processor_time_limit(0.05):
        _work_without_end()
    assert signal.getsignal(signal.SIGVTALRM) is before


def test_waiting_is_no_work_and_the_limit_ends_with_the_block() -> None:
    with processor_time_limit(0.2):
        time.sleep(0.25)
    assert signal.getitimer(signal.ITIMER_VIRTUAL)[0] == 0


def test_other_threads_have_no_limit() -> None:
    passed = []

    def work() -> None:
        with processor_time_limit(1e-6):
            passed.append(sum(range(100_000)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert passed


def test_the_time_taken_is_shown_and_the_thread_that_shows_it_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(time_limit, "progress_shown", lambda: True)
    with pytest.raises(OutOfTime), processor_time_shown("algebra", 60):
        raise OutOfTime
    assert "processor time" not in [thread.name for thread in threading.enumerate()]
    assert "algebra: 0 s of processor time, at most 60 s" in capsys.readouterr().err

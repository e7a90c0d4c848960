from __future__ import annotations

from distill.benchmarks.timing import WARM_UP, median_seconds, torch_machine


def test_runs_take_turns_after_a_warm_up() -> None:
    calls: list[str] = []
    median_seconds([lambda: calls.append("a"), lambda: calls.append("b")], budget=0, least=3)
    assert "".join(calls) == "a" * WARM_UP + "b" * WARM_UP + "ababab"


def test_rounds_are_bounded() -> None:
    calls: list[int] = []
    assert len(median_seconds([lambda: calls.append(0)], budget=1e9, most=4)) == 1
    assert len(calls) == WARM_UP + 4


def test_machine_names_versions() -> None:
    assert "PyTorch" in torch_machine()
    assert "ONNX Runtime" in torch_machine()

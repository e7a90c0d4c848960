from __future__ import annotations

import sys

import numpy as np
import pytest
import scipy.special

from distill.benchmarks import postprocess
from kd_seg_ros.benchmark.host_route import image_maps
from kd_seg_ros.common.errors import UserError


def test_the_host_computes_argmax_and_softmax() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (1, 5, 6, 7)).astype(np.float32)
    mask, confidence, probability = image_maps(logits, (6, 7))
    softmax = scipy.special.softmax(logits[0], axis=0)
    np.testing.assert_array_equal(mask, logits[0].argmax(0))
    np.testing.assert_allclose(probability, softmax.max(0), rtol=1e-5)
    np.testing.assert_array_equal(confidence, np.round(255 * probability))


def test_both_ways_agree_from_logits_of_both_sizes_and_the_ratios_are_printed() -> None:
    result = postprocess.run(0.1, "cpu", 5, [(9, 12), (36, 48)], (36, 48))
    assert [case["logits"] for case in result.figures] == [(9, 12), (36, 48)]
    for case in result.figures:
        assert case["same_mask"] >= 0.999
        assert case["probability_difference"] < 1e-5
        assert case["ratio"] == pytest.approx(case["host_ms"] / case["graph_ms"])
        assert (
            f"| {case['graph_ms']:.0f} | {case['graph_p99_ms']:.0f} | {case['ratio']:.1f}× |" in result.text
        )
    assert "| 5×9×12: in the graph |" in result.text
    assert "| 5×36×48: in the graph |" in result.text
    assert result.text.count("\n| ") == 5


def test_without_onnx_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match="the package onnx, which is not installed: pip install onnx"):
        postprocess.in_graph(5, (9, 12), (36, 48), "cpu")

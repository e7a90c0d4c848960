"""The catalogue of methods against the formulas they belong to, and what each promises."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from drawn_labels import calibrated_pixels

from distill.calibration.methods import METHODS, fit_all, rare_classes
from distill.calibration.rare import FEWEST
from distill.common.calibration_methods import PARAMETERS, Method

NAMES = ("road", "car", "sky", "train")


def test_every_formula_has_a_method_that_finds_its_parameters() -> None:
    assert list(METHODS) == list(PARAMETERS)


@pytest.mark.parametrize("name", METHODS)
def test_the_documentation_says_whether_a_method_keeps_the_mask(name: Method) -> None:
    text = (Path(__file__).parents[3] / "docs" / "model_file.md").read_text(encoding="utf-8")
    table = text.partition("| `--method` |")[2].partition("\n\n")[0]
    (row,) = [line for line in table.splitlines() if line.startswith(f"| `{name}`")]
    assert row.endswith("stays |") == METHODS[name].keeps_mask


@pytest.mark.parametrize("name", METHODS)
def test_a_method_lowers_the_nll_and_keeps_the_mask_if_it_says_so(name: Method) -> None:
    ideal, labels = calibrated_pixels(20_000, 4)
    logits = ideal * torch.tensor([1.5, 2.5, 2.0, 3.0]) + torch.tensor([0.0, 1.0, -1.0, 0.5])
    calibration = fit_all(logits, labels)[name]
    assert calibration.method == name
    calibrated = calibration.apply(logits.T).T
    nll = torch.nn.functional.cross_entropy
    assert nll(calibrated, labels) < nll(logits, labels)
    assert torch.equal(calibrated.argmax(1), logits.argmax(1)) == METHODS[name].keeps_mask


def test_classes_without_enough_pixels_are_named() -> None:
    labels = torch.tensor([0] * FEWEST + [1] * FEWEST + [2] * 5)
    logits = torch.nn.functional.one_hot(labels, 4).float()
    logits[:FEWEST] = torch.tensor([0.0, 0.0, 0.0, 1.0])  # predicted as the last class
    assert rare_classes("temperature", logits, labels, NAMES) == []
    assert rare_classes("class_temperature", logits, labels, NAMES) == ["road", "sky"]
    assert rare_classes("vector", logits, labels, NAMES) == ["sky", "train"]

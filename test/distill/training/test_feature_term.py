"""Each feature loss against its formula, written out over pixels, channels and images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import rel_entr, softmax

from distill.config.objective import FeatureLossConfig
from distill.losses.catalogue import FEATURE_LOSSES
from distill.models.output import Output
from distill.training.feature_maps import FeatureShape
from distill.training.feature_term import FeatureTerm
from kd_seg_ros.common.errors import UserError

Array = NDArray[np.float64]
HEIGHT, WIDTH = 13, 22
"""Size of the image; padded to 16×24 it has 1 pixel more at the left, right and top, 2 at the bottom."""


def output(seed: int, channels: int) -> Output:
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(2, *shape, generator=generator, dtype=torch.float64)

    features = {"P4": random(channels, 4, 6), "P8": random(channels, 2, 3)}
    return Output(random(21, HEIGHT, WIDTH), random(channels, 4, 6), features, {"P4": 4, "P8": 8})


def shapes_of(output: Output) -> dict[str, FeatureShape]:
    maps = {**output.features, "pre_logits": output.pre_logits, "logits": output.logits}
    return {name: FeatureShape(*values.shape[1:]) for name, values in maps.items()}


def labels() -> torch.Tensor:
    """Labels of the classes 0, 10 and 20, some of them ignored."""
    values = 10 * torch.randint(0, 3, (2, HEIGHT, WIDTH), generator=torch.Generator().manual_seed(5))
    values[0, :5, :9] = 255
    return values


def unit(values: Array, axis: int | tuple[int, ...]) -> Array:
    return values / np.sqrt((values**2).sum(axis, keepdims=True))


def angular(s: Array, t: Array, axes: tuple[int, ...]) -> float:
    """Mean of ‖ŝ − t̂‖² over all axes but those of the norms."""
    return float(((unit(s, axes) - unit(t, axes)) ** 2).sum(axes).mean())


def cwd(s: Array, t: Array, temperature: float = 4.0) -> float:
    p = softmax(t.reshape(2, -1, 24) / temperature, axis=2)
    q = softmax(s.reshape(2, -1, 24) / temperature, axis=2)
    return float(temperature**2 * rel_entr(p, q).sum(2).mean())


def attention_transfer(s: Array, t: Array) -> float:
    a = unit((s**2).mean(1).reshape(2, -1), 1)
    b = unit((t**2).mean(1).reshape(2, -1), 1)
    return float(((a - b) ** 2).mean())


def self_similarity(s: Array, t: Array) -> float:
    total = 0.0
    for image in range(2):
        grams = []
        for m in (s, t):
            pooled = m[image].reshape(-1, 2, 2, 3, 2).max((2, 4)).reshape(-1, 6)
            grams.append(unit(pooled, 0).T @ unit(pooled, 0))
        total += ((grams[0] - grams[1]) ** 2).mean() / 2
    return total


def cross_image(s: Array, t: Array, temperature: float = 0.1) -> float:
    student, teacher = unit(s.reshape(2, -1, 24), 1), unit(t.reshape(2, -1, 24), 1)
    divergences = []
    for i, j in np.ndindex(2, 2):
        p = softmax(teacher[i].T @ teacher[j] / temperature, axis=1)
        q = softmax(student[i].T @ student[j] / temperature, axis=1)
        divergences.append(rel_entr(p, q).sum(1))
    return float(np.mean(divergences))


def local_similarity(s: Array, t: Array) -> float:
    def distances(m: Array) -> Array:
        sums = np.zeros((2, 4, 6))
        for b, y, x in np.ndindex(2, 4, 6):
            for v in range(max(y - 1, 0), min(y + 2, 4)):
                for u in range(max(x - 1, 0), min(x + 2, 6)):
                    sums[b, y, x] += np.linalg.norm(m[b, :, y, x] - m[b, :, v, u])
        return sums

    return float(((distances(s) - distances(t)) ** 2).mean())


def intra_class(s: Array, t: Array) -> float:
    padded = np.pad(labels().numpy(), ((0, 0), (1, 2), (1, 1)), constant_values=255)
    centres = padded[:, 2::4, 2::4]
    squares = []
    for b, y, x in np.argwhere(centres != 255):
        same = centres[b] == centres[b, y, x]
        cosines = [
            m[b, :, y, x] @ unit(m[b][:, same].mean(1), 0) / np.linalg.norm(m[b, :, y, x]) for m in (s, t)
        ]
        squares.append((cosines[0] - cosines[1]) ** 2)
    return float(np.mean(squares))


FORMULAS: dict[str, Callable[[Array, Array], float]] = {
    "l2": lambda s, t: float(((s - t) ** 2).mean()),
    "cwd": cwd,
    "lad": lambda s, t: angular(s, t, (1, 2, 3)),
    "cad": lambda s, t: angular(s, t, (2, 3)),
    "pad": lambda s, t: angular(s, t, (1,)),
    "attention_transfer": attention_transfer,
    "self_similarity": self_similarity,
    "cross_image": cross_image,
    "local_similarity": local_similarity,
    "intra_class": intra_class,
}


def term(teacher_channels: int = 5, **values: Any) -> FeatureTerm:
    config = FeatureLossConfig.model_validate(values)
    shapes = shapes_of(output(0, 5)), shapes_of(output(1, teacher_channels))
    return FeatureTerm("name", config, *shapes).double()


@pytest.mark.parametrize("name", FEATURE_LOSSES)
def test_every_loss_of_the_catalogue_is_computed_on_its_maps(name: str) -> None:
    loss = FEATURE_LOSSES[name]
    student, teacher = output(0, 5), output(1, 5)
    module = term(loss=name, maps=["logits", "P4"])
    module.remember(teacher, labels())
    got = module(student, teacher, labels())
    padded = torch.nn.functional.pad(labels(), (1, 1, 1, 2), value=255)
    expected = loss.compare(student.logits, teacher.logits, labels(), 21)
    expected = expected + loss.compare(student.features["P4"], teacher.features["P4"], padded, 21)
    assert float(got) == pytest.approx(float(expected / 2), rel=1e-12)


@pytest.mark.parametrize("loss", FORMULAS)
def test_formula(loss: str) -> None:
    channels = 5 if FEATURE_LOSSES[loss].same_channels else 7
    student, teacher = output(0, 5), output(1, channels)
    got = term(channels, loss=loss, maps=["P4"])(student, teacher, labels())
    expected = FORMULAS[loss](student.features["P4"].numpy(), teacher.features["P4"].numpy())
    assert float(got) == pytest.approx(expected, rel=1e-9)


def test_temperatures_are_those_of_the_configuration() -> None:
    student, teacher = output(0, 5), output(1, 5)
    maps = student.features["P4"].numpy(), teacher.features["P4"].numpy()
    for loss, formula in (("cwd", cwd), ("cross_image", cross_image)):
        got = term(loss=loss, maps=["P4"], temperature=0.7)(student, teacher, labels())
        assert float(got) == pytest.approx(formula(*maps, 0.7))


def test_maps_may_be_called_differently() -> None:
    student, teacher = output(0, 5), output(1, 5)
    got = term(loss="l2", maps={"P4": "pre_logits", "pre_logits": "P4"})(student, teacher, labels())
    pairs = (student.features["P4"], teacher.pre_logits), (student.pre_logits, teacher.features["P4"])
    assert float(got) == pytest.approx(float(sum((s - t).square().mean() for s, t in pairs)) / 2)


def test_whitened_teacher_features_have_mean_0_and_variance_1() -> None:
    student, teacher = output(0, 5), output(1, 5)
    t = teacher.features["P4"].numpy()
    white = (t - t.mean(1, keepdims=True)) / np.sqrt(t.var(1, keepdims=True) + 1e-5)
    got = term(loss="l2", maps=["P4"], whiten=True)(student, teacher, labels())
    assert float(got) == pytest.approx(((student.features["P4"].numpy() - white) ** 2).mean())


def test_adapters_project_before_the_loss() -> None:
    """Onto a map of the same size: a matrix product per pixel."""
    student, teacher = output(0, 5), output(1, 7)
    module = term(7, loss="l2", maps=["P4", "P8"], adapters=True)
    parameters = dict(module.named_parameters())
    expected = 0.0
    for number, name in enumerate(("P4", "P8")):
        weight = parameters[f"adapters.{number}.projector.projections.0.weight"][:, :, 0, 0]
        bias = parameters[f"adapters.{number}.projector.projections.0.bias"][:, None, None]
        projected = torch.einsum("oc,bchw->bohw", weight, student.features[name]) + bias
        expected += float((projected - teacher.features[name]).square().mean().detach()) / 2
    assert float(module(student, teacher, labels()).detach()) == pytest.approx(expected)


def test_an_adapted_student_is_judged_by_the_labels_of_the_teachers_grid() -> None:
    """The student's P4 lies on the teacher's P8, whose cells have their centres every 8 pixels."""
    student, teacher = output(0, 5), output(1, 7)
    constant = student._replace(features={**student.features, "P4": torch.ones(2, 5, 4, 6).double()})
    got = term(7, loss="intra_class", maps={"P4": "P8"}, adapters=True)(constant, teacher, labels())
    centres = np.pad(labels().numpy(), ((0, 0), (1, 2), (1, 1)), constant_values=255)[:, 4::8, 4::8]
    t, squares = teacher.features["P8"].numpy(), []
    for b, y, x in np.argwhere(centres != 255):
        centroid = t[b][:, centres[b] == centres[b, y, x]].mean(1)
        cosine = t[b, :, y, x] @ centroid / np.linalg.norm(t[b, :, y, x]) / np.linalg.norm(centroid)
        squares.append((1 - cosine) ** 2)
    assert float(got.detach()) == pytest.approx(float(np.mean(squares)))


WIDE, TALL = FeatureShape(6, 2, 2), FeatureShape(4, 4, 2)
FIRST = {"P4": FeatureShape(4, 2, 2), "pre_logits": FeatureShape(4, 2, 2), "logits": FeatureShape(3, 8, 8)}


@pytest.mark.parametrize("loss", FEATURE_LOSSES)
def test_without_an_adapter_shapes_must_fit(loss: Any) -> None:
    """Losses of relations leave the width free."""
    config = FeatureLossConfig(loss=loss, maps=("logits", "P4"))
    FeatureTerm(loss, config, FIRST, FIRST)
    if FEATURE_LOSSES[loss].same_channels:
        with pytest.raises(UserError, match=f"{loss} needs maps of the same number of channels, height and"):
            FeatureTerm(loss, config, FIRST, FIRST | {"P4": WIDE})
    else:
        FeatureTerm(loss, config, FIRST, FIRST | {"P4": WIDE})
    with pytest.raises(
        UserError, match=r"student's P4 is 4×2×2 and the teacher's P4 is 4×4×2: set `adapters"
    ):
        FeatureTerm(loss, config, FIRST, FIRST | {"P4": TALL})
    adapted = FeatureLossConfig.model_validate({"loss": loss, "maps": ["P4"], "adapters": True})
    FeatureTerm(loss, adapted, FIRST, FIRST | {"P4": TALL})


def test_a_map_that_one_of_both_lacks_is_refused_by_name() -> None:
    config = FeatureLossConfig(loss="cwd", maps=("P4", "logits", "P128"))
    pyramid = {"P4": FeatureShape(4, 2, 2), "P128": FeatureShape(4, 1, 1), "logits": FeatureShape(3, 8, 8)}
    FeatureTerm("cwd", config, pyramid, pyramid)
    with pytest.raises(UserError, match=r"the teacher has no map 'P128'; it has P4, pre_logits, logits"):
        FeatureTerm("cwd", config, pyramid, FIRST)
    with pytest.raises(UserError, match="the student has no map 'P128'"):
        FeatureTerm("cwd", config, FIRST, pyramid)

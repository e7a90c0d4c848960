from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from distill.common.class_mapping import map_classes
from distill.losses.kl import kl_loss
from distill.teachers.external import FLOOR, ExternalTeacher, InputSize, Normalisation, our_probabilities
from kd_seg_ros.common.errors import UserError

STUDENT = Normalisation((0.4, 0.3, 0.2), (0.5, 0.25, 0.125))
OWN = Normalisation((0.1, 0.2, 0.3), (0.5, 1.0, 2.0))
AS_IT_IS = InputSize()
NAMES = ["road", "sky", "tree", "bed", "plant"]


class Function(nn.Module):
    """A network from a function; remembers what it saw."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, image: Tensor) -> Tensor:
        self.seen = image
        return self.function(image) * self.weight


def make(function: Callable[[Tensor], Tensor], size: InputSize = AS_IT_IS) -> ExternalTeacher:
    mapping = map_classes(NAMES)
    return ExternalTeacher(
        Function(function),
        mapping,
        student=STUDENT,
        own=OWN,
        size=size,
        source="here",
        architecture="Function",
    )


def random_scores(image: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return 3 * torch.randn(len(image), 5, 8, 16, generator=generator)


def test_the_network_sees_its_own_normalisation() -> None:
    rgb = torch.rand(2, 3, 32, 64)
    student = (rgb - torch.tensor(STUDENT.mean).view(3, 1, 1)) / torch.tensor(STUDENT.std).view(3, 1, 1)
    teacher = make(random_scores)
    teacher(student)
    seen = teacher.network.seen
    assert isinstance(seen, Tensor)
    for channel in range(3):
        expected = (rgb[:, channel] - OWN.mean[channel]) / OWN.std[channel]
        torch.testing.assert_close(seen[:, channel], expected)


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        (InputSize(), (64, 96)),
        (InputSize((48, 32)), (48, 32)),
        (InputSize(multiple=56), (56, 112)),
    ],
)
def test_the_size_it_sees(size: InputSize, shape: tuple[int, int]) -> None:
    teacher = make(random_scores, size)
    output = teacher(torch.zeros(1, 3, 50, 90))
    assert isinstance(teacher.network.seen, Tensor)
    assert teacher.network.seen.shape == (1, 3, *shape)
    assert output.logits.shape == (1, 19, 50, 90)
    assert output.pre_logits.shape == (1, 0, 50, 90)
    assert output.features == {}


def test_probabilities_are_summed_by_class_and_renormalised() -> None:
    """Closed form: softmax over all five, "bed" dropped, "tree" and "plant" added up."""
    scores = torch.tensor([1.0, 2.0, 0.5, 3.0, -1.0])
    output = make(lambda image: scores.view(1, 5, 1, 1).expand(len(image), 5, 8, 8))(
        torch.zeros(2, 3, 32, 32)
    )
    e = [math.exp(s) for s in scores.tolist()]
    kept = e[0] + e[1] + e[2] + e[4]
    expected = np.zeros(19)
    expected[[0, 10, 8]] = [e[0] / kept, e[1] / kept, (e[2] + e[4]) / kept]
    found = output.logits.softmax(dim=1)[1, :, 5, 7]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
    unknown = [i for i in range(19) if i not in (0, 8, 10)]
    assert torch.all(output.logits[:, unknown] == torch.tensor(FLOOR).log())


def test_renormalising_survives_a_certain_dropped_class() -> None:
    """exp(-200) underflows in FP32, yet road : sky stays e : 1."""
    scores = torch.tensor([-199.0, -200.0, -250.0, 0.0, -250.0]).view(1, 5, 1, 1)
    found = our_probabilities(scores, map_classes(NAMES)).flatten()
    assert found[0] == pytest.approx(math.e / (1 + math.e))
    assert found[10] == pytest.approx(1 / (1 + math.e))


def test_probabilities_not_logits_are_resampled() -> None:
    """Midway between a certain road (logit 20) and an unsure sky (logit 2), as NumPy interpolates it."""
    values = torch.zeros(5, 1, 2)
    values[0, 0, 0], values[1, 0, 1] = 20.0, 2.0
    output = make(lambda image: values.expand(1, 5, 1, 2), InputSize((32, 32)))(torch.zeros(1, 3, 1, 8))
    ends = our_probabilities(values[None], map_classes(NAMES))[0, :, 0].numpy()
    # Half-pixel centres: pixel x of 8 lies at (x + ½)/4 − ½ of the two.
    positions = (np.arange(8) + 0.5) / 4 - 0.5
    expected = np.stack([np.interp(positions, [0, 1], row) for row in ends])
    np.testing.assert_allclose(output.logits.exp()[0, :, 0].numpy(), expected, atol=1e-6)


def test_finer_teachers_are_averaged_down() -> None:
    """A checkerboard of certain road and certain sky is neither after shrinking."""
    board = (torch.arange(64).view(-1, 1) + torch.arange(64)) % 2
    scores = torch.stack([20.0 * board, 20.0 * (1 - board), *(torch.full((64, 64), -20.0),) * 3])
    found = make(lambda image: scores[None])(torch.zeros(1, 3, 16, 16)).logits.softmax(dim=1)
    torch.testing.assert_close(found[0, 0, 2:-2, 2:-2], torch.full((12, 12), 0.5), atol=1e-2, rtol=0)


def test_the_output_is_a_distribution_at_every_pixel() -> None:
    logits = make(random_scores)(torch.randn(2, 3, 37, 53)).logits
    torch.testing.assert_close(logits.exp().sum(dim=1), torch.ones(2, 37, 53))
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_kl_of_a_student_that_agrees_is_zero(temperature: float) -> None:
    teacher = make(random_scores)(torch.randn(2, 3, 20, 24)).logits
    mask = torch.ones(2, 20, 24)
    student = teacher + torch.randn(2, 1, 20, 24)  # a constant per pixel changes no probability
    assert kl_loss(student, teacher, mask, temperature).item() == pytest.approx(0, abs=1e-6)
    assert kl_loss(torch.zeros_like(teacher), teacher, mask, temperature) > 0.1


def test_kl_at_one_is_that_of_the_probabilities() -> None:
    teacher = make(random_scores)(torch.zeros(1, 3, 8, 16)).logits
    student = torch.randn(1, 19, 8, 16)
    p = our_probabilities(random_scores(torch.zeros(1)), map_classes(NAMES)).double().numpy()
    log_q = student.double().log_softmax(dim=1).numpy()
    expected = np.where(p > 0, p * (np.log(np.maximum(p, 1e-300)) - log_q), 0).sum(axis=1).mean()
    assert kl_loss(student, teacher, torch.ones(1, 8, 16)).item() == pytest.approx(expected, rel=1e-5)


def test_no_gradient_and_evaluation_mode() -> None:
    teacher = make(random_scores)
    image = torch.randn(1, 3, 32, 32, requires_grad=True)
    assert not teacher(image).logits.requires_grad
    assert not teacher.training
    assert not any(p.requires_grad for p in teacher.parameters())


def test_post_processing_is_in_full_precision_under_autocast() -> None:
    kernel = torch.arange(5.0).view(5, 1, 1, 1).expand(5, 3, 1, 1)

    def network(image: Tensor) -> Tensor:
        return nn.functional.conv2d(image, kernel)

    image = torch.randn(1, 3, 32, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        teacher = make(network)
        logits = teacher(image).logits
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits.exp().sum(dim=1), torch.ones(1, 32, 32), atol=1e-6, rtol=0)
    assert isinstance(teacher.network.seen, Tensor)
    assert teacher.network.seen.dtype == torch.float32
    torch.testing.assert_close(logits.exp(), make(network)(image).logits.exp(), atol=0.05, rtol=0)


@pytest.mark.parametrize("shape", [(1, 4, 8, 8), (1, 5, 8)])
def test_other_classes_than_said_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"^here: the teacher returns .* for its 5 classes$"):
        make(lambda image: torch.zeros(shape))(torch.zeros(1, 3, 32, 32))


def test_a_size_it_does_not_run_at_is_named() -> None:
    with pytest.raises(UserError, match=r"^here: .* \[1, 3, 32, 64\] \(shape .*teacher\.size$") as error:
        make(lambda image: image.reshape(1, 5, 8, 8))(torch.zeros(1, 3, 20, 40))
    assert "\n" not in str(error.value)


def test_describe() -> None:
    text = make(random_scores, InputSize((48, 32))).describe()
    assert text.startswith("teacher: here (Function)\nits input: mean [0.1, 0.2, 0.3], std [0.5, 1.0, 2.0], ")
    assert "48×32" in text
    assert "classes: 3 of our 19" in text
    assert "multiples of 32" in make(random_scores).describe()


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        ((0.5, 0.5, 0.5), (0.5, 0.0, 0.5)),
        ((0.5, 0.5), (0.5, 0.5, 0.5)),
        ((0.5, 0.5, math.nan), (0.5, 0.5, 0.5)),
    ],
)
def test_impossible_normalisations_are_refused(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    with pytest.raises(UserError, match=r"^teacher\.mean"):
        Normalisation.checked(mean, std, "teacher.mean")

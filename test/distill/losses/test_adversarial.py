"""The two hinge losses against scikit-learn's, and who learns from which."""

import numpy as np
import pytest
import torch
from sklearn.metrics import hinge_loss
from torch import Tensor, nn

from distill.losses.adversarial import discriminator_loss, generator_loss
from distill.models.discriminator import Discriminator


class Linear(nn.Module):
    """Scores by the first class and the image's red, so that scores can be chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))

    def forward(self, probabilities: Tensor, image: Tensor) -> Tensor:
        return self.weight * probabilities[:, :1] + image[:, :1]


GENERATOR = torch.Generator().manual_seed(0)
STUDENT = torch.randn(2, 5, 4, 6, generator=GENERATOR, dtype=torch.float64)
TEACHER = torch.randn(2, 5, 4, 6, generator=GENERATOR, dtype=torch.float64)
IMAGE = torch.randn(2, 3, 4, 6, generator=GENERATOR, dtype=torch.float64)


def test_discriminators_loss_is_the_hinge_loss_of_two_classes() -> None:
    """Scikit-learn's mean is over both halves together; here each half has its own mean."""
    scores = [(p[:, 0] + IMAGE[:, 0]).numpy().ravel() for p in (TEACHER, STUDENT)]
    truth = np.repeat([1, -1], STUDENT[:, 0].numel())
    expected = 2 * hinge_loss(truth, np.concatenate(scores))
    assert discriminator_loss(Linear(), STUDENT, TEACHER, IMAGE).item() == pytest.approx(expected)


def test_students_loss_is_minus_the_mean_score() -> None:
    expected = -float((STUDENT[:, 0] + IMAGE[:, 0]).mean())
    assert generator_loss(Linear(), STUDENT, IMAGE).item() == pytest.approx(expected)


def test_each_loss_teaches_its_own_network_only() -> None:
    discriminator = Linear()
    student, teacher = STUDENT.clone().requires_grad_(), TEACHER.clone().requires_grad_()
    generator_loss(discriminator, student, IMAGE).backward()
    assert discriminator.weight.grad is None
    assert student.grad is not None
    student.grad = None
    discriminator_loss(discriminator, student, teacher, IMAGE).backward()
    assert discriminator.weight.grad is not None
    assert student.grad is None
    assert teacher.grad is None


def test_gradients_equal_finite_differences() -> None:
    torch.manual_seed(0)
    network = Discriminator(5, width=2).double().eval()
    student = STUDENT.repeat(1, 1, 4, 3).softmax(1).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: generator_loss(network, s, IMAGE), student, fast_mode=True)


def probabilities(seed: int, size: int) -> Tensor:
    """Noise for the student (seed 0), certain blocks for the teacher."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(4, 5, size // (8 if seed else 1), size // (8 if seed else 1), generator=generator)
    return (
        (coarse * (9 if seed else 1))
        .repeat_interleave(size // coarse.shape[2], 2)
        .repeat_interleave(size // coarse.shape[3], 3)
        .softmax(1)
    )


def test_the_discriminator_learns_to_tell_and_the_student_to_deceive() -> None:
    torch.manual_seed(0)
    network = Discriminator(5, width=8)
    image, teacher = torch.zeros(4, 3, 32, 32), probabilities(1, 32)
    logits = probabilities(0, 32).log().requires_grad_()

    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    first = discriminator_loss(network, logits.softmax(1), teacher, image).item()
    for _ in range(30):
        optimizer.zero_grad()
        loss = discriminator_loss(network, logits.softmax(1), teacher, image)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5 * first

    before = generator_loss(network, logits.softmax(1), image).item()
    student_optimizer = torch.optim.Adam([logits], lr=0.1)
    for _ in range(10):
        student_optimizer.zero_grad()
        generator_loss(network, logits.softmax(1), image).backward()
        student_optimizer.step()
    assert generator_loss(network, logits.softmax(1), image).item() < before - 0.5


def test_losses_are_in_fp32_under_autocast_and_for_half_probabilities() -> None:
    network = Discriminator(5, width=4).eval()
    student, teacher = probabilities(0, 16).half(), probabilities(1, 16).half()
    image = torch.rand(4, 3, 16, 16)
    expected = discriminator_loss(network, student.float(), teacher.float(), image)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = discriminator_loss(network, student, teacher, image)
        assert generator_loss(network, student, image).dtype == torch.float32
    torch.testing.assert_close(value, expected, rtol=0, atol=0)


def test_shapes_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(2, 5, 4, 6\).*\(2, 4, 4, 6\)"):
        discriminator_loss(Linear(), STUDENT, TEACHER[:, :4], IMAGE)

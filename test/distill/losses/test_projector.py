"""Projectors against matrix products."""

import pytest
import torch

from distill.losses.pad import pad_loss
from distill.losses.projector import Projector, logit_projector

FEATURES = torch.randn(2, 3, 4, 6, generator=torch.Generator().manual_seed(0))


def by_matrix(projector: Projector, index: int) -> torch.Tensor:
    weights = projector.state_dict()
    matrix = weights[f"projections.{index}.weight"][:, :, 0, 0]
    return (
        torch.einsum("dc,bchw->bdhw", matrix, FEATURES) + weights[f"projections.{index}.bias"][:, None, None]
    )


def test_one_is_a_plain_linear_adapter() -> None:
    projector = Projector(3, 5)
    torch.testing.assert_close(projector(FEATURES), by_matrix(projector, 0))


def test_several_are_averaged() -> None:
    projector = Projector(3, 5, count=3)
    expected = sum(by_matrix(projector, i) for i in range(3)) / 3
    torch.testing.assert_close(projector(FEATURES), expected)


def test_relu_comes_before_the_average() -> None:
    projector = Projector(3, 5, count=3, relu=True)
    expected = sum(by_matrix(projector, i).clamp(min=0) for i in range(3)) / 3
    torch.testing.assert_close(projector(FEATURES), expected)


def test_projectors_start_different_from_each_other() -> None:
    first, second = Projector(3, 5, count=2).projections
    assert not torch.equal(*(dict(p.named_parameters())["weight"] for p in (first, second)))


def test_parameters_are_as_documented() -> None:
    assert sum(p.numel() for p in Projector(3, 5, count=4).parameters()) == 4 * (3 + 1) * 5


def test_it_learns_a_linear_teacher() -> None:
    torch.manual_seed(0)
    teacher = torch.einsum("dc,bchw->bdhw", torch.randn(5, 3), FEATURES)
    projector = Projector(3, 5, count=2)
    optimizer = torch.optim.Adam(projector.parameters(), lr=0.05)
    first = pad_loss(projector(FEATURES), teacher).item()
    for _ in range(150):
        optimizer.zero_grad()
        loss = pad_loss(projector(FEATURES), teacher)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.01 * first


def test_none_is_refused() -> None:
    with pytest.raises(ValueError, match="count must be 1 or more"):
        Projector(3, 5, count=0)


def test_the_projector_of_logits_starts_as_the_identity() -> None:
    projector = logit_projector(3)
    assert torch.equal(projector(FEATURES), FEATURES)
    assert sum(p.numel() for p in projector.parameters()) == 3 * 4

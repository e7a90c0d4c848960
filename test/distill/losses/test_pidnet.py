from typing import Any

import pytest
import torch

from distill.losses.boundary import boundary_loss
from distill.losses.ohem import ohem_loss
from distill.losses.pidnet import pidnet_loss

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(2, 4, 6, 8, generator=GENERATOR)
SEMANTIC = torch.randn(2, 4, 6, 8, generator=GENERATOR)
BOUNDARY = 4 * torch.randn(2, 1, 6, 8, generator=GENERATOR)
LABELS = torch.randint(0, 4, (2, 6, 8), generator=GENERATOR)
LABELS[0, 0] = 255


def test_terms_are_those_of_the_paper() -> None:
    terms = pidnet_loss(LOGITS, {"semantic": SEMANTIC, "boundary": BOUNDARY}, LABELS)
    # As in the authors' code: a map that is 0 at ignored pixels, averaged over all of them.
    cross_entropy = torch.nn.functional.cross_entropy(SEMANTIC, LABELS, ignore_index=255, reduction="none")
    torch.testing.assert_close(terms["auxiliary"], 0.4 * cross_entropy.mean())
    torch.testing.assert_close(terms["ohem"], ohem_loss(LOGITS, LABELS))
    torch.testing.assert_close(terms["boundary"], 20 * boundary_loss(BOUNDARY, LABELS))
    at_boundary = LABELS.clone()
    at_boundary[torch.sigmoid(BOUNDARY[:, 0]) <= 0.8] = 255
    torch.testing.assert_close(terms["ohem_at_boundary"], ohem_loss(LOGITS, at_boundary))
    assert list(terms) == ["ohem", "auxiliary", "boundary", "ohem_at_boundary"]


def test_what_is_hard_can_be_chosen() -> None:
    terms = pidnet_loss(LOGITS, {"boundary": BOUNDARY}, LABELS, threshold=0.3, keep=5)
    chosen: dict[str, Any] = {"threshold": 0.3, "keep": 5}
    torch.testing.assert_close(terms["ohem"], ohem_loss(LOGITS, LABELS, **chosen))
    at_boundary = LABELS.masked_fill(torch.sigmoid(BOUNDARY[:, 0]) <= 0.8, 255)
    torch.testing.assert_close(terms["ohem_at_boundary"], ohem_loss(LOGITS, at_boundary, **chosen))
    assert terms["ohem"] > ohem_loss(LOGITS, LABELS)


def test_a_network_with_one_head_more_has_one_term_more() -> None:
    assert list(pidnet_loss(LOGITS, {"semantic": SEMANTIC}, LABELS)) == ["ohem", "auxiliary"]
    assert list(pidnet_loss(LOGITS, {}, LABELS)) == ["ohem"]


def test_where_no_boundary_is_seen_there_is_nothing_to_repeat() -> None:
    terms = pidnet_loss(LOGITS, {"boundary": torch.full((2, 1, 6, 8), -9.0)}, LABELS)
    assert terms["ohem_at_boundary"].item() == 0


def test_the_boundary_head_learns_from_its_own_term_alone() -> None:
    boundary = BOUNDARY.clone().requires_grad_()
    terms = pidnet_loss(LOGITS, {"boundary": boundary}, LABELS)
    assert not terms["ohem_at_boundary"].requires_grad
    assert terms["boundary"].requires_grad


def test_ignored_labels_give_finite_zeros() -> None:
    terms = pidnet_loss(LOGITS, {"semantic": SEMANTIC, "boundary": BOUNDARY}, torch.full_like(LABELS, 255))
    assert {name: value.item() for name, value in terms.items()} == pytest.approx(dict.fromkeys(terms, 0.0))

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from distill.config import FeatureLossConfig, ObjectiveConfig
from distill.losses import pidnet_loss
from distill.models.output import Output
from distill.objective import check_maps, objective
from kd_seg_ros.errors import UserError


def output(seed: int) -> Output:
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)

    return Output(
        random(2, 19, 8, 8), random(2, 4, 2, 2), {"P4": random(2, 4, 2, 2), "P8": random(2, 4, 1, 1)}
    )


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(9)
    labels = torch.randint(0, 19, (2, 8, 8), generator=generator)
    labels[0, :2] = 255
    weights = torch.randint(1, 9, (2, 8, 8), generator=generator).double() * (labels != 255)
    return {"labels": labels, "weights": weights}


def semantic(batch: dict[str, torch.Tensor], logits: torch.Tensor) -> float:
    """Border-focal loss, straight from equation 3.3."""
    total, weights = 0.0, 0.0
    p = logits.softmax(1)
    for b, y, x in torch.nonzero(batch["labels"] != 255).tolist():
        p_y = float(p[b, batch["labels"][b, y, x], y, x])
        alpha = float(batch["weights"][b, y, x])
        total += alpha * (1 - p_y) ** 0.5 * -float(torch.tensor(p_y, dtype=torch.float64).log())
        weights += alpha
    return total / weights


def test_without_a_teacher_it_is_the_semantic_loss(batch: dict[str, torch.Tensor]) -> None:
    student = output(0)
    total, terms = objective(ObjectiveConfig(), batch, student, None)
    assert float(total.detach()) == pytest.approx(semantic(batch, student.logits))
    assert list(terms) == ["semantic"]


@pytest.mark.parametrize("kind", ["kl", "kl_border"])
def test_lambda_shares_between_labels_and_teacher(batch: dict[str, torch.Tensor], kind: Any) -> None:
    student, teacher = output(0), output(1)
    config = ObjectiveConfig(logits=kind, logits_weight=0.25, logits_temperature=2.0)
    total, terms = objective(config, batch, student, teacher)
    p, q = (F.log_softmax(o.logits / 2, dim=1) for o in (teacher, student))
    pixelwise = (p.exp() * (p - q)).sum(1)
    weights = batch["weights"] if kind == "kl_border" else (batch["labels"] != 255).double()
    divergence = 4 * float((weights * pixelwise).sum() / weights.sum())
    assert float(terms[kind]) == pytest.approx(0.25 * divergence)
    assert float(total.detach()) == pytest.approx(0.75 * semantic(batch, student.logits) + 0.25 * divergence)


def test_feature_losses_are_means_over_their_maps_and_keep_the_full_semantic_loss(
    batch: dict[str, torch.Tensor],
) -> None:
    student, teacher = output(0), output(1)
    config = ObjectiveConfig(
        features=(
            FeatureLossConfig(loss="l2", weight=3.0, maps=("P4", "P8")),
            FeatureLossConfig(loss="lad", weight=0.5, maps=("pre_logits",)),
        )
    )
    total, terms = objective(config, batch, student, teacher)
    l2 = 3 * sum(float(F.mse_loss(student.features[m], teacher.features[m])) for m in ("P4", "P8")) / 2
    cosine = F.cosine_similarity(student.pre_logits.flatten(1), teacher.pre_logits.flatten(1))
    lad = 0.5 * float((2 - 2 * cosine).mean())
    assert float(terms["l2"]) == pytest.approx(l2)
    assert float(terms["lad"]) == pytest.approx(lad)
    assert float(total.detach()) == pytest.approx(semantic(batch, student.logits) + l2 + lad)


def test_only_the_student_gets_gradients(batch: dict[str, torch.Tensor]) -> None:
    student, teacher = output(0), output(1)
    config = ObjectiveConfig(
        logits="kl_border", features=(FeatureLossConfig(loss="cwd", maps=("P4", "logits")),)
    )
    objective(config, batch, student, teacher)[0].backward()
    assert student.logits.grad is not None
    assert student.features["P4"].grad is not None
    assert teacher.logits.grad is None
    assert teacher.features["P4"].grad is None


def test_a_map_that_one_of_both_lacks_is_refused_by_name() -> None:
    config = ObjectiveConfig(features=(FeatureLossConfig(loss="cwd", maps=("P4", "logits", "P128")),))
    pyramid, shorter = {"P4": 4, "P128": 128}, {"P4": 4, "P8": 8}
    check_maps(config, pyramid, pyramid)
    with pytest.raises(UserError, match=r"the teacher has no map 'P128'; it has P4, P8, pre_logits, logits"):
        check_maps(config, pyramid, shorter)
    with pytest.raises(UserError, match="the student has no map 'P128'"):
        check_maps(config, shorter, pyramid)


@pytest.mark.parametrize("logits", ["none", "kl"])
def test_pidnets_objective_shares_its_ohem_term_alone_with_the_teacher(
    batch: dict[str, torch.Tensor], logits: Any
) -> None:
    student, teacher = output(0), output(1)
    student = student._replace(auxiliary={"semantic": output(2).logits})
    total, terms = objective(ObjectiveConfig(semantic="pidnet", logits=logits), batch, student, teacher)
    full = pidnet_loss(student.logits, student.auxiliary, batch["labels"])
    share = 0.5 if logits == "kl" else 1
    torch.testing.assert_close(terms["ohem"], share * full["ohem"].detach())
    torch.testing.assert_close(terms["auxiliary"], full["auxiliary"].detach())
    assert list(terms) == ["ohem", "auxiliary", *(["kl"] if logits == "kl" else [])]
    torch.testing.assert_close(total.detach(), torch.stack(list(terms.values())).sum())


def test_auxiliary_heads_learn_with_any_semantic_loss(batch: dict[str, torch.Tensor]) -> None:
    student = output(0)._replace(auxiliary={"semantic": output(2).logits})
    _, terms = objective(ObjectiveConfig(), batch, student, None)
    expected = F.cross_entropy(student.auxiliary["semantic"], batch["labels"], ignore_index=255)
    torch.testing.assert_close(terms["auxiliary"], 0.4 * expected.detach())

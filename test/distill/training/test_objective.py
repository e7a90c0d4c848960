from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from distill.config import FeatureLossConfig, ObjectiveConfig
from distill.losses.pidnet import pidnet_loss
from distill.models.output import Output
from distill.training.feature_maps import FeatureShape
from distill.training.objective import Objective
from kd_seg_ros.common.errors import UserError

Batch = dict[str, torch.Tensor]


def output(seed: int, channels: int = 4) -> Output:
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)

    return Output(
        random(2, 19, 8, 8),
        random(2, channels, 2, 2),
        {"P4": random(2, channels, 2, 2), "P8": random(2, channels, 1, 1)},
        {"P4": 4, "P8": 8},
    )


def shapes_of(output: Output) -> dict[str, FeatureShape]:
    maps = {**output.features, "pre_logits": output.pre_logits, "logits": output.logits}
    return {name: FeatureShape(*values.shape[1:]) for name, values in maps.items()}


@pytest.fixture
def batch() -> Batch:
    generator = torch.Generator().manual_seed(9)
    labels = torch.randint(0, 19, (2, 8, 8), generator=generator)
    labels[0, :2] = 255
    weights = torch.randint(1, 9, (2, 8, 8), generator=generator).double() * (labels != 255)
    return {"labels": labels, "weights": weights, "distil": labels != 255}


def objective(
    config: ObjectiveConfig, batch: Batch, student: Output, teacher: Output | None, progress: float = 0.0
) -> tuple[Tensor, dict[str, Tensor]]:
    shapes = [shapes_of(output) for output in (student, teacher or student)]
    result: tuple[Tensor, dict[str, Tensor]] = Objective(config, *shapes)(batch, student, teacher, progress)
    return result


def semantic(batch: Batch, logits: torch.Tensor) -> float:
    """Border-focal loss, straight from equation 3.3."""
    total, weights = 0.0, 0.0
    p = logits.detach().softmax(1)
    for b, y, x in torch.nonzero(batch["labels"] != 255).tolist():
        p_y = float(p[b, batch["labels"][b, y, x], y, x])
        alpha = float(batch["weights"][b, y, x])
        total += alpha * (1 - p_y) ** 0.5 * -float(torch.tensor(p_y, dtype=torch.float64).log())
        weights += alpha
    return total / weights


def divergence(student: Output, teacher: Output, weights: Tensor, temperature: float) -> float:
    """T²·Σ w·KL(p^T ‖ p^S) / Σ w."""
    p = F.log_softmax(teacher.logits / temperature, dim=1)
    q = F.log_softmax(student.logits / temperature, dim=1)
    pixelwise = (p.exp() * (p - q)).sum(1)
    return temperature**2 * float((weights * pixelwise).sum().detach() / weights.sum())


def test_without_a_teacher_it_is_the_semantic_loss(batch: Batch) -> None:
    student = output(0)
    total, terms = objective(ObjectiveConfig(), batch, student, None)
    assert float(total.detach()) == pytest.approx(semantic(batch, student.logits))
    assert list(terms) == ["semantic"]


def test_the_published_border_focal_loss_can_be_chosen(batch: Batch) -> None:
    student = output(0)
    labelled = batch["labels"] != 255
    p_y = student.logits.detach().softmax(1).gather(1, (batch["labels"] * labelled)[:, None])[:, 0][labelled]
    expected = float((batch["weights"][labelled] * torch.exp(0.5 * (1 - p_y)) * -p_y.log()).mean())
    total, _ = objective(ObjectiveConfig(semantic="border_focal_published"), batch, student, None)
    assert float(total.detach()) == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["kl", "kl_border"])
def test_lambda_shares_between_labels_and_teacher(batch: Batch, kind: Any) -> None:
    student, teacher = output(0), output(1)
    config = ObjectiveConfig(logits=kind, logits_weight=0.25, logits_temperature=2.0)
    total, terms = objective(config, batch, student, teacher)
    weights = batch["weights"] if kind == "kl_border" else (batch["labels"] != 255).double()
    expected = 0.25 * divergence(student, teacher, weights, 2.0)
    assert float(terms[kind]) == pytest.approx(expected)
    assert float(total.detach()) == pytest.approx(0.75 * semantic(batch, student.logits) + expected)


@pytest.mark.parametrize("kind", ["kl", "kl_border"])
def test_unlabelled_pixels_count_where_the_teacher_is_asked(batch: Batch, kind: Any) -> None:
    """The second image has no labels; of the first the ignored rows stay out."""
    student, teacher = output(0), output(1)
    batch["labels"][1], batch["weights"][1], batch["distil"][1] = 255, 0, True
    _, terms = objective(ObjectiveConfig(logits=kind, logits_weight=1), batch, student, teacher)
    weights = torch.ones(2, 8, 8, dtype=torch.float64)
    weights[0] = batch["weights"][0] if kind == "kl_border" else batch["weights"][0] > 0
    assert float(terms[kind]) == pytest.approx(divergence(student, teacher, weights, 1))


@pytest.mark.parametrize("kind", ["kl", "kl_border"])
def test_a_learnt_temperature_starts_at_15_6_and_climbs_the_loss(batch: Batch, kind: Any) -> None:
    student, teacher = output(0), output(1)
    module = Objective(ObjectiveConfig(logits=kind, logits_weight=1, curriculum_temperature=True))
    assert module.curriculum is not None
    temperature = 1 + 20 / (1 + torch.exp(torch.tensor(-1.0)).item())
    weights = batch["weights"] if kind == "kl_border" else batch["distil"].double()
    _, terms = module(batch, student, teacher, 0.5)
    assert float(terms[kind]) == pytest.approx(divergence(student, teacher, weights, temperature), rel=1e-6)
    rise = [divergence(student, teacher, weights, temperature + step) for step in (-1e-3, 1e-3)]
    for progress, direction in ((0.0, 0.0), (0.5, -1.0)):
        module.zero_grad()
        module(batch, student, teacher, progress)[0].backward()
        slope = (rise[1] - rise[0]) / 2e-3 * 20 * torch.sigmoid(torch.tensor(1.0)).item() * (1 - 0.7310586)
        assert module.curriculum.theta.grad is not None
        assert float(module.curriculum.theta.grad) == pytest.approx(direction * slope, rel=1e-3, abs=1e-12)


def test_feature_losses_are_means_over_their_maps_and_keep_the_full_semantic_loss(batch: Batch) -> None:
    student, teacher = output(0), output(1)
    config = ObjectiveConfig(
        features=(
            FeatureLossConfig(loss="l2", weight=3.0, maps=("P4", "P8")),
            FeatureLossConfig(loss="lad", weight=0.5, maps=("pre_logits",)),
        )
    )
    total, terms = objective(config, batch, student, teacher)
    l2 = 3 * sum(F.mse_loss(student.features[m], teacher.features[m]).item() for m in ("P4", "P8")) / 2
    cosine = F.cosine_similarity(student.pre_logits.flatten(1), teacher.pre_logits.flatten(1))
    lad = 0.5 * (2 - 2 * cosine).mean().item()
    assert float(terms["l2"]) == pytest.approx(l2)
    assert float(terms["lad"]) == pytest.approx(lad)
    assert float(total.detach()) == pytest.approx(semantic(batch, student.logits) + l2 + lad)


def test_one_loss_may_be_there_twice(batch: Batch) -> None:
    student, teacher = output(0), output(1)
    features = tuple(FeatureLossConfig(loss="l2", maps=(name,)) for name in ("P4", "logits"))
    total, terms = objective(ObjectiveConfig(features=features), batch, student, teacher)
    assert list(terms) == ["semantic", "l2", "l2_2"]
    assert float(terms["l2"]) == pytest.approx(
        F.mse_loss(student.features["P4"], teacher.features["P4"]).item()
    )
    assert float(terms["l2_2"]) == pytest.approx(F.mse_loss(student.logits, teacher.logits).item())
    torch.testing.assert_close(total.detach(), torch.stack(list(terms.values())).sum())


def test_only_the_student_and_what_learns_with_it_get_gradients(batch: Batch) -> None:
    student, teacher = output(0), output(1, channels=6)
    features = (
        FeatureLossConfig(loss="cwd", maps=("logits",)),
        FeatureLossConfig.model_validate({"loss": "cwd", "maps": ["P4"], "adapters": True}),
    )
    config = ObjectiveConfig(logits="kl_border", features=features)
    module = Objective(config, shapes_of(student), shapes_of(teacher)).double()
    module(batch, student, teacher)[0].backward()
    assert student.logits.grad is not None
    assert student.features["P4"].grad is not None
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
    assert sum(p.numel() for p in module.parameters()) == 5 * 6
    assert teacher.logits.grad is None
    assert teacher.features["P4"].grad is None


def test_what_is_compared_is_said_with_its_weights() -> None:
    shapes = shapes_of(output(0)), shapes_of(output(1, channels=6))
    values = {
        "logits": "kl",
        "adversarial": {"weight": 0.01},
        "features": [
            {"loss": "cwd", "maps": {"P8": "P4"}, "adapters": {"projectors": 2}},
            {"loss": "self_similarity", "maps": ["P4", "pre_logits"]},
        ],
    }
    assert Objective(ObjectiveConfig.model_validate(values), *shapes).describe() == (
        "objective: border-focal × 0.5 + kl (temperature 1) × 0.5 + cwd on P8 → P4 × 50 + "
        "self_similarity on P4, pre_logits × 10 + adversarial × 0.01\n"
        "adapter of cwd: student P8 4×1×1 → teacher P4 6×2×2, 2 projectors, 60 extra parameters, "
        "training only"
    )
    pidnet = Objective(ObjectiveConfig(semantic="pidnet")).describe(["semantic", "boundary"])
    assert pidnet == (
        "objective: PIDNet's, OHEM × 1 + auxiliary head × 0.4 + boundary head × 20 + OHEM at boundaries × 1"
    )


@pytest.mark.parametrize("logits", ["none", "kl"])
def test_pidnets_objective_shares_its_ohem_term_alone_with_the_teacher(batch: Batch, logits: Any) -> None:
    student, teacher = output(0), output(1)
    student = student._replace(auxiliary={"semantic": output(2).logits})
    total, terms = objective(ObjectiveConfig(semantic="pidnet", logits=logits), batch, student, teacher)
    full = pidnet_loss(student.logits, student.auxiliary, batch["labels"])
    share = 0.5 if logits == "kl" else 1
    torch.testing.assert_close(terms["ohem"], share * full["ohem"].detach())
    torch.testing.assert_close(terms["auxiliary"], full["auxiliary"].detach())
    assert list(terms) == ["ohem", "auxiliary", *(["kl"] if logits == "kl" else [])]
    torch.testing.assert_close(total.detach(), torch.stack(list(terms.values())).sum())


def test_auxiliary_heads_learn_with_any_semantic_loss(batch: Batch) -> None:
    student = output(0)._replace(auxiliary={"semantic": output(2).logits})
    _, terms = objective(ObjectiveConfig(), batch, student, None)
    head, labels = student.auxiliary["semantic"].detach(), batch["labels"]
    expected = F.cross_entropy(head, labels, ignore_index=255, reduction="sum") / labels.numel()
    torch.testing.assert_close(terms["auxiliary"], 0.4 * expected)


@pytest.mark.parametrize(("semantic", "title"), [("cross_entropy", "cross-entropy"), ("ohem", "OHEM")])
def test_what_the_baselines_minimise(semantic: str, title: str, batch: Batch) -> None:
    """OHEM with the numbers of the configuration: all pixels where it keeps them, else the hardest alone."""
    student = output(0)
    config = ObjectiveConfig(semantic=semantic, ohem_threshold=0.5, ohem_keep=3)
    total, terms = objective(config, batch, student, None)
    nll = F.cross_entropy(student.logits.detach(), batch["labels"], ignore_index=255, reduction="none")
    nll = nll[batch["labels"] != 255].sort(descending=True).values
    if semantic == "ohem":
        nll = nll[: max(3, int((nll.neg().exp() < 0.5).sum()))]
    torch.testing.assert_close(total.detach(), nll.mean())
    assert list(terms) == ["semantic"]
    assert f"objective: {title} × 1" in Objective(config).describe()


def test_maps_that_cannot_be_compared_are_refused() -> None:
    config = ObjectiveConfig(features=(FeatureLossConfig(loss="cwd", maps=("P4",)),))
    shapes = shapes_of(output(0)), shapes_of(output(1, channels=6))
    with pytest.raises(
        UserError, match=r"student's P4 is 4×2×2 and the teacher's P4 is 6×2×2.*`adapters: true`"
    ):
        Objective(config, *shapes)


def test_a_projector_of_logits_stands_before_kl_alone_and_learns(batch: Batch) -> None:
    student, teacher = output(0), output(1)
    config = ObjectiveConfig(logits="kl", logits_projector=True)
    module = Objective(config, num_classes=19).double()
    assert module.projector is not None
    with torch.no_grad():
        module.projector.weight.normal_(generator=torch.Generator().manual_seed(3))
    total, terms = module(batch, student, teacher)
    projected = student._replace(logits=module.projector(student.logits))
    labels = (batch["labels"] != 255).double()
    assert float(terms["kl"]) == pytest.approx(0.5 * divergence(projected, teacher, labels, 1.0))
    assert float(terms["semantic"]) == pytest.approx(0.5 * semantic(batch, student.logits))
    total.backward()
    assert all(p.grad is not None and p.grad.any() for p in module.learning_with_student())
    assert "kl (temperature 1, projected student) × 0.5" in module.describe()


def test_a_batch_is_remembered_once(batch: Batch) -> None:
    """In the step itself, not where its parts are measured again."""
    student, teacher = output(0), output(1)
    features = (FeatureLossConfig(loss="memory_bank", maps=("P4",)),)
    module = Objective(ObjectiveConfig(features=features), shapes_of(student), shapes_of(teacher))
    _, terms = module(batch, student, teacher)
    (memory,) = next(iter(module.feature_terms)).memories
    filled = memory.regions.filled.clone()
    assert filled.any()
    parts = dict(module.each_part(batch, student, teacher))
    assert float(parts["memory_bank"].detach()) == pytest.approx(float(terms["memory_bank"]))
    assert torch.equal(memory.regions.filled, filled)
    assert "memory_bank on P4, memory of 2 MB, in every checkpoint, × 0.1" in module.describe()

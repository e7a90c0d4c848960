from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny_huggingface import (
    MEAN,
    STD,
    STUDENT,
    beit,
    data2vec,
    dpt,
    eomt,
    load,
    mask2former,
    maskformer,
    save,
    segformer,
    transformers,
    upernet,
    upernet_convnext,
)
from torch import Tensor, nn

from distill.losses.kl import kl_loss
from distill.teachers.huggingface import UniversalScores
from kd_seg_ros.common.errors import UserError

ADE = ["wall", "building", "sky", "floor", "tree", "ceiling", "road", "bed ", "grass", "car", "plant", "van"]
"""A few of ADE20K's classes as transformers names them; floor, ceiling and bed are none of ours."""
TARGETS = [3, 2, 10, None, 8, None, 0, None, 9, 13, 8, 13]


def normalised_images(size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The same images as a student and as the teacher sees them."""
    rgb = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(2))

    def by(mean: Any, std: Any) -> Tensor:
        return (rgb - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)

    return by(STUDENT.mean, STUDENT.std), by(MEAN, STD)


@pytest.mark.parametrize("make", [upernet, upernet_convnext, dpt, segformer, beit, data2vec])
def test_semantic_networks_agree_with_transformers(tmp_path: Path, make: Any) -> None:
    """Their own post-processing: argmax of the logits brought to the image's size."""
    folder = save(make(), tmp_path)
    student, own = normalised_images((64, 64))
    found = load(folder)(student).logits
    reference = transformers.AutoModelForSemanticSegmentation.from_pretrained(folder).eval()
    with torch.no_grad():
        output = reference(pixel_values=own)
    classes = torch.stack(
        transformers.SegformerImageProcessor().post_process_semantic_segmentation(output, [(64, 64)] * 2)
    )
    assert len(classes.unique()) > 2
    same = (found.argmax(dim=1) == classes).double().mean()
    # SegFormer's logits are at stride 4: interpolated probabilities and logits part at some borders.
    assert same > (0.999 if output.logits.shape[-1] == 64 else 0.9)
    wanted = nn.functional.interpolate(output.logits.softmax(dim=1), size=(64, 64), mode="bilinear")
    torch.testing.assert_close(found.exp(), wanted, atol=1e-3, rtol=0)


@pytest.mark.parametrize("make", [mask2former, maskformer, eomt])
def test_universal_networks_give_their_semantic_scores(tmp_path: Path, make: Any) -> None:
    folder = save(make(), tmp_path)
    teacher = load(folder, size=(64, 64))
    assert isinstance(teacher.network, UniversalScores)
    kind: Any = type(teacher.network.model)
    reference = kind.from_pretrained(folder).eval()
    student, own = normalised_images((64, 64))
    with torch.no_grad():
        output = reference(pixel_values=own)
    scores = torch.einsum(
        "bqk,bqhw->bkhw",
        output.class_queries_logits.softmax(-1)[..., :19],
        output.masks_queries_logits.sigmoid(),
    )
    assert scores.shape[-1] < 64
    wanted = nn.functional.interpolate(scores / scores.sum(1, keepdim=True), size=(64, 64), mode="bilinear")
    torch.testing.assert_close(teacher(student).logits.exp(), wanted, atol=1e-3, rtol=0)


def answering(classes: Tensor, masks: Tensor) -> UniversalScores:
    """A network that always gives these queries."""
    model = nn.Module()
    output = SimpleNamespace(class_queries_logits=classes, masks_queries_logits=masks)
    model.forward = lambda pixel_values: output
    return UniversalScores(model)


def test_semantic_scores_agree_with_transformers() -> None:
    """Their own semantic post-processing of random queries, at the masks' size."""
    classes, masks = 3 * torch.randn(2, 9, 20), 3 * torch.randn(2, 9, 16, 16)
    network = answering(classes, masks)
    output = network.model(pixel_values=None)
    wanted = torch.stack(transformers.MaskFormerImageProcessor().post_process_semantic_segmentation(output))
    assert len(wanted.unique()) > 3
    assert torch.equal(network(torch.zeros(2, 3, 16, 16)).argmax(dim=1), wanted)


def test_semantic_scores_in_closed_form() -> None:
    """Two queries, two classes: one sees class 0 on the left, one class 1 everywhere, half sure."""
    far = 40.0
    queries = torch.tensor([[[far, 0.0, 0.0], [0.0, far, far]]])
    masks = torch.tensor([[[[far, -far]], [[0.0, 0.0]]]])
    scores = answering(queries, masks)(torch.zeros(1, 3, 1, 2)).exp()
    torch.testing.assert_close(scores, torch.tensor([[[[1.0, 0.0]], [[0.25, 0.25]]]]))


@pytest.mark.parametrize("depth", [-1.0, -30.0, -200.0])
def test_faint_masks_still_tell_the_classes(depth: float) -> None:
    """Where no mask is near 1, the strongest query has its say: in single precision its sigmoid may be 0."""
    queries = torch.tensor([[[40.0, 0.0, 0.0], [0.0, 40.0, 0.0]]])
    masks = torch.tensor([[[[depth + 1]], [[depth]]]])
    p = answering(queries, masks)(torch.zeros(1, 3, 1, 1)).softmax(dim=1)
    sigmoids = masks.double().sigmoid()
    torch.testing.assert_close(p, (sigmoids / sigmoids.sum()).float())


def test_other_data_sets_classes(tmp_path: Path) -> None:
    """Independent: the network's logits, softmax, sums by hand, renormalised."""
    teacher = load(save(segformer(ADE), tmp_path), size=(128, 128))
    assert list(teacher.mapping.targets) == TARGETS
    student, own = normalised_images((128, 128))
    with torch.no_grad():
        p = teacher.network(own).softmax(dim=1)
    sums = torch.zeros(2, 19, 32, 32)
    for channel, target in enumerate(TARGETS):
        if target is not None:
            sums[:, target] += p[:, channel]
    wanted = nn.functional.interpolate(sums / sums.sum(dim=1, keepdim=True), size=(128, 128), mode="bilinear")
    torch.testing.assert_close(teacher(student).logits.exp(), wanted, atol=1e-3, rtol=0)
    text = teacher.describe()
    assert "SegformerForSemanticSegmentation" in text
    assert "tree → vegetation" in text
    assert "unknown to the teacher (probability 0): sidewalk, fence" in text
    assert "dropped: floor; ceiling; bed" in text


def test_a_matching_student_has_no_loss_and_nothing_learns(city: Path) -> None:
    teacher = load(city)
    image = torch.randn(1, 3, 40, 70, requires_grad=True)
    logits = teacher(image).logits
    assert logits.shape == (1, 19, 40, 70)
    assert not logits.requires_grad
    assert not any(p.requires_grad for p in teacher.parameters())
    assert not any(module.training for module in teacher.modules())
    assert kl_loss(logits, logits, torch.ones(1, 40, 70)) == 0


@pytest.mark.parametrize(("make", "size"), [(eomt, (64, 64)), (dpt, (64, 64)), (segformer, (96, 224))])
def test_sizes(tmp_path: Path, make: Any, size: tuple[int, int]) -> None:
    """What is built for one size gets it; the others see multiples of 32."""
    teacher = load(save(make(), tmp_path))
    assert teacher.size.of(90, 200) == size
    assert teacher(torch.randn(1, 3, 90, 200)).logits.shape == (1, 19, 90, 200)


def test_a_wrong_size_is_refused_in_one_line(tmp_path: Path) -> None:
    teacher = load(save(eomt(), tmp_path), size=(64, 96))
    with pytest.raises(UserError, match=r"does not run on \[1, 3, 64, 96\].*teacher\.size"):
        teacher(torch.zeros(1, 3, 64, 96))

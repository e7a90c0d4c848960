"""A folder of transformers becomes a vehicle's file whose masks are those of the network."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tiny_huggingface import MEAN, STD, eomt, labels, save, transformers
from torch import Tensor, nn
from torch.nn import functional as F

from distill.__main__ import main
from distill.export.trace import to_onnx
from distill.export.wrap_huggingface import HuggingfaceNetwork, scale_of, wrap_huggingface
from distill.models.deployed import DeployedModel
from distill.teachers.external import Normalisation
from distill.teachers.huggingface import UniversalScores
from distill.teachers.huggingface_folder import Folder, open_folder
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.contract import IMAGE, MASK, OPSET, PROBABILITY
from kd_seg_ros.inference.engine import Engine


def swin_of_two_stages() -> Any:
    backbone = transformers.SwinConfig(
        embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=4, out_features=["stage1", "stage2"]
    )
    config = transformers.UperNetConfig(
        backbone_config=backbone,
        hidden_size=16,
        pool_scales=[1],
        use_auxiliary_head=False,
        **labels(CLASS_NAMES),
    )
    return transformers.UperNetForSemanticSegmentation(config)


def test_the_file_is_the_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = swin_of_two_stages()
    folder = save(model, tmp_path / "theirs", size={"height": 64, "width": 64})
    out = tmp_path / "student.onnx"
    command = ["wrap", "--huggingface", str(folder), "--out", str(out), "--size", "128x192", "--limit", "1"]
    assert main(command) == 0
    engine = Engine(out, "cpu")
    card = engine.card
    assert (card.class_names, card.working_scale, card.name) == (CLASS_NAMES, 0.5, "theirs")
    coarse = torch.rand(1, 3, 5, 7, generator=torch.Generator().manual_seed(1))
    image = (F.interpolate(coarse, (128, 192), mode="bicubic").clamp(0, 1) * 255).round()
    seen = F.interpolate(image / 255, (64, 96), mode="bilinear")
    seen = (seen - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    with torch.no_grad():
        logits = model.eval()(pixel_values=seen).logits
    full = F.interpolate(F.interpolate(logits, (64, 96), mode="bilinear"), (128, 192), mode="bilinear")
    found = engine.segment(image[0].permute(1, 2, 0).numpy().astype(np.uint8))
    assert (torch.from_numpy(found.mask) == full.argmax(1)[0]).float().mean() > 0.98


def test_queries_become_scores_in_the_file(tmp_path: Path) -> None:
    """In single precision, so that the nodes are the network's to a few bits: a mask may differ at a tie."""
    torch.manual_seed(1)
    theirs = eomt()
    theirs.attn_mask_probs.zero_()  # as after its training
    network = HuggingfaceNetwork(open_folder(save(theirs, tmp_path))).eval()
    model = DeployedModel(network, MEAN, STD, 1.0).eval()
    proto = to_onnx(model, (64, 64), half=False)
    image = torch.randint(256, (64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        mask, _, probability = model(image)
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run([MASK, PROBABILITY], {IMAGE: image.numpy()})
    assert len(mask.unique()) > 1
    assert (found[0] == mask.numpy()).mean() > 0.999
    np.testing.assert_allclose(found[1], probability.numpy(), atol=1e-3)


def test_random_masking_is_refused(tmp_path: Path) -> None:
    model = eomt()
    model.attn_mask_probs.fill_(0.5)
    opened = open_folder(save(model, tmp_path))
    with pytest.raises(UserError, match=r"attn_mask_probs is \[0\.5\]: its training had not ended"):
        HuggingfaceNetwork(opened)


class FaintMasks(nn.Module):
    """Answers with one query for each of two classes, whose masks are red and green, from −60 to −20."""

    def __init__(self) -> None:
        super().__init__()
        self.classes = nn.Parameter(40 * torch.eye(3)[None, :2])

    def forward(self, pixel_values: Tensor) -> SimpleNamespace:
        masks = 40 * pixel_values[:, :2] - 60
        return SimpleNamespace(class_queries_logits=self.classes, masks_queries_logits=masks)


def test_faint_masks_are_compared_in_the_file_too() -> None:
    """ONNX Runtime's sigmoid ends at that of −18, so that both masks would seem alike."""
    scores = UniversalScores(FaintMasks()).eval()
    image = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    program = torch.onnx.export(
        scores, (torch.zeros_like(image),), opset_version=OPSET, dynamo=True, verbose=False
    )
    assert program is not None
    session = ort.InferenceSession(
        program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    p = torch.from_numpy(found).softmax(dim=1)
    torch.testing.assert_close(p, (40 * image[:, :2]).softmax(dim=1), atol=1e-4, rtol=0)


def test_a_network_of_countable_things_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its things alone share the road's probability: of a street image it knows the persons and cars."""
    folder = save(eomt(["person", "car", "bus"]), tmp_path / "theirs")
    with pytest.raises(UserError, match="--size"):
        wrap_huggingface(folder, tmp_path / "student.onnx")
    assert "none of its classes is road or sidewalk or terrain" in caplog.text
    caplog.clear()
    folder = save(eomt(["car", "road"]), tmp_path / "other")
    with pytest.raises(UserError, match="--size"):
        wrap_huggingface(folder, tmp_path / "student.onnx")
    assert not caplog.text


@pytest.mark.parametrize(
    ("settings", "scale"),
    [
        ({"size": {"height": 64, "width": 64}}, 2 / 3),  # the shorter side becomes 64 pixels
        ({"size": {"shortest_edge": 48}}, 0.5),
        ({"size": 48}, 0.5),
        ({"size": {"shortest_edge": 64, "longest_edge": 80}}, 0.5),  # the longer one must not exceed 80
        ({"size": {"shortest_edge": 64, "longest_edge": None}}, 2 / 3),
        ({"size": {"shortest_edge": 48}, "do_resize": False}, 1.0),
        ({}, 1.0),
    ],
)
def test_the_scale_is_that_of_the_processor(settings: dict[str, Any], scale: float) -> None:
    model = SimpleNamespace(config=SimpleNamespace(model_type="segformer"))
    opened = Folder(Path(), model, "", [], Normalisation(MEAN, STD), settings)
    assert scale_of(opened, (96, 160)) == pytest.approx(scale)


def test_an_id_of_the_hub_is_refused_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["wrap", "--huggingface", "nvidia/segformer-b0", "--size", "64x64"]
    assert main([*command, "--out", str(tmp_path / "student.onnx")]) == 2
    assert "nothing is downloaded here, fetch it first: hf download" in capsys.readouterr().err

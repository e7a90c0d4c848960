from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from timm.layers import DropPath
from torch import Tensor, nn

from distill.models.mit import VARIANTS
from distill.models.segformer import SegFormer
from distill.models.weights import Pretrained
from kd_seg_ros.common.classes import NUM_CLASSES
from kd_seg_ros.common.errors import UserError


@pytest.fixture(scope="module")
def b0() -> SegFormer:
    torch.manual_seed(0)
    return lively(SegFormer(0, NUM_CLASSES)).eval()


def lively(network: Any) -> Any:
    """Give every tensor something to say: fresh networks have zero biases and unit norms."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_(std=0.3)
                module.running_var.uniform_(0.5, 2)
            if isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
                module.weight.uniform_(0.5, 1.5)
            if isinstance(module, nn.Linear | nn.Conv2d):
                module.weight.normal_(std=module.weight[0].numel() ** -0.5)
            bias = getattr(module, "bias", None)
            if isinstance(bias, Tensor):
                bias.normal_(std=0.1)
    return network


def huggingface(variant: int) -> Any:
    """The same network in Hugging Face's implementation."""
    transformers = pytest.importorskip("transformers")
    config = transformers.SegformerConfig(
        hidden_sizes=VARIANTS[variant].widths,
        depths=VARIANTS[variant].depths,
        decoder_hidden_size=VARIANTS[variant].decoder_width,
        num_labels=NUM_CLASSES,
    )
    return transformers.SegformerForSemanticSegmentation(config)


def test_parameters_are_the_published_ones() -> None:
    with torch.device("meta"):  # counts need no memory
        counts = [SegFormer(variant, 150).deployed_parameters() for variant in range(6)]
        assert round(SegFormer(0, NUM_CLASSES).deployed_parameters() / 1e6, 3) == 3.719
    assert [round(count / 1e6, 1) for count in counts] == [3.8, 13.7, 27.5, 47.3, 64.1, 84.7]  # ADE20K


@pytest.mark.parametrize("variant", range(6))
def test_parameters_are_those_of_transformers(variant: int) -> None:
    with torch.device("meta"):
        ours, theirs = SegFormer(variant, NUM_CLASSES), huggingface(variant)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())
    encoder = sum(p.numel() for p in ours.backbone_parameters())
    assert encoder == sum(p.numel() for p in theirs.segformer.parameters())


@pytest.mark.parametrize("variant", [0, 2])
def test_maps_are_those_of_transformers(variant: int, tmp_path: Path) -> None:
    torch.manual_seed(1)
    theirs = lively(huggingface(variant)).eval()
    for name, module in theirs.named_modules():
        beside_convolution = "patch_embeddings" in name or "attention" in name
        if isinstance(module, nn.LayerNorm):  # the authors' ε; Hugging Face's port has 1e-5 everywhere
            module.eps = 1e-5 if beside_convolution else 1e-6
        if "patch_embeddings" in name or ("attention" in name and isinstance(module, nn.Conv2d)):
            for parameter in module.parameters(recurse=False):
                parameter.data *= 0.01  # ε counts in small maps
    theirs.save_pretrained(tmp_path)
    ours = SegFormer(variant, NUM_CLASSES, Pretrained(str(tmp_path / "model.safetensors"))).eval()
    image = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        expected = theirs(image, output_hidden_states=True)
        maps = ours.maps(image)
    assert list(maps.features) == ["S4", "S8", "S16", "S32"]
    for feature, hidden in zip(maps.features.values(), expected.hidden_states, strict=True):
        torch.testing.assert_close(feature, hidden, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(maps.logits, expected.logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.decoder.classifier(maps.pre_logits), maps.logits)


@pytest.mark.parametrize("size", [(97, 131), (64, 96), (33, 1)])
def test_any_size_gives_logits_of_that_size(b0: SegFormer, size: tuple[int, int]) -> None:
    with torch.no_grad():
        output = b0(torch.randn(1, 3, *size))
    padded = [-(-side // 32) * 32 for side in size]
    assert output.logits.shape == (1, NUM_CLASSES, *size)
    assert output.pre_logits.shape == (1, 256, padded[0] // 4, padded[1] // 4)
    for (name, feature), width in zip(output.features.items(), (32, 64, 160, 256), strict=True):
        stride = output.strides[name]
        assert feature.shape == (1, width, padded[0] // stride, padded[1] // stride)


def test_every_parameter_learns(b0: SegFormer) -> None:
    torch.manual_seed(0)
    network = SegFormer(0, NUM_CLASSES).train()
    network(torch.randn(2, 3, 64, 96)).logits.square().mean().backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_branches_are_left_out_more_and_more_often() -> None:
    with torch.device("meta"):
        network = SegFormer(2, NUM_CLASSES)
    drops = [m.drop_prob for m in network.modules() if isinstance(m, DropPath)]
    np.testing.assert_allclose(drops, np.linspace(0, 0.1, sum(VARIANTS[2].depths)))


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_own_names_load(b0: SegFormer, tmp_path: Path, suffix: str) -> None:
    path = write(b0.state_dict(), tmp_path / f"own{suffix}")
    loaded = SegFormer(0, NUM_CLASSES, Pretrained(str(path)))
    torch.testing.assert_close(loaded.state_dict(), b0.state_dict())


def test_an_imagenet_classifier_fills_the_encoder_alone(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    classifier = lively(
        transformers.SegformerForImageClassification(transformers.SegformerConfig(num_labels=1000))
    )
    classifier.save_pretrained(tmp_path)
    torch.manual_seed(2)
    network = SegFormer(0, NUM_CLASSES, Pretrained(str(tmp_path / "model.safetensors"))).eval()
    torch.manual_seed(2)
    torch.testing.assert_close(network.decoder.state_dict(), SegFormer(0, NUM_CLASSES).decoder.state_dict())
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        expected = classifier.eval().segformer(image).last_hidden_state
        torch.testing.assert_close(network(image).features["S32"], expected, rtol=1e-3, atol=1e-3)


AUTHORS_BLOCK = {
    "norm1": "attention_norm",
    "attn.q": "attention.query",
    "attn.proj": "attention.output",
    "attn.sr": "attention.reduction",
    "attn.norm": "attention.reduction_norm",
    "norm2": "feed_forward_norm",
    "mlp.fc1": "feed_forward.expand",
    "mlp.dwconv.dwconv": "feed_forward.depthwise",
    "mlp.fc2": "feed_forward.shrink",
}
AUTHORS_DECODER = {f"linear_c{i + 1}.proj": f"projections.{i}" for i in range(4)} | {
    "linear_fuse.conv": "fuse",
    "linear_fuse.bn": "norm",
    "linear_pred": "classifier",
}


def authors_state_dict(network: SegFormer, decoder: bool) -> dict[str, Tensor]:
    """B0's tensors as the authors' files name them: ``mit_b0.pth``, or a whole SegFormer's."""
    names: dict[str, str] = {}
    for i in range(4):
        ours = f"backbone.stages.{i}"
        names |= {f"patch_embed{i + 1}.proj": f"{ours}.embedding.projection", f"norm{i + 1}": f"{ours}.norm"}
        names |= {f"patch_embed{i + 1}.norm": f"{ours}.embedding.norm"}
        for j in range(2):
            names |= {f"block{i + 1}.{j}.{k}": f"{ours}.blocks.{j}.{v}" for k, v in AUTHORS_BLOCK.items()}
    if decoder:
        names = {f"backbone.{k}": v for k, v in names.items()}
        names |= {f"decode_head.{k}": f"decoder.{v}" for k, v in AUTHORS_DECODER.items()}
    state = network.state_dict()
    renamed = {
        f"{theirs}.{tensor}": state[f"{ours}.{tensor}"]
        for theirs, ours in names.items()
        for tensor in ("weight", "bias", "running_mean", "running_var")
        if f"{ours}.{tensor}" in state
    }
    for theirs, ours in names.items():
        if theirs.endswith("attn.q"):
            for tensor in ("weight", "bias"):
                halves = [state[ours.replace("query", which) + f".{tensor}"] for which in ("key", "value")]
                renamed[f"{theirs.removesuffix('q')}kv.{tensor}"] = torch.cat(halves)
    return renamed


def test_the_authors_names_load(b0: SegFormer, tmp_path: Path) -> None:
    state = authors_state_dict(b0, decoder=False)
    assert "block1.0.attn.kv.weight" in state
    state |= {"head.weight": torch.zeros(1000, 256), "head.bias": torch.zeros(1000)}
    network = SegFormer(0, NUM_CLASSES, Pretrained(str(write(state, tmp_path / "mit_b0.pth"))))
    torch.testing.assert_close(network.backbone.state_dict(), b0.backbone.state_dict())

    state = authors_state_dict(b0, decoder=True)
    state |= {
        "decode_head.conv_seg.weight": torch.zeros(19, 128, 1, 1),
        "decode_head.conv_seg.bias": torch.zeros(19),
    }
    network = SegFormer(0, NUM_CLASSES, Pretrained(str(write(state, tmp_path / "b0.safetensors"))))
    torch.testing.assert_close(network.state_dict(), b0.state_dict())


def test_a_decoder_for_other_classes_is_refused(b0: SegFormer, tmp_path: Path) -> None:
    path = write(b0.state_dict(), tmp_path / "nineteen.safetensors")
    with pytest.raises(UserError, match=r"nineteen.* 19 classes.* 11;") as refusal:
        SegFormer(0, 11, Pretrained(str(path)))
    assert "\n" not in str(refusal.value)
    network = SegFormer(0, 11, Pretrained(str(path), strict=False))
    torch.testing.assert_close(network.decoder.fuse.weight, b0.decoder.fuse.weight)


@pytest.mark.parametrize("missing", ["backbone.stages.3.norm.bias", "decoder.norm.running_var"])
def test_an_incomplete_file_is_refused(b0: SegFormer, tmp_path: Path, missing: str) -> None:
    state = {k: v for k, v in b0.state_dict().items() if k != missing}
    path = write(state, tmp_path / "part.safetensors")
    with pytest.raises(UserError, match=rf"part\.safetensors do not fit: 1 missing \({missing}\)"):
        SegFormer(0, NUM_CLASSES, Pretrained(str(path)))
    network = SegFormer(0, NUM_CLASSES, Pretrained(str(path), strict=False))
    torch.testing.assert_close(network.decoder.fuse.weight, b0.decoder.fuse.weight)


def test_weights_of_another_variant_are_refused(b0: SegFormer, tmp_path: Path) -> None:
    path = write(b0.state_dict(), tmp_path / "b0.safetensors")
    with pytest.raises(UserError, match=r"SegFormer-B1 .*of another shape"):
        SegFormer(1, NUM_CLASSES, Pretrained(str(path)))


def test_timms_hub_is_refused_with_the_remedy() -> None:
    with pytest.raises(UserError, match=r"nvidia/mit-b3 .*--student\.pretrained FILE") as refusal:
        SegFormer(3, NUM_CLASSES, Pretrained(True))
    assert "\n" not in str(refusal.value)


def write(state: dict[str, Tensor], path: Path) -> Path:
    """Write tensors to a file of either kind."""
    if path.suffix == ".safetensors":
        save_file({k: v.contiguous() for k, v in state.items()}, path)
    else:
        torch.save({"state_dict": state}, path)
    return path

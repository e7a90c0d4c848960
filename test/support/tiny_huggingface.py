"""Tiny random networks of Hugging Face transformers, in folders as the hub lays them out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from distill.teachers.external import ExternalTeacher, Normalisation, TeacherOptions
from distill.teachers.huggingface import load_huggingface
from kd_seg_ros.common.classes import CLASS_NAMES

transformers = pytest.importorskip("transformers")

STUDENT = Normalisation((0.4, 0.3, 0.2), (0.5, 0.25, 0.125))
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def labels(names: Any) -> dict[str, Any]:
    return {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}


def swin() -> Any:
    stages = [f"stage{i}" for i in (1, 2, 3, 4)]
    return transformers.SwinConfig(
        embed_dim=8, depths=[1] * 4, num_heads=[1, 1, 2, 2], window_size=4, out_features=stages
    )


def segformer(names: Any = CLASS_NAMES) -> Any:
    config = transformers.SegformerConfig(
        depths=[1] * 4,
        hidden_sizes=[8, 8, 16, 16],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
        **labels(names),
    )
    return transformers.SegformerForSemanticSegmentation(config)


def upernet() -> Any:
    config = transformers.UperNetConfig(
        backbone_config=swin(),
        hidden_size=16,
        pool_scales=[1, 2],
        use_auxiliary_head=False,
        **labels(CLASS_NAMES),
    )
    return transformers.UperNetForSemanticSegmentation(config)


def upernet_convnext() -> Any:
    stages = [f"stage{i}" for i in (1, 2, 3, 4)]
    backbone = transformers.ConvNextConfig(hidden_sizes=[8, 8, 16, 16], depths=[1] * 4, out_features=stages)
    config = transformers.UperNetConfig(
        backbone_config=backbone,
        hidden_size=16,
        pool_scales=[1, 2],
        use_auxiliary_head=False,
        **labels(CLASS_NAMES),
    )
    return transformers.UperNetForSemanticSegmentation(config)


def beit(kind: str = "Beit") -> Any:
    """BEiT, or Data2VecVision, which is laid out as it is."""
    config = getattr(transformers, f"{kind}Config")(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=64,
        patch_size=16,
        out_indices=[1, 2, 3, 4],
        pool_scales=[1, 2],
        use_relative_position_bias=True,
        use_auxiliary_head=False,
        **labels(CLASS_NAMES),
    )
    return getattr(transformers, f"{kind}ForSemanticSegmentation")(config)


def data2vec() -> Any:
    return beit("Data2VecVision")


def mask2former() -> Any:
    sizes = {"hidden_dim": 32, "feature_size": 32, "mask_feature_size": 32, "num_queries": 9}
    config = transformers.Mask2FormerConfig(
        backbone_config=swin(),
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        dim_feedforward=32,
        encoder_feedforward_dim=32,
        **sizes,
        **labels(CLASS_NAMES),
    )
    return transformers.Mask2FormerForUniversalSegmentation(config)


def maskformer() -> Any:
    decoder = transformers.DetrConfig(
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        decoder_attention_heads=2,
        encoder_attention_heads=2,
        decoder_ffn_dim=16,
        encoder_ffn_dim=16,
        num_queries=9,
    )
    config = transformers.MaskFormerConfig(
        backbone_config=swin(),
        decoder_config=decoder,
        fpn_feature_size=32,
        mask_feature_size=32,
        **labels(CLASS_NAMES),
    )
    return transformers.MaskFormerForInstanceSegmentation(config)


def eomt(names: Any = CLASS_NAMES) -> Any:
    if not hasattr(transformers, "EomtConfig"):
        pytest.skip("this transformers has no EoMT")
    config = transformers.EomtConfig(
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=64,
        patch_size=16,
        num_blocks=1,
        num_queries=9,
        num_upscale_blocks=1,
        **labels(names),
    )
    return transformers.EomtForUniversalSegmentation(config)


def dpt() -> Any:
    config = transformers.DPTConfig(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=64,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        **labels(CLASS_NAMES),
    )
    return transformers.DPTForSemanticSegmentation(config)


def save(model: nn.Module, folder: Path, **settings: Any) -> Path:
    """Save as a page of the hub is laid out, with weights of some contrast."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn(p.shape, generator=generator))
    model.save_pretrained(str(folder))  # type: ignore[operator]
    values = {
        "image_mean": MEAN,
        "image_std": STD,
        "do_normalize": True,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(values | settings))
    return folder


def load(folder: Path, **options: Any) -> ExternalTeacher:
    return load_huggingface(folder, STUDENT, TeacherOptions(**options))

"""Weights as their authors write them become a checkpoint whose outputs are those of the authors' network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import published_hrnet
import published_networks as published
import pytest
import torch
from torch import Tensor, nn

from distill.__main__ import main
from distill.checkpoints.student import load_student
from distill.datasets.registry import DATA_SETS
from distill.imports.import_weights import Imported, ImportOptions, import_weights
from distill.imports.sources import SOURCES
from distill.models.build import build, construct
from distill.models.catalogue import MODELS
from distill.models.pidnet import PidNet
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError

IMAGE = torch.rand(1, 3, 128, 256, generator=torch.Generator().manual_seed(1)) * 4 - 2
ACDC = ImportOptions(dataset="acdc")


def outputs(path: Path) -> Tensor:
    network, _ = load_student(path)
    with torch.no_grad():
        return network(IMAGE).logits


def expected(network: nn.Module) -> Tensor:
    with torch.no_grad():
        return network(IMAGE)


def close(found: Tensor, wanted: Tensor) -> None:
    assert wanted.std() > 1e-3
    torch.testing.assert_close(found, wanted, atol=2e-4 * float(wanted.abs().max()), rtol=0)


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    network = published.fill(published.unizg_resnet18())
    expected(network)  # their last BatchNorms to run are now those of `network`, as in every file of theirs
    return network


@pytest.fixture(scope="module")
def resnet_file(resnet: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As Lightning writes it: the network is ``model``, the loss has buffers."""
    state = {f"model.{name}": tensor for name, tensor in resnet.state_dict().items()}
    path = tmp_path_factory.mktemp("unizg") / "theirs.ckpt"
    torch.save({"state_dict": {**state, "loss.gamma": torch.tensor(0.5)}, "epoch": 80}, path)
    return path


def test_a_whole_swiftnet_over_resnet(resnet: nn.Module, resnet_file: Path, tmp_path: Path) -> None:
    done = import_weights(resnet_file, "swiftnet_resnet18", tmp_path / "ours.ckpt", ACDC)
    close(outputs(done.path), expected(resnet))
    assert (done.config.student.channels, done.config.data.class_names) == (16, CLASS_NAMES)
    assert (done.config.data.mean, done.config.data.std) == (DATA_SETS["acdc"].mean, DATA_SETS["acdc"].std)
    assert {"loss.gamma", "upsample.upsample_layers.5.blend_conv.conv.bias"} < set(done.idle)
    assert not done.random
    # The BatchNorms of downsample are shared between the levels, the others are not.
    state = load_student(done.path)[0].state_dict()
    for name, same in (("downsample.1", True), ("bn1", False)):
        norms = [state[f"backbone.network.layer2.0.{name}.norms.{level}.weight"] for level in range(3)]
        assert torch.equal(norms[0], norms[1]) == torch.equal(norms[1], norms[2]) == same


def test_a_whole_swiftnet_over_convnext(tmp_path: Path) -> None:
    """The backbone named by torchvision, and by ConvNeXt's authors, whose scale is a vector."""
    network = published.fill(published.unizg_convnext())
    state = network.state_dict()
    torch.save(state, tmp_path / "theirs.pth")
    out = tmp_path / "ours.ckpt"
    import_weights(tmp_path / "theirs.pth", "swiftnet", out, ACDC, backbone="convnext_tiny")
    close(outputs(out), expected(network))
    translate = SOURCES["swiftnet.SwiftNet"].translate
    wanted = translate(state).tensors
    authors = {published.as_convnexts_authors(name): tensor for name, tensor in state.items()}
    assert len(authors.keys() - state.keys()) > 170
    found = translate({name: t.flatten() if name.endswith("gamma") else t for name, t in authors.items()})
    assert found.tensors.keys() == wanted.keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in wanted.items())


@pytest.mark.parametrize("lite", [False, True])
def test_sfnet(lite: bool, tmp_path: Path) -> None:
    network = published.fill(published.SfSegNet(lite))
    state = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({"state_dict": state, "mean_iu": 0.79, "command": "train.py"}, tmp_path / "best.pth")
    name = "sfnet_lite_resnet18" if lite else "sfnet_resnet18"
    done = import_weights(tmp_path / "best.pth", name, tmp_path / "ours.ckpt")
    close(outputs(done.path), expected(network))
    assert done.config.data.mean == (0.485, 0.456, 0.406)


def test_hrnet() -> None:
    """A small one by its outputs; that of the catalogue by names and shapes."""
    network = published.fill(published_hrnet.SegHrNet(16, (32, 1), (1, 1, 1), 2, 5))
    ours = construct("hrnet.HrNetV2", 5, backbone="hrnet_w18_small").eval()
    translated = SOURCES["hrnet.HrNetV2"].translate(network.state_dict())
    ours.load_state_dict(translated.tensors)
    with torch.no_grad():
        close(ours(IMAGE).logits, network(IMAGE))


@pytest.mark.parametrize("name", ["hrnetv2_w48", "swiftnet_convnext_large"])
def test_large_networks_by_names_and_shapes(name: str) -> None:
    with torch.device("meta"):
        if name == "hrnetv2_w48":
            theirs: nn.Module = published_hrnet.SegHrNet(48, (64, 4), (1, 4, 3), 4, 19)
        else:
            theirs = published.unizg_convnext("large", 320)
        ours = build(name, 19)
    translated = SOURCES[MODELS[name].network].translate(theirs.state_dict()).tensors
    wanted = {key: value.shape for key, value in ours.state_dict().items()}
    assert {key: value.shape for key, value in translated.items()} == wanted


@pytest.fixture(scope="module")
def pidnet() -> PidNet:
    network = PidNet("s", 19).eval()
    published.fill(network, seed=3)
    return network


def pidnet_state(network: PidNet, **changes: Any) -> dict[str, Tensor]:
    """As in PIDNet_S_Cityscapes_val.pt; ``changes`` replace tensors, None removes them."""
    state = {f"model.{name}": tensor for name, tensor in network.state_dict().items()}
    state |= {"sem_loss.criterion.weight": torch.ones(19), "bd_loss.criterion.weight": torch.ones(19)}
    for name, value in changes.items():
        for key in [key for key in state if key.startswith(name)]:
            del state[key]
        state |= {} if value is None else {name: value}
    return state


def imported(state: dict[str, Tensor], folder: Path, network: str = "pidnet_s", **options: Any) -> Imported:
    torch.save(state, folder / "theirs.pt")
    return import_weights(folder / "theirs.pt", network, folder / "ours.ckpt", ImportOptions(**options))


def test_pidnet(pidnet: PidNet, tmp_path: Path) -> None:
    done = imported(pidnet_state(pidnet), tmp_path)
    with torch.no_grad():
        assert torch.equal(outputs(done.path), pidnet(IMAGE).logits)
    assert sorted(done.idle) == ["bd_loss.criterion.weight", "sem_loss.criterion.weight"]


def test_heads_of_training_may_be_missing_if_the_user_says_so(pidnet: PidNet, tmp_path: Path) -> None:
    state = pidnet_state(pidnet, **{"model.seghead_": None})
    with pytest.raises(UserError, match=r"missing \(seghead_p\..*; --allow-missing auxiliary leaves heads"):
        imported(state, tmp_path)
    assert not (tmp_path / "ours.ckpt").exists()
    done = imported(state, tmp_path, allowed=["auxiliary"])
    assert {name.split(".")[0] for name in done.random} == {"seghead_p", "seghead_d"}
    with torch.no_grad():
        assert torch.equal(outputs(done.path), pidnet(IMAGE).logits)


def test_other_classes_are_named_or_get_a_new_head(pidnet: PidNet, tmp_path: Path) -> None:
    eleven = {f"model.final_layer.conv2.{kind}": torch.randn(11, *size) for kind, size in HEAD.items()}
    eleven |= {f"model.seghead_p.conv2.{kind}": torch.randn(11, *size) for kind, size in HEAD.items()}
    state = pidnet_state(pidnet, **eleven)
    with pytest.raises(UserError, match=r"is for 11 classes and does not name them: give --classes FILE"):
        imported(state, tmp_path)
    names = [f"class {number}" for number in range(11)]
    done = imported(state, tmp_path, class_names=names)
    assert list(done.config.data.class_names) == names
    with pytest.raises(UserError, match="is for 11 classes, and 19 are named"):
        imported(state, tmp_path, class_names=CLASS_NAMES)
    done = imported(state, tmp_path, class_names=CLASS_NAMES, allowed=["head"])
    assert done.random[:2] == ["final_layer.conv2.weight", "final_layer.conv2.bias"]
    assert len(done.random) == 4


HEAD = {"weight": (128, 1, 1), "bias": ()}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model.conv1.0.weight": None}, r"1 missing \(conv1\.0\.weight\)$"),
        ({"model.conv1.0.weight": torch.ones(2, 3, 3, 3)}, r"conv1\.0\.weight \[2, 3, 3, 3\] for \[32, 3"),
        ({"model.stranger.weight": torch.ones(1)}, r"1 unexpected \(stranger\.weight\)$"),
        ({"model.conv1.0.bias": torch.full((32,), torch.nan)}, r"NaN or infinity in conv1\.0\.bias"),
    ],
)
def test_what_does_not_fit_is_named_on_both_sides(
    changes: dict[str, Any], told: str, pidnet: PidNet, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=told):
        imported(pidnet_state(pidnet, **changes), tmp_path, allowed=["head"])
    assert not (tmp_path / "ours.ckpt").exists()


def test_segformer_of_hugging_face_brings_its_names_and_normalisation(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    names = [f"thing {number}" for number in range(5)]
    config = transformers.SegformerConfig(decoder_hidden_size=256, id2label=dict(enumerate(names)))
    theirs = transformers.SegformerForSemanticSegmentation(config).eval()
    theirs.save_pretrained(tmp_path)
    settings = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    done = import_weights(tmp_path / "model.safetensors", "segformer_b0", tmp_path / "ours.ckpt")
    assert list(done.config.data.class_names) == names
    assert (done.config.data.mean, done.config.data.std) == ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    with torch.no_grad():
        wanted = nn.functional.interpolate(theirs(IMAGE).logits, (128, 256), mode="bilinear")
    # The authors' ε of some LayerNorms is 1e-6, that of transformers 1e-5.
    torch.testing.assert_close(outputs(done.path), wanted, atol=2e-3 * float(wanted.abs().max()), rtol=0)


def test_a_normalisation_that_nobody_knows_is_asked_for(resnet_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "ours.ckpt"
    with pytest.raises(UserError, match=r"normalises each data set by its own .* give --dataset"):
        import_weights(resnet_file, "swiftnet_resnet18", out)
    with pytest.raises(UserError, match="give --mean and --std together"):
        import_weights(resnet_file, "swiftnet_resnet18", out, ImportOptions(mean=(0.1, 0.2, 0.3)))
    with pytest.raises(UserError, match="--backbone goes with --network swiftnet"):
        import_weights(resnet_file, "swiftnet", out, ACDC)


def test_the_command(pidnet: PidNet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(pidnet_state(pidnet), tmp_path / "theirs.pt")
    (tmp_path / "few.yaml").write_text("classes: [road, car]\n")
    command = ["import", str(tmp_path / "theirs.pt"), "--network", "pidnet_s", "--classes", "cityscapes"]
    assert main([*command, "--out", str(tmp_path / "ours.ckpt"), "--scale", "0.8"]) == 0
    told = capsys.readouterr().out
    assert "19 classes" in told
    assert "not used, 2 tensors of the file: sem_loss.criterion.weight, bd_loss.criterion.weight" in told
    assert load_student(tmp_path / "ours.ckpt")[1].data.working_scale == 0.8
    command[-1] = str(tmp_path / "few.yaml")
    assert main([*command, "--out", str(tmp_path / "ours.ckpt")]) == 2
    assert "is for 19 classes, and 2 are named" in capsys.readouterr().err

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.special
import torch
from torch import Tensor, nn

from distill.models.pidnet import CLASSIFIER, TRUNK, PidNet, Variant
from distill.models.pidnet_parts import Bag, Dappm, LightBag, Pag, Pappm, PyramidPooling
from distill.models.weights import Pretrained
from kd_seg_ros.common.classes import NUM_CLASSES
from kd_seg_ros.common.errors import UserError

VARIANTS: tuple[Variant, ...] = ("s", "m", "l")


@pytest.fixture(scope="module")
def small() -> PidNet:
    torch.manual_seed(0)
    return PidNet("s", NUM_CLASSES).eval()


@pytest.fixture(scope="module", params=VARIANTS)
def hollow(request: pytest.FixtureRequest) -> tuple[Variant, PidNet]:
    """A network without memory: counts and shapes need none."""
    with torch.device("meta"):
        return request.param, PidNet(request.param, NUM_CLASSES).eval()


def test_parameters_are_the_published_ones(hollow: tuple[Variant, PidNet]) -> None:
    variant, network = hollow
    published = {"s": 7.626, "m": 28.539, "l": 36.940}
    assert round(network.deployed_parameters() / 1e6, 3) == published[variant]


def test_as_many_tensors_as_the_authors_loader_reports(small: PidNet) -> None:
    """Theirs says "Loaded 453 parameters!" for PIDNet-S without the training-only heads."""
    deployed = [key for key in small.state_dict() if not key.startswith(small.training_only)]
    assert len(deployed) == 453


@pytest.mark.parametrize("size", [(97, 131), (1080, 1920)])
def test_any_size_gives_logits_of_that_size(hollow: tuple[Variant, PidNet], size: tuple[int, int]) -> None:
    variant, network = hollow
    output = network(torch.empty(1, 3, *size, device="meta"))
    assert output.logits.shape == (1, NUM_CLASSES, *size)
    height, width = -(-size[0] // 64) * 64, -(-size[1] // 64) * 64
    c = 32 if variant == "s" else 64
    widths = {"detail": 4 * c, "context": 4 * c, "boundary": 4 * c}
    widths |= {"detail3": 2 * c, "context3": 4 * c, "boundary3": 2 * c if variant == "l" else c}
    widths |= {"detail4": 2 * c, "context4": 8 * c, "boundary4": 2 * c}
    assert list(output.features) == list(output.strides) == list(widths)
    for name, feature in output.features.items():
        stride, channels = output.strides[name], widths[name]
        assert feature.shape == (1, channels, height // stride, width // stride)
    assert output.pre_logits.shape == (1, 256 if variant == "l" else 128, height // 8, width // 8)
    assert output.auxiliary == {}


def test_classifier_reads_the_pre_logits(small: PidNet) -> None:
    with torch.no_grad():
        maps = small.maps(torch.randn(1, 3, 64, 128))
        torch.testing.assert_close(maps.logits, small.final_layer.conv2(maps.pre_logits))


def test_heads_of_training_rest_in_evaluation() -> None:
    network = PidNet("s", NUM_CLASSES)
    seen: list[Tensor] = []
    for name in network.training_only:
        network.get_submodule(name).register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network.eval()(torch.randn(1, 3, 64, 64))
    assert seen == []
    auxiliary = network.train()(torch.randn(2, 3, 65, 100)).auxiliary
    assert {k: v.shape for k, v in auxiliary.items()} == {
        "semantic": (2, NUM_CLASSES, 65, 100),
        "boundary": (2, 1, 65, 100),
    }
    assert [tuple(x.shape[-2:]) for x in seen] == [(16, 16), (16, 16)]
    assert all(x.min() == 0 for x in seen)  # rectified, as with the authors


@pytest.mark.parametrize(("variant", "size"), [("s", (64, 64)), ("s", (70, 150)), ("l", (64, 64))])
def test_every_parameter_learns(variant: Variant, size: tuple[int, int]) -> None:
    network = PidNet(variant, NUM_CLASSES).train()
    output = network(torch.randn(2, 3, *size))
    loss = sum(x.square().mean() for x in (output.logits, *output.auxiliary.values()))
    assert isinstance(loss, Tensor)
    loss.backward()
    without = [
        name for name, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()
    ]
    assert without == []


def test_pag_takes_context_where_the_two_agree() -> None:
    torch.manual_seed(0)
    pag = Pag(4, 2).eval()
    p, i = torch.randn(2, 1, 4, 3, 5)
    w_x = pag.f_x.state_dict()["0.weight"].numpy()[:, :, 0, 0]
    w_y = pag.f_y.state_dict()["0.weight"].numpy()[:, :, 0, 0]
    similarity = (np.einsum("kc,bchw->bkhw", w_x, p) * np.einsum("kc,bchw->bkhw", w_y, i)).sum(1) / (1 + 1e-5)
    gate = scipy.special.expit(similarity)[:, None]
    with torch.no_grad():
        np.testing.assert_allclose(pag(p, i), gate * i.numpy() + (1 - gate) * p.numpy(), rtol=1e-4, atol=1e-6)
        assert pag(p, i[..., :1, :1]).shape == p.shape


def test_bag_takes_detail_on_boundaries_and_context_elsewhere() -> None:
    torch.manual_seed(0)
    p, i = torch.randn(2, 1, 4, 3, 5)
    sure = torch.full_like(p, 1e3)
    bag, light = Bag(4).eval(), LightBag(4).eval()
    with torch.no_grad():
        torch.testing.assert_close(bag(p, i, sure), bag.conv(p))
        torch.testing.assert_close(bag(p, i, -sure), bag.conv(i))
        torch.testing.assert_close(bag(p, i, 0 * sure), bag.conv((p + i) / 2))
        torch.testing.assert_close(light(p, i, sure), light.conv_p(p) + light.conv_i(i + p))
        torch.testing.assert_close(light(p, i, -sure), light.conv_p(p + i) + light.conv_i(i))


def covered(side: int, kernel: int, stride: int) -> list[int]:
    """How many samples of an axis each window of a pooling covers; the others lie beyond its ends."""
    counts = []
    for centre in range(0, side, stride):
        first, last = centre - kernel // 2, centre + kernel // 2
        counts.append(min(last, side - 1) - max(first, 0) + 1)
    return counts


def test_zeros_around_the_map_count_in_the_pooling() -> None:
    """On a map of ones, the average is the share of the window that lies in the map."""
    pooling = Pappm(1, 1, 1)
    for number, (kernel, stride) in enumerate(((5, 2), (9, 4), (17, 8)), start=1):
        pool = pooling.get_submodule(f"scale{number}.0")
        expected = np.outer(covered(3, kernel, stride), covered(7, kernel, stride)) / kernel**2
        np.testing.assert_allclose(pool(torch.ones(1, 1, 3, 7))[0, 0], expected, rtol=1e-6)
    assert float(pooling.scale4[0](torch.ones(1, 1, 3, 7))) == 1


def scales_by_hand(pooling: PyramidPooling, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    resized = [
        nn.functional.interpolate(getattr(pooling, f"scale{k}")(x), size=x.shape[-2:], mode="bilinear")
        for k in (1, 2, 3, 4)
    ]
    return pooling.scale0(x), resized


@torch.no_grad()
def test_pappm_mixes_each_scale_with_the_finest_apart_from_the_others() -> None:
    torch.manual_seed(0)
    pooling, x = Pappm(6, 3, 5).eval(), torch.randn(1, 6, 4, 9)
    state = pooling.scale_process.state_dict()
    mean, weight = state["0.running_mean"].normal_(), state["2.weight"]
    finest, scales = scales_by_hand(pooling, x)
    maps = [finest]
    for k, scale in enumerate(scales):
        at = slice(3 * k, 3 * k + 3)
        rectified = nn.functional.relu((scale + finest - mean[at, None, None]) / (1 + 1e-5) ** 0.5)
        maps.append(nn.functional.conv2d(rectified, weight[at], padding=1))
    expected = pooling.compression(torch.cat(maps, 1)) + pooling.shortcut(x)
    torch.testing.assert_close(pooling(x), expected)


@torch.no_grad()
def test_dappm_mixes_each_scale_with_the_one_before() -> None:
    torch.manual_seed(0)
    pooling, x = Dappm(6, 3, 5).eval(), torch.randn(1, 6, 4, 9)
    y0, (s1, s2, s3, s4) = scales_by_hand(pooling, x)
    y1 = pooling.process1(s1 + y0)
    y2 = pooling.process2(s2 + y1)
    y3 = pooling.process3(s3 + y2)
    y4 = pooling.process4(s4 + y3)
    expected = pooling.compression(torch.cat([y0, y1, y2, y3, y4], 1)) + pooling.shortcut(x)
    torch.testing.assert_close(pooling(x), expected)


@pytest.mark.parametrize("nested", [False, True])
def test_a_cityscapes_file_of_the_authors_loads_as_a_whole(
    small: PidNet, tmp_path: Path, nested: bool
) -> None:
    state = {f"model.{key}": value for key, value in small.state_dict().items()}
    state["sem_loss.criterion.weight"] = torch.ones(NUM_CLASSES)
    path = tmp_path / "PIDNet_S_Cityscapes_val.pt"
    torch.save({"epoch": 484, "state_dict": state} if nested else state, path)
    loaded = PidNet("s", NUM_CLASSES, Pretrained(str(path))).state_dict()
    for key, value in small.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            torch.testing.assert_close(loaded[key], value)
    with pytest.raises(UserError, match=r"_val\.pt was trained for 19 classes; 11 are needed here"):
        PidNet("s", 11, Pretrained(str(path)))


def imagenet_file(network: PidNet, path: Path, without: str = "") -> dict[str, Tensor]:
    """Save what the authors' ImageNet network has: the trunk, and its own classifier."""
    state = {key: value for key, value in network.state_dict().items() if key.partition(".")[0] in TRUNK}
    state |= {f"{part}.0.weight": torch.ones(2) for part in CLASSIFIER}
    state.pop(without, None)
    torch.save({"epoch": 100, "state_dict": state}, path)
    return state


def test_an_imagenet_file_of_the_authors_loads_into_the_trunk(small: PidNet, tmp_path: Path) -> None:
    state = imagenet_file(small, tmp_path / "PIDNet_S_ImageNet.pth.tar")
    torch.manual_seed(1)
    fresh = PidNet("s", 11).state_dict()
    torch.manual_seed(1)
    loaded = PidNet("s", 11, Pretrained(str(tmp_path / "PIDNet_S_ImageNet.pth.tar"))).state_dict()
    for key, value in loaded.items():
        torch.testing.assert_close(value, state.get(key, fresh[key]))
    assert not torch.equal(loaded["pag4.f_x.0.weight"], fresh["pag4.f_x.0.weight"])
    rest = {key.partition(".")[0] for key in loaded if key not in state}
    heads = {"final_layer", "seghead_p", "seghead_d"}
    assert rest == heads | {"spp", "dfm", "diff3", "diff4", "layer3_d", "layer4_d", "layer5_d"}


def test_files_that_do_not_fit_are_refused(small: PidNet, tmp_path: Path) -> None:
    path = tmp_path / "trunk.pth"
    imagenet_file(small, path, without="layer5.1.conv2.weight")
    with pytest.raises(UserError, match=r"PIDNet-S do not fit: 1 missing \(layer5\.1\.conv2\.weight\)"):
        PidNet("s", NUM_CLASSES, Pretrained(str(path)))
    with pytest.raises(UserError, match="PIDNet-M do not fit"):
        PidNet("m", NUM_CLASSES, Pretrained(str(path)))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_hub_is_refused_in_one_line(variant: Variant) -> None:
    with pytest.raises(UserError, match=r"--student\.pretrained FILE") as refusal:
        PidNet(variant, NUM_CLASSES, Pretrained(True))
    assert f"PIDNet_{variant.upper()}_ImageNet.pth.tar" in str(refusal.value)
    assert "\n" not in str(refusal.value)

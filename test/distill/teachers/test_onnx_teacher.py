from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tiny_model import write_tiny_model

from distill.losses.kl import kl_loss
from distill.teachers.external import ExternalTeacher, Normalisation, TeacherOptions
from distill.teachers.onnx_teacher import load_onnx, open_session
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.onnx_runtime import ort

STUDENT = Normalisation((0.4, 0.3, 0.2), (0.5, 0.25, 0.125))
OWN: dict[str, Any] = {"mean": (0.1, 0.2, 0.3), "std": (0.5, 1.0, 0.25)}
NAMES = ["Road", "sky", "tree", "bed", "plant", "car, auto"]

Shape = list[int | str]


def write(
    path: Path,
    classes: int = 6,
    image: Shape | None = None,
    outputs: tuple[str, ...] = ("scores",),
    half: bool = False,
    stride: int = 2,
    softmax: bool = False,
) -> NDArray[np.float64]:
    """Write a network that is one 1×1 convolution of some stride; return its weights [classes, 3]."""
    weights = np.random.default_rng(1).normal(0, 2, (classes, 3))
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    kernel = weights[..., None, None].astype(np.float16 if half else np.float32)
    nodes = [helper.make_node("Conv", ["x", "kernel"], [outputs[0]], strides=[stride, stride])]
    if softmax:
        nodes[0].output[0] = "inner"
        nodes.append(helper.make_node("Softmax", ["inner"], [outputs[0]], axis=1))
    nodes += [helper.make_node("Neg", [outputs[0]], [other]) for other in outputs[1:]]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "tiny",
        [info("x", kind, image or ["batch", 3, "height", "width"])],
        [info(name, kind, ["b", classes, "h", "w"]) for name in outputs],
        [numpy_helper.from_array(kernel, "kernel")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return weights


def load(path: Path, **options: Any) -> ExternalTeacher:
    return load_onnx(path, STUDENT, TeacherOptions(**(OWN | {"class_names": NAMES} | options)))


def expected(student: torch.Tensor, weights: NDArray[np.float64], stride: int = 1) -> NDArray[np.float64]:
    """Probabilities of road, sky, vegetation, car on the network's grid, in plain NumPy."""
    image = student.double().numpy()
    rgb = image * np.reshape(STUDENT.std, (3, 1, 1)) + np.reshape(STUDENT.mean, (3, 1, 1))
    own = (rgb - np.reshape(OWN["mean"], (3, 1, 1))) / np.reshape(OWN["std"], (3, 1, 1))
    scores = np.einsum("kc,bchw->bkhw", weights, own[..., ::stride, ::stride])
    e = np.exp(scores)
    kept = np.stack([e[:, 0], e[:, 1], e[:, 2] + e[:, 4], e[:, 5]], axis=1)
    return kept / kept.sum(axis=1, keepdims=True)


OURS = [0, 10, 8, 13]


@pytest.mark.parametrize("half", [False, True])
def test_normalisation_and_classes_in_closed_form(tmp_path: Path, half: bool) -> None:
    weights = write(tmp_path / "a.onnx", stride=1, half=half)
    student = torch.randn(2, 3, 32, 64)
    found = load(tmp_path / "a.onnx")(student).logits
    tolerance = 2e-2 if half else 1e-5
    np.testing.assert_allclose(found[:, OURS].exp().numpy(), expected(student, weights), atol=tolerance)
    assert found.dtype == torch.float32
    assert kl_loss(found, found, torch.ones(2, 32, 64)) == 0


def test_coarse_probabilities_are_interpolated(tmp_path: Path) -> None:
    weights = write(tmp_path / "a.onnx", stride=2)
    student = torch.randn(1, 3, 32, 32)
    coarse = expected(student, weights, stride=2)[0]
    positions = (np.arange(32) + 0.5) / 2 - 0.5
    rows = np.apply_along_axis(lambda v: np.interp(positions, np.arange(16), v), 1, coarse)
    both = np.apply_along_axis(lambda v: np.interp(positions, np.arange(16), v), 2, rows)
    found = load(tmp_path / "a.onnx")(student).logits[0, OURS].exp().numpy()
    np.testing.assert_allclose(found, both, atol=1e-5)


def test_a_fixed_file_gets_its_size_antialiased(tmp_path: Path) -> None:
    """Halving by a triangle of width 4: (1, 3, 3, 1)/8 per axis, away from the edge."""
    weights = write(tmp_path / "a.onnx", stride=1, image=[1, 3, 16, 16])
    student = torch.randn(1, 3, 32, 32)
    teacher = load(tmp_path / "a.onnx")
    kernel = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    smooth = torch.nn.functional.conv2d(
        student, (kernel.view(4, 1) * kernel).expand(3, 1, 4, 4), stride=2, padding=1, groups=3
    )
    wanted = torch.zeros(1, 19, 16, 16, dtype=torch.float64)
    wanted[:, OURS] = torch.from_numpy(expected(smooth, weights))
    wanted = torch.nn.functional.interpolate(wanted, scale_factor=2, mode="bilinear")
    found = teacher(student).logits.exp()
    torch.testing.assert_close(found[..., 4:-4, 4:-4].double(), wanted[..., 4:-4, 4:-4], atol=1e-5, rtol=0)
    assert "16×16" in teacher.describe()


def test_a_batch_of_one_is_run_image_by_image(tmp_path: Path) -> None:
    write(tmp_path / "one.onnx", image=[1, 3, "h", "w"])
    write(tmp_path / "free.onnx")
    student = torch.randn(3, 3, 32, 32)
    torch.testing.assert_close(load(tmp_path / "one.onnx")(student), load(tmp_path / "free.onnx")(student))


def test_probabilities_in_place_of_logits_are_recognised(tmp_path: Path) -> None:
    write(tmp_path / "logits.onnx", half=True)
    write(tmp_path / "softmax.onnx", half=True, softmax=True)
    student = torch.randn(1, 3, 32, 32)
    maps = [load(tmp_path / name)(student).logits.exp() for name in ("logits.onnx", "softmax.onnx")]
    torch.testing.assert_close(*maps, atol=1e-2, rtol=0)


def test_probabilities_of_sigmoids_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.onnx", classes=6)
    proto = onnx.load(tmp_path / "a.onnx")
    name = proto.graph.output[0].name
    for node in proto.graph.node:
        node.output[:] = ["raw" if output == name else output for output in node.output]
    proto.graph.node.append(onnx.helper.make_node("Sigmoid", ["raw"], [name]))
    onnx.save(proto, tmp_path / "a.onnx")
    with pytest.raises(UserError, match="without its sigmoid"):
        load(tmp_path / "a.onnx")(torch.randn(1, 3, 32, 32))


def test_a_head_of_one_channel_names_the_export_of_two(tmp_path: Path) -> None:
    write(tmp_path / "a.onnx", classes=1)
    with pytest.raises(UserError, match="head of a single class; export two channels instead"):
        load(tmp_path / "a.onnx", class_names=["road"])


def test_nineteen_unnamed_channels_are_cityscapes(tmp_path: Path) -> None:
    write(tmp_path / "a.onnx", classes=19)
    teacher = load(tmp_path / "a.onnx", class_names=None)
    assert teacher.mapping.names == CLASS_NAMES
    assert "19 classes taken for Cityscapes' in trainId order" in teacher.describe()
    assert teacher.mapping.missing == ()


def test_explicit_classes(tmp_path: Path) -> None:
    write(tmp_path / "a.onnx")
    teacher = load(tmp_path / "a.onnx", classes={"bed": "truck", "tree": None})
    assert teacher.mapping.targets == (0, 10, None, 14, 8, 13)


def test_the_output_named_logits_is_preferred(tmp_path: Path) -> None:
    write(tmp_path / "a.onnx", outputs=("aux", "logits"))
    write(tmp_path / "b.onnx", outputs=("aux",))
    student = torch.randn(1, 3, 32, 32)
    found = load(tmp_path / "a.onnx")(student).logits
    negative = load(tmp_path / "b.onnx")(student).logits
    assert not torch.allclose(found, negative)
    assert "output 'logits'" in load(tmp_path / "a.onnx").describe()


def test_it_behaves_as_a_module(tmp_path: Path) -> None:
    write(tmp_path / "a.onnx")
    teacher = load(tmp_path / "a.onnx").to("cpu").requires_grad_(False).eval()
    image = torch.randn(1, 3, 32, 32, requires_grad=True)
    assert not teacher(image).logits.requires_grad
    assert list(teacher.parameters()) == []


def test_a_size_that_the_file_refuses_is_one_line(tmp_path: Path) -> None:
    write(tmp_path / "a.onnx", image=["b", 3, 16, 16])
    teacher = load(tmp_path / "a.onnx")
    with pytest.raises(UserError, match=r"a\.onnx: the teacher does not run on \[1, 3, 8, 8\]") as error:
        teacher.network(torch.zeros(1, 3, 8, 8))
    assert "\n" not in str(error.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_cuda_is_never_silently_the_cpu(tmp_path: Path) -> None:
    write(tmp_path / "a.onnx")
    with pytest.raises(UserError, match=r"CUDAExecutionProvider of ONNX Runtime .* did not start") as error:
        open_session(tmp_path / "a.onnx", torch.device("cuda"))
    assert "\n" not in str(error.value)


def test_a_provider_that_falls_back_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime offers CUDA, and then leaves it out of the session without an error."""
    write(tmp_path / "a.onnx")
    genuine = ort.InferenceSession

    def fallen_back(path: str, options: Any, providers: list[Any], **kwargs: Any) -> ort.InferenceSession:
        assert providers == [("CUDAExecutionProvider", {"device_id": "1"})]
        return genuine(path, options, providers=["CPUExecutionProvider"], **kwargs)

    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(ort, "InferenceSession", fallen_back)
    with pytest.raises(UserError, match="did not start"):
        open_session(tmp_path / "a.onnx", torch.device("cuda:1"))


@pytest.mark.parametrize(
    ("written", "options", "message"),
    [
        ({}, {"mean": None}, r"teacher\.mean and teacher\.std"),
        ({}, {"std": None}, r"teacher\.mean and teacher\.std"),
        ({}, {"class_names": None}, r"6 channels: .*teacher\.class_names"),
        ({}, {"class_names": NAMES[:5]}, r"5 names for the 6 channels"),
        ({}, {"classes": {"bet": "truck"}}, r"'bet' is no class .* did you mean 'bed'"),
        ({}, {"mean": (123.7, 116.3, 103.5)}, r"not those of RGB in 0…1"),
        ({"outputs": ("a", "b")}, {}, r"no single output .* 'logits'; there are a tensor\(float\) .*, b "),
        ({"image": [4, 3, "h", "w"]}, {}, r"its inputs are x tensor\(float\) \[4, 3, 'h', 'w'\]"),
        ({"image": [1, 3, 16, "w"]}, {}, r"fixes only one side .*teacher\.size"),
        ({"image": [1, 3, 16, 16]}, {"size": (16, 32)}, r"teacher\.size \[16, 32\] does not fit"),
    ],
)
def test_mistakes_are_refused_in_one_line(
    tmp_path: Path, written: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    write(tmp_path / "a.onnx", **written)
    with pytest.raises(UserError, match=message) as error:
        load(tmp_path / "a.onnx", **options)
    assert "\n" not in str(error.value)


def test_the_size_option_is_what_a_free_file_sees(tmp_path: Path) -> None:
    write(tmp_path / "a.onnx", image=["b", 3, 48, "w"])
    assert load(tmp_path / "a.onnx", size=(48, 80)).size.of(32, 32) == (48, 80)


def test_the_projects_own_files_are_refused(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "own.onnx", 16, 16)
    with pytest.raises(UserError, match=r"own\.onnx is a vehicle's model file .*teacher\.checkpoint$"):
        load(path)


def test_a_mask_in_place_of_logits_is_refused(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("ArgMax", ["x"], ["classes"], axis=1)],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("classes", TensorProto.INT64, [1, 1, 8, 8])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, str(tmp_path / "a.onnx"))
    with pytest.raises(UserError, match=r"there are classes tensor\(int64\)"):
        load(tmp_path / "a.onnx")


@pytest.mark.parametrize("shape", [[1, 8, 8, 3], [1, 1, 8, 8], [8, 8, 3]])
def test_other_images_are_refused(tmp_path: Path, shape: list[int]) -> None:
    kind = TensorProto.UINT8 if shape[-1] == 3 else TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Identity", ["pixels"], ["logits"])],
        "tiny",
        [helper.make_tensor_value_info("pixels", kind, shape)],
        [helper.make_tensor_value_info("logits", kind, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, str(tmp_path / "a.onnx"))
    with pytest.raises(UserError, match=r"its inputs are pixels .* \[batch, 3, height, width\]"):
        load(tmp_path / "a.onnx")


@pytest.mark.parametrize("content", [b"", b"not an ONNX file", None])
def test_damaged_and_absent_files(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.onnx(: not a readable ONNX file| does not exist)") as error:
        load(path)
    assert "\n" not in str(error.value)


def test_a_file_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    write(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match="not a readable ONNX file"):
        load(path)

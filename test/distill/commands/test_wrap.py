"""A network from elsewhere becomes a vehicle's file that does what the network does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
import scipy.special
from onnx import TensorProto, helper, numpy_helper

from distill.__main__ import main
from kd_seg_ros.common.classes import PALETTE
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.engine import Engine

CLASSES = 4
STRIDE = 3
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
NETWORK_SIZE = (40, 60)


def network(path: Path, last: str = "", opset: int = 18, **changes: Any) -> Path:
    """One strided convolution; ``last`` is an operator after it, ``changes`` replace what the file says."""
    rng = np.random.default_rng(0)
    settings = {
        "size": NETWORK_SIZE,
        "dtype": TensorProto.FLOAT,
        "outputs": ["mask"],
        "channels": 3,
        "classes": CLASSES,
        **changes,
    }
    kind = helper.tensor_dtype_to_np_dtype(settings["dtype"])
    weights = rng.normal(0, 1, (settings["classes"], settings["channels"], STRIDE + 2, STRIDE + 2)).astype(
        kind
    )
    convolved = ["conv" if last else "mask"]
    nodes = [helper.make_node("Conv", ["image", "w"], convolved, strides=[STRIDE] * 2, pads=[1, 1, 1, 1])]
    if last:
        attributes: dict[str, Any] = {} if last == "Sigmoid" else {"axis": 1}
        nodes.append(helper.make_node(last, ["conv"], ["mask"], **attributes))
    nodes += [helper.make_node("Identity", ["mask"], [name]) for name in settings["outputs"][1:]]
    output = TensorProto.INT64 if last == "ArgMax" else settings["dtype"]
    graph = helper.make_graph(
        nodes,
        "network",
        [
            helper.make_tensor_value_info(
                "image", settings["dtype"], [1, settings["channels"], *settings["size"]]
            )
        ],
        [helper.make_tensor_value_info(name, output, None) for name in settings["outputs"]],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    onnx.save(model, path)
    return path


def wrap(folder: Path, onnx_file: Path, *options: str, classes: str = "[road, car, sky, fog]") -> Path:
    """Run the command; return the file."""
    (folder / "classes.yaml").write_text(f"classes: {classes}\n")
    command = ["wrap", "--model", str(onnx_file), "--classes", str(folder / "classes.yaml")]
    command += ["--out", str(folder / "wrapped.onnx"), "--limit", "2"]
    normalisation = ["--mean", *map(str, MEAN), "--std", *map(str, STD)]
    assert main([*command, *normalisation, *options]) == 0
    return folder / "wrapped.onnx"


def by_hand(
    path: Path, image: np.ndarray, working: tuple[int, int], multiple: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Mask and probability of the network alone, padded by NumPy and resized by OpenCV."""
    x = ((image / 255 - np.array(MEAN)) / np.array(STD)).astype(np.float32)
    x = cv2.resize(x, working[::-1], interpolation=cv2.INTER_LINEAR)
    height, width = working
    top, left = (-height % multiple) // 2, (-width % multiple) // 2
    x = np.pad(x, [(top, -(height + top) % multiple), (left, -(width + left) % multiple), (0, 0)])
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    logits = session.run(["mask"], {"image": x.transpose(2, 0, 1)[None].astype(np.float32)})[0][0]
    seen = [cv2.resize(plane, x.shape[1::-1], interpolation=cv2.INTER_LINEAR) for plane in logits]
    seen = [plane[top : top + height, left : left + width] for plane in seen]
    full = np.stack([cv2.resize(p, image.shape[1::-1], interpolation=cv2.INTER_LINEAR) for p in seen])
    return full.argmax(0), scipy.special.softmax(full, axis=0).max(0)


@pytest.mark.parametrize("options", [(), ("--size", "50x75", "--scale", "0.8")])
def test_the_file_is_the_network(tmp_path: Path, options: tuple[str, ...]) -> None:
    original = network(tmp_path / "net.onnx")
    engine = Engine(wrap(tmp_path, original, *options), "cpu")
    assert engine.size == ((50, 75) if options else NETWORK_SIZE)
    image = np.random.default_rng(1).integers(0, 256, (*engine.size, 3), dtype=np.uint8)
    mask, probability = by_hand(original, image, NETWORK_SIZE)
    found = engine.segment(image, probability=True)
    assert found.probability is not None
    np.testing.assert_allclose(found.probability, probability, atol=1e-4)
    assert (found.mask != mask).mean() < 1e-3  # ties alone
    assert len(np.unique(mask)) == CLASSES


def strided(path: Path, size: tuple[Any, Any]) -> Path:
    """A network of stride 8 that adds maps of strides 4 and 8: it takes multiples of 8 only."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["fine"], strides=[4, 4]),
        helper.make_node("Conv", ["fine", "w2"], ["coarse"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Resize", ["coarse", "", "scales"], ["up"], mode="nearest"),
        helper.make_node("Add", ["fine", "up"], ["mask"]),
    ]
    weights = {
        "w1": rng.normal(0, 1, (CLASSES, 3, 4, 4)),
        "w2": rng.normal(0, 0.2, (CLASSES, CLASSES, 3, 3)),
        "scales": np.array([1, 1, 2, 2]),
    }
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, *size])],
        [helper.make_tensor_value_info("mask", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(values.astype(np.float32), name) for name, values in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


@pytest.mark.parametrize(
    ("size", "options", "multiple"),
    [
        (("h", "w"), ("--size", "41x71"), 8),  # found by trying
        (("h", "w"), ("--size", "41x71", "--multiple", "32"), 32),
        ((48, 96), ("--size", "41x71", "--multiple", "48"), 48),
        ((56, 88), ("--size", "65x105", "--scale", "0.8"), 8),  # the size that the file is fixed to
        (("h", "w"), ("--size", "48x64"), 1),
    ],
)
def test_images_are_padded_to_what_the_network_takes(
    tmp_path: Path, size: tuple[Any, Any], options: tuple[str, ...], multiple: int
) -> None:
    original = strided(tmp_path / "net.onnx", size)
    engine = Engine(wrap(tmp_path, original, *options), "cpu")
    assert engine.card.padding_multiple == multiple
    image = np.random.default_rng(1).integers(0, 256, (*engine.size, 3), dtype=np.uint8)
    working = (
        round(engine.size[0] * engine.card.working_scale),
        round(engine.size[1] * engine.card.working_scale),
    )
    mask, probability = by_hand(original, image, working, multiple)
    found = engine.segment(image, probability=True)
    assert found.probability is not None
    assert found.mask.shape == image.shape[:2]
    np.testing.assert_allclose(found.probability, probability, atol=1e-4)
    assert (found.mask != mask).mean() < 1e-3  # ties alone
    assert len(np.unique(mask)) == CLASSES


def test_logits_of_no_whole_stride_are_stretched_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrap(tmp_path, network(tmp_path / "net.onnx"))
    assert "the logits of 40×60 are 13×20, no whole stride" in capsys.readouterr().err
    wrap(tmp_path, strided(tmp_path / "net.onnx", ("h", "w")), "--size", "41x71")
    text = capsys.readouterr().err
    assert "41×71 is padded to 48×72, multiples of 8" in text
    assert "no whole stride" not in text


def test_the_card_says_what_is_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    original = network(tmp_path / "net.onnx")
    colours = "{road: [1, 2, 3], car: [4, 5, 6], sky: [7, 8, 9], fog: [0, 0, 0]}"
    card = Engine(wrap(tmp_path, original, classes=colours), "cpu").card
    assert (card.name, card.class_names) == ("net", ("road", "car", "sky", "fog"))
    assert card.palette == ((1, 2, 3), (4, 5, 6), (7, 8, 9), (0, 0, 0))
    assert (card.mean, card.std, card.temperature) == (MEAN, STD, 1.0)
    assert card.parameters == CLASSES * 3 * (STRIDE + 2) ** 2
    assert card.agreement["argmax"] >= 0.999
    assert "agreement with net.onnx itself over 2 images" in capsys.readouterr().err
    named = Engine(wrap(tmp_path, original), "cpu").card
    assert named.palette[:2] == (PALETTE[0], PALETTE[13])


def test_free_sizes_half_precision_and_older_opsets(tmp_path: Path) -> None:
    size = ["--size", "33x47"]
    for changes in ({"size": ("h", "w")}, {"dtype": TensorProto.FLOAT16, "size": (33, 47)}, {"opset": 12}):
        fixed = [] if "opset" in changes else size
        engine = Engine(wrap(tmp_path, network(tmp_path / "net.onnx", **changes), *fixed), "cpu")
        assert engine.card.agreement["argmax"] >= 0.995


@pytest.mark.parametrize("version", [3, 13])
def test_files_of_old_and_of_new_formats(tmp_path: Path, version: int) -> None:
    """Up to version 3 weights are inputs, too; beyond 11 the vehicle's ONNX Runtime may not read the file."""
    original = network(tmp_path / "net.onnx")
    proto = onnx.load(original)
    proto.ir_version = version
    if version == 3:
        weights = proto.graph.initializer[0]
        proto.graph.input.append(helper.make_tensor_value_info("w", weights.data_type, weights.dims))
    onnx.save(proto, original)
    path = wrap(tmp_path, original)
    assert onnx.load(path).ir_version == 10
    assert Engine(path, "cpu").card.agreement["argmax"] >= 0.999


def test_quantised_weights_are_counted(tmp_path: Path) -> None:
    original = network(tmp_path / "net.onnx")
    proto = onnx.load(original)
    weights = numpy_helper.to_array(proto.graph.initializer[0])
    small = numpy_helper.from_array(np.round(30 * weights).astype(np.int8), "small")
    scale = numpy_helper.from_array(np.float32(1 / 30), "scale")
    del proto.graph.initializer[:]
    proto.graph.initializer.append(scale)
    dequantise = helper.make_node("DequantizeLinear", ["small", "scale"], ["w"])
    proto.graph.node.insert(0, dequantise)
    proto.graph.node.insert(0, helper.make_node("Constant", [], ["small"], value=small))
    onnx.save(proto, original)
    assert Engine(wrap(tmp_path, original), "cpu").card.parameters == weights.size + 1


def test_one_of_several_outputs(tmp_path: Path) -> None:
    original = network(tmp_path / "net.onnx", outputs=["mask", "edges"])
    assert Engine(wrap(tmp_path, original, "--logits", "edges"), "cpu").card.agreement["argmax"] >= 0.999


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"dtype": TensorProto.DOUBLE}, (), "its inputs are image double [1, 3, 40, 60]; it must have one"),
        ({"channels": 1}, (), "its inputs are image float [1, 1, 40, 60]"),
        ({"last": "ArgMax"}, (), "not logits"),
        ({"last": "Softmax"}, (), "holds probabilities: export it without its softmax"),
        ({"last": "Sigmoid"}, (), "holds probabilities: export it without its sigmoid"),
        ({"classes": 1}, (), "one channel, the head of a single class; export two channels instead"),
        (
            {},
            ("--size", "39x60", "--multiple", "32"),
            "takes images of 40×60, not 39×60 padded to multiples of",
        ),
        ({}, ("--multiple", "32"), "takes images of 40×60, not 40×60 padded to multiples of 32"),
        ({}, ("--multiple", "0"), "--multiple: "),
        ({}, ("--multiple", "1000000"), "--multiple must be within 1…1024, not 1000000"),
        ({"outputs": ["mask", "edges"]}, (), "choose with --logits NAME"),
        ({}, ("--logits", "logits"), "has no such output"),
        ({}, ("--size", "41x60"), "takes images of 40×60, not 41×60"),
        ({"size": ("h", "w")}, (), "give the camera's by --size HxW"),
        ({}, ("--mean", "123", "116", "103"), "divide those of colours in 0…255 by 255"),
        ({}, ("--scale", "3"), "no image has 40×60"),
        ({}, ("--scale", "1e-9"), "--scale must be within 1/16…16, not 1e-09"),
        ({}, ("--scale", "nan"), "--scale: 'nan' is not a number"),
        ({}, ("--mean", "nan", "0", "0"), "--mean: 'nan' is not a number"),
        ({}, ("--std", "1", "1", "nan"), "--std: 'nan' is not a number"),
        ({}, ("--model", "nowhere.onnx"), "--model nowhere.onnx: no such model file"),
        ({}, ("--model", "{folder}/classes.yaml"), "is neither a checkpoint"),
        ({}, ("--classes", "{folder}/two.yaml"), "4 classes, but --classes names 2"),
        ({}, ("--classes", "{folder}/none.yaml"), "must hold `classes:`"),
        ({}, ("--classes", "{folder}/one.yaml"), "there must be 2 to 255 different names"),
        ({}, ("--images", "{folder}/none"), "is not a folder"),
        ({}, ("--out", "{folder}/x.pt"), "ends in .onnx"),
    ],
)
def test_mistakes_end_in_one_line(
    tmp_path: Path,
    changes: dict[str, Any],
    options: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "classes.yaml").write_text("classes: [road, car, sky, fog]\n")
    (tmp_path / "two.yaml").write_text("classes: [road, car]\n")
    (tmp_path / "none.yaml").write_text("names: [road, car]\n")
    (tmp_path / "one.yaml").write_text("classes: [road]")
    command = ["wrap", "--model", str(network(tmp_path / "net.onnx", **changes))]
    command += ["--classes", str(tmp_path / "classes.yaml"), "--out", str(tmp_path / "out.onnx")]
    assert main([*command, *(option.format(folder=tmp_path) for option in options)]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert not (tmp_path / "out.onnx").exists()


def test_an_opset_that_cannot_be_converted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    original = network(tmp_path / "net.onnx")
    proto = onnx.load(original)
    proto.graph.node.insert(1, helper.make_node("Gelu", ["mask"], ["unused"]))  # new in opset 20
    proto.opset_import[0].version = 20
    onnx.save(proto, original)
    (tmp_path / "classes.yaml").write_text("classes: [road, car, sky, fog]\n")
    command = ["wrap", "--model", str(original), "--classes", str(tmp_path / "classes.yaml")]
    assert main([*command, "--out", str(tmp_path / "out.onnx")]) == 2
    assert "has opset 20" in capsys.readouterr().err

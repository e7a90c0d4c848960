"""Opening a segmentation network from elsewhere in an ONNX file, and refusing one that cannot be wrapped.

The network takes one image, float32 or float16 [1, 3, h, w], and returns logits [1, C, h', w'] at any size.
Where it takes multiples of some number only (its strides multiplied), images are padded to those.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import version_converter
from torch import Tensor, nn

from distill.export.interpolation import Padding
from distill.export.network_size import first_that_runs, note_padding, possible_paddings
from distill.export.surround import shape_of
from distill.models.output import Output, crop_padding, pad_to_multiple, upsample
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.contract import OPSET
from kd_seg_ros.inference.errors import EngineError
from kd_seg_ros.inference.onnx_file import read_onnx_file
from kd_seg_ros.inference.session_start import session_options

DTYPES: dict[int, type[np.generic]] = {
    onnx.TensorProto.FLOAT: np.float32,
    onnx.TensorProto.FLOAT16: np.float16,
}

PROBABILITY_TOLERANCE = 1e-2
"""Half precision makes sums of probabilities differ from 1 by less than this."""


@dataclass(frozen=True)
class ExternalNetwork:
    """A network that can be wrapped."""

    proto: onnx.ModelProto
    """The network, of the contract's opset, with one input and one output, both of known shape."""
    module: nn.Module
    """The unchanged file as a network of this project, for comparison."""
    parameters: int
    """Count of the numbers in the network's weights."""
    padding: Padding
    """From the resized image to the size that the network takes."""
    multiple: int
    """The sides of the padded image are multiples of this; 1: nothing is padded."""


def open_network(
    path: Path,
    classes: int,
    size: tuple[int, int] | None,
    scale: float,
    output: str | None,
    multiple: int | None = None,
) -> ExternalNetwork:
    """Open a file and try it once.

    :param classes: C.
    :param size: (H, W) of the camera's image; None: the size that the file's own fits to.
    :param scale: the network sees the image resized by this factor.
    :param output: name of its logits; None: it has one output.
    :param multiple: pad images to multiples of this; None: of the first of
        :data:`~distill.export.network_size.MULTIPLES` that it takes.
    :raises UserError: if it cannot be wrapped.
    """
    original = _load(path)
    image = _image_input(original, path)
    proto = _in_our_opset(original, path)
    height, width = shape_of(image)[2:]
    paddings = possible_paddings((height, width), path, size, scale, multiple)
    logits = _output(proto, path, output)
    dtype = image.type.tensor_type.elem_type
    module = OnnxModule(path, image.name, logits.name, DTYPES[dtype])
    module.multiple, found = first_that_runs(module.on_noise, paddings)
    _check_logits(found, path, logits.name, classes)
    padding = paddings[module.multiple]
    note_padding(padding, found.shape[2:], module.multiple)

    shape = (1, 3, *padding.padded)
    del proto.graph.input[:], proto.graph.output[:]
    info = onnx.helper.make_tensor_value_info
    proto.graph.input.append(info(image.name, dtype, shape))
    proto.graph.output.append(info(logits.name, logits.type.tensor_type.elem_type, found.shape))
    return ExternalNetwork(proto, module, _parameters(original), padding, module.multiple)


def _parameters(proto: onnx.ModelProto) -> int:
    """Count the numbers in a network's weights, quantised ones among them."""
    values = []
    for node in proto.graph.node:
        if node.op_type == "Constant":
            values += [item.t for item in node.attribute if item.type == onnx.AttributeProto.TENSOR]
    kinds = {*DTYPES, onnx.TensorProto.INT8, onnx.TensorProto.UINT8}
    return sum(math.prod(w.dims) for w in (*proto.graph.initializer, *values) if w.data_type in kinds)


def _load(path: Path) -> onnx.ModelProto:
    if not path.is_file():
        raise UserError(f"--model {path} {'is not a file' if path.exists() else 'does not exist'}")
    try:
        return onnx.load_from_string(read_onnx_file(path).content)
    except EngineError as error:
        raise UserError(f"--model {error}") from error
    except Exception as error:  # protobuf's errors
        raise UserError(f"--model {path} is not a readable ONNX file: {first_line(error)}") from error


def _in_our_opset(proto: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """Convert a model to the opset that the ONNX Runtime of every vehicle knows."""
    version = next((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), 0)
    if version == OPSET:
        return proto
    try:
        converted: onnx.ModelProto = version_converter.convert_version(proto, OPSET)
    except Exception as error:  # the converter's exceptions share no narrower base
        raise UserError(
            f"{path} has opset {version}, and it cannot be converted to {OPSET} ({first_line(error)}): "
            f"export it with opset {OPSET}"
        ) from error
    return converted


def _image_input(proto: onnx.ModelProto, path: Path) -> onnx.ValueInfoProto:
    stored = {weights.name for weights in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in stored]
    image = inputs[0] if len(inputs) == 1 else None
    shape = shape_of(image) if image else []
    # 0 stands for a free dimension.
    usable = len(shape) == 4 and shape[0] in (0, 1) and shape[1] in (0, 3)
    if image is None or not usable or image.type.tensor_type.elem_type not in DTYPES:
        raise UserError(
            f"{path}: its inputs are {_describe(inputs)}; it must have one, float32 or float16 [1, 3, h, w]"
        )
    return image


def _output(proto: onnx.ModelProto, path: Path, name: str | None) -> onnx.ValueInfoProto:
    outputs = list(proto.graph.output)
    chosen = [value for value in outputs if name in (None, value.name)]
    if name and not chosen:
        raise UserError(f"--logits {name}: {path} has no such output, but {_describe(outputs)}")
    if len(chosen) > 1:
        raise UserError(f"{path} has {len(chosen)} outputs, {_describe(outputs)}: choose with --logits NAME")
    return chosen[0]


def _check_logits(found: NDArray[Any], path: Path, name: str, classes: int) -> None:
    what = f"{path}: its output {name!r} is {found.dtype} {list(found.shape)}"
    if found.ndim != 4 or found.shape[0] != 1 or found.dtype not in DTYPES.values():
        raise UserError(
            f"{what}, not logits, float [1, classes, height, width]: export it without its argmax, or choose "
            "another by --logits NAME"
        )
    if found.shape[1] == 1:
        raise UserError(
            f"{what}: one channel, the head of a single class; export two channels instead, logits whose "
            "softmax is its sigmoid, torch.cat([torch.zeros_like(z), z], 1), and name two classes, the first "
            "one for all the rest"
        )
    if found.shape[1] != classes:
        raise UserError(f"{what}: {found.shape[1]} classes, but --classes names {classes}")
    if not ((found >= 0) & (found <= 1 + PROBABILITY_TOLERANCE)).all():
        return
    sums = found.astype(np.float32).sum(axis=1)
    summing = np.allclose(sums, 1, atol=PROBABILITY_TOLERANCE)
    last = "softmax" if summing else "sigmoid (all values lie in 0…1 and do not sum to 1)"
    raise UserError(f"{path}: its output {name!r} holds probabilities: export it without its {last}")


def _describe(values: list[onnx.ValueInfoProto]) -> str:
    """Name tensors with type and shape, for an error."""
    names = []
    for value in values:
        kind = onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower()
        names.append(f"{value.name} {kind} {[side or '?' for side in shape_of(value)]}")
    return ", ".join(names) or "none"


class OnnxModule(nn.Module):
    """An ONNX file as a network of this project: what a wrapped file is compared with."""

    def __init__(self, path: Path, image: str, logits: str, dtype: type[np.generic]) -> None:
        """Open the file; raises UserError if ONNX Runtime cannot."""
        super().__init__()
        self._path, self._image, self._logits = path, image, logits
        options = session_options()
        options.log_severity_level = 4  # all there is to say is in the exceptions
        try:
            self._session = ort.InferenceSession(
                read_onnx_file(path).content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's exceptions share no narrower base
            raise UserError(f"--model {path}: ONNX Runtime cannot run it: {first_line(error)}") from error
        self._numpy_dtype = dtype
        self.multiple = 1
        """Images are padded to multiples of this."""
        # It tells in what precision the network takes its images.
        self.dtype = nn.Parameter(torch.from_numpy(np.zeros(0, dtype)), requires_grad=False)

    def forward(self, image: Tensor) -> Output:
        """Run the file on the padded image; its logits are brought to the size of the image."""
        padded, padding = pad_to_multiple(image, self.multiple)
        logits = torch.from_numpy(self.scores(padded.cpu().numpy())).float().to(image.device)
        return Output(crop_padding(upsample(logits, padded.shape[-2:]), padding), logits, {})

    def on_noise(self, size: tuple[int, int]) -> NDArray[Any]:
        """Return the output for normal noise of a size (h, w), the same each time; raises UserError."""
        noise = np.random.default_rng(0).normal(size=(1, 3, *size))
        return self.scores(noise.astype(self._numpy_dtype))

    def scores(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return the output for [1, 3, h, w] in the file's precision."""
        try:
            found: NDArray[Any] = self._session.run([self._logits], {self._image: image})[0]
        except Exception as error:  # ONNX Runtime's exceptions share no narrower base
            raise UserError(
                f"{self._path} does not run on {image.dtype} {list(image.shape)}: {first_line(error)}"
            ) from error
        return found

"""Giving a model file a domain distance: an output that tells how far an image is from some images.

The file's early feature maps are measured on the images, their statistics are fitted, and the distance goes
into the graph as a few small nodes, in float32. The network's own outputs stay bit by bit as they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from distill.common.files import write_file
from distill.export.domain_maps import EarlyMap, add_statistics, early_maps
from distill.export.graph import GraphBuilder
from distill.export.model_card import save_with_card
from distill.metrics.domain_reference import DomainReference
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.contract import DOMAIN_DISTANCE, IMAGE
from kd_seg_ros.inference.engine import resize_image
from kd_seg_ros.inference.onnx_file import read_onnx_file
from kd_seg_ros.inference.opening import read_card
from kd_seg_ros.inference.session_start import session_options

PREFIX: Final = "domain/"
"""First part of the names of everything that belongs to the distance."""


class StatisticsOfMaps:
    """Runs a model file on the CPU for the statistics of its early feature maps."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        :raises UserError: if it cannot be used; :class:`~kd_seg_ros.inference.engine.Engine` must have
            opened it before.
        """
        self.path = path
        model, self.card = read_without_distance(path)
        self.maps: Sequence[EarlyMap] = early_maps(model)
        """The maps that are measured."""
        graph = GraphBuilder(PREFIX)
        self._name = add_statistics(graph, self.maps)
        model.graph.node.extend(graph.nodes)
        model.graph.initializer.extend(graph.initializers)
        model.graph.output.append(helper.make_tensor_value_info(self._name, TensorProto.FLOAT, None))
        # Without what the statistics do not need, which ONNX Runtime would compute all the same.
        inputs = [tensor.name for tensor in model.graph.input]
        model = onnx.utils.Extractor(model).extract_model(inputs, [self._name])
        try:
            self._session = ort.InferenceSession(
                model.SerializeToString(), session_options(), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's exceptions share no narrower base
            raise UserError(f"{path}: its early feature maps cannot be measured: {error}") from error
        self._fixed = not any(isinstance(side, str) for side in self._session.get_inputs()[0].shape)

    def measure(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the statistics of an RGB image [H, W, 3] of any size, float32 [d]."""
        if self._fixed:
            image = resize_image(image, (self.card.height, self.card.width))
        found = self._session.run([self._name], {IMAGE: np.ascontiguousarray(image)})[0]
        return np.asarray(found[0], np.float32)


def add_distance(model: onnx.ModelProto, maps: Sequence[EarlyMap], reference: DomainReference) -> None:
    """Put the distance into a model, as its output :data:`~kd_seg_ros.inference.contract.DOMAIN_DISTANCE`.

    The nodes come after those of the network, whose maps they read.
    """
    graph = GraphBuilder(PREFIX)
    statistics = add_statistics(graph, maps)
    centred = graph.add("Sub", statistics, graph.floats(reference.mean))
    whitened = graph.add("MatMul", centred, graph.floats(reference.whitening.T))
    graph.add("ReduceL2", whitened, graph.integers(1), keepdims=0, output=DOMAIN_DISTANCE)
    model.graph.node.extend(graph.nodes)
    model.graph.initializer.extend(graph.initializers)
    model.graph.output.append(helper.make_tensor_value_info(DOMAIN_DISTANCE, TensorProto.FLOAT, [1]))
    onnx.checker.check_model(model)


def write_distance(
    path: Path,
    out: Path,
    maps: Sequence[EarlyMap],
    reference: DomainReference,
    entry: dict[str, Any],
    correction: dict[str, Any] | None = None,
) -> None:
    """Write a model file again with a domain distance; one that it had before is replaced.

    :param entry: of the card, see :attr:`kd_seg_ros.inference.card.ModelCard.domain`.
    :param correction: likewise ``accuracy_correction``, which is by this distance.
    :raises UserError: if it cannot be read or written.
    """
    model, card = read_without_distance(path)
    add_distance(model, maps, reference)
    card = replace(card, domain=entry, accuracy_correction=correction or {})
    write_file(out, partial(save_with_card, model, card))


def read_without_distance(path: Path) -> tuple[onnx.ModelProto, ModelCard]:
    """Read a file and its card, without the domain distance that it may have already.

    :raises UserError: if it is damaged or not one of ours.
    """
    file = read_onnx_file(path)
    card = read_card(file)
    if card is None:
        raise UserError(f"{path}: the file has no model card: write it with `kd_seg export`")
    model = onnx.load_from_string(file.content)
    for values in (model.graph.output, model.graph.initializer, model.graph.value_info):
        kept = [value for value in values if not _is_of_distance(value.name)]
        del values[:]
        values.extend(kept)
    nodes = [node for node in model.graph.node if not _is_of_distance(node.output[0])]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model, replace(card, domain={}, accuracy_correction={})


def _is_of_distance(name: str) -> bool:
    return name == DOMAIN_DISTANCE or name.startswith(PREFIX)

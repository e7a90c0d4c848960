"""Another calibration for a model file: only the nodes after the network are written again.

The nodes before the network, the network itself and what other outputs are made of stay as they are, bit by
bit. So this works for files of ``export`` and of ``wrap`` alike, and needs no checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import onnx

from distill.common.files import write_file
from distill.export import dynamic as onnx_dynamic
from distill.export.check_images import Pair
from distill.export.file_model import FileModel
from distill.export.graph import GraphBuilder
from distill.export.interpolation import Padding
from distill.export.model_card import save_with_card
from distill.export.postprocess import add_postprocessing
from distill.export.surround import shape_of
from distill.export.verified_export import check
from distill.models.logit_calibration import LogitCalibration
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.inference.card import ModelCard
from kd_seg_ros.inference.contract import NETWORK_LOGITS, OUTPUTS
from kd_seg_ros.inference.onnx_file import read_onnx_file

_PREFIX = "after/"
"""First part of the names of the nodes after the network."""


def write_recalibrated(
    path: Path,
    out: Path,
    card: ModelCard,
    model: FileModel,
    calibration: LogitCalibration,
    images: list[Pair],
    provider: str,
) -> str:
    """Write a model file with another calibration, if it then does what its network and that calibration do.

    :param path: the file to begin with.
    :param card: the card of the new file; its agreement stays the one with the network in PyTorch.
    :param model: the network of the file.
    :param images: what the two are compared on.
    :return: how closely they agree, in one line.
    :raises UserError: if they do not agree or the file cannot be written; then there is no file.
    """
    proto = recalibrated(onnx.load_from_string(read_onnx_file(path).content), card, calibration)
    agreement = check(proto, card, out, model.calibrated(calibration), images, provider)
    failures = agreement.failures()
    if failures:
        raise UserError(f"{out} was not written, it does not follow its network: {'; '.join(failures)}")
    write_file(out, partial(save_with_card, proto, card))
    return agreement.describe("the network's logits calibrated in PyTorch")


def recalibrated(proto: onnx.ModelProto, card: ModelCard, calibration: LogitCalibration) -> onnx.ModelProto:
    """Copy a model file with other nodes between the network's logits and mask, confidence and probability.

    :param proto: a model file that describes :data:`~kd_seg_ros.inference.contract.NETWORK_LOGITS`.
    :param card: its card.
    """
    model = onnx.ModelProto()
    model.CopyFrom(proto)
    graph = model.graph
    (logits,) = [value for value in graph.value_info if value.name == NETWORK_LOGITS]
    shape = shape_of(logits)
    _keep_what_makes(graph, [NETWORK_LOGITS, *[o.name for o in graph.output if o.name not in OUTPUTS]])

    after = GraphBuilder(_unused_prefix(graph))
    classes = len(card.class_names)
    if all(shape[2:]):
        size = (card.height, card.width)
        working = (round(size[0] * card.working_scale), round(size[1] * card.working_scale))
        padding = Padding.to_multiples(working, card.padding_multiple)
        add_postprocessing(after, NETWORK_LOGITS, classes, padding.upsampling(shape[2:], size), calibration)
    else:
        sizes = onnx_dynamic.Sizes(after, card.working_scale, card.padding_multiple)
        onnx_dynamic.add_postprocessing(after, sizes, NETWORK_LOGITS, classes, calibration)
    graph.node.extend(after.nodes)
    graph.initializer.extend(after.initializers)
    onnx.checker.check_model(model)
    return model


def _unused_prefix(graph: onnx.GraphProto) -> str:
    """Return a first part of names that no value of a graph has; another output may need old ones."""
    taken = [item.name for item in graph.initializer]
    for node in graph.node:
        taken.extend(node.output)
    prefix = _PREFIX
    while any(name.startswith(prefix) for name in taken):
        prefix = f"re{prefix}"
    return prefix


def _keep_what_makes(graph: onnx.GraphProto, values: Iterable[str]) -> None:
    """Remove all nodes, constants and notes of shapes that some values do not depend on."""
    makers = {name: node for node in graph.node for name in node.output}
    needed: set[str] = set()
    waiting = list(values)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting.extend(_read_by(makers[name]) if name in makers else ())
    inputs = {value.name for value in graph.input}
    nodes = [node for node in graph.node if needed.intersection(node.output)]
    constants = [item for item in graph.initializer if item.name in needed or item.name in inputs]
    notes = [value for value in graph.value_info if value.name in needed]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants)
    graph.value_info.extend(notes)


def _read_by(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the names of what a node reads, in the bodies of conditions and loops too."""
    yield from node.input
    for attribute in node.attribute:
        for body in (attribute.g, *attribute.graphs):
            for inner in body.node:
                yield from _read_by(inner)

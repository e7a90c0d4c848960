"""A model file cut at the network's borders: what is before the network, the network, and what follows it.

The values at the borders have names (:data:`~kd_seg_ros.inference.contract.NETWORK_IMAGE` and
:data:`~kd_seg_ros.inference.contract.NETWORK_LOGITS`). Everything stays in memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from kd_seg_ros.inference.contract import (
    CHANNELS,
    DOMAIN_DISTANCE,
    IMAGE,
    NETWORK_IMAGE,
    NETWORK_LOGITS,
    OUTPUTS,
)
from kd_seg_ros.inference.gpu.parameters import NotFusedError


@dataclass(frozen=True)
class SplitFile:
    """Three ONNX models, serialised."""

    before: bytes
    """From the image, and the order of its channels, to the network's image."""
    network: bytes
    """From the network's image to its logits, and to the domain distance if the file tells it."""
    after: bytes
    """From the logits to the maps; in a file of open size also from the image, of which it needs the size."""

    @classmethod
    def of_file(cls, data: bytes) -> SplitFile:
        """Cut a file.

        :param data: the content of a model file that fits the contract.
        :raises NotFusedError: if the package ``onnx`` is missing or the file does not name its borders.
        """
        try:
            import onnx
        except ImportError as error:
            raise NotFusedError("the package onnx is not installed: pip install onnx") from error
        model = onnx.load_model_from_string(data)
        made = {name for node in model.graph.node for name in node.output}
        if not made >= {NETWORK_IMAGE, NETWORK_LOGITS}:
            raise NotFusedError(
                "the file does not name where its network begins and ends: export the model again"
            )
        described = {value.name for value in model.graph.value_info}
        if not described >= {NETWORK_IMAGE, NETWORK_LOGITS}:
            model = onnx.shape_inference.infer_shapes(model)
        extractor = onnx.utils.Extractor(model)
        inputs = {value.name for value in model.graph.input}
        channels = [CHANNELS] if CHANNELS in inputs else []
        logits = [NETWORK_LOGITS, *([DOMAIN_DISTANCE] if DOMAIN_DISTANCE in made else [])]
        after = [NETWORK_LOGITS, *([IMAGE] if _reads_image(model) else [])]
        network = extractor.extract_model([NETWORK_IMAGE], logits)
        # The file has one distance, of its one image; the network one for each of its images.
        images = network.graph.input[0].type.tensor_type.shape.dim[0].dim_param
        if images:
            for output in network.graph.output[1:]:
                output.type.tensor_type.shape.dim[0].dim_param = images
        parts = [
            extractor.extract_model([IMAGE, *channels], [NETWORK_IMAGE]),
            network,
            extractor.extract_model(after, list(OUTPUTS)),
        ]
        return cls(*[part.SerializeToString() for part in parts])


def _reads_image(model: object) -> bool:
    """Return whether the maps depend on the image by other ways than through the network, as on its size."""
    producers = {name: node for node in model.graph.node for name in node.output}  # type: ignore[attr-defined]
    waiting, seen = list(OUTPUTS), {NETWORK_LOGITS}
    while waiting:
        name = waiting.pop()
        if name == IMAGE:
            return True
        if name not in seen and name in producers:
            seen.add(name)
            waiting.extend(producers[name].input)
    return False

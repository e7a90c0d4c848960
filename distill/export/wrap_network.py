"""From a network in any ONNX file that returns logits to the verified model file of the vehicle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from distill.export.check_images import noise_images, plain_images
from distill.export.external_onnx import open_network
from distill.export.model_card import external_card
from distill.export.surround import shape_of, surround
from distill.export.verified_export import VerifiedFile, check_destination, write_verified
from distill.models.deployed import DeployedModel
from kd_seg_ros.common.errors import UserError

NOISE_IMAGES = 4
"""So many noise images are compared at most: each of them looks like the others."""


def wrap_network(
    path: Path,
    classes: Mapping[str, tuple[int, int, int]],
    out: Path,
    *,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    scale: float = 1.0,
    size: tuple[int, int] | None = None,
    output: str | None = None,
    multiple: int | None = None,
    images: Path | None = None,
    limit: int = 20,
    provider: str = "cpu",
) -> VerifiedFile:
    """Wrap a network, check the file against the network alone, and keep it only if they agree.

    :param path: an ONNX file: float [1, 3, h, w] in, logits [1, C, h', w'] out.
    :param classes: name → RGB colour (0…255) of each of the C classes, in order.
    :param out: the .onnx file to write.
    :param mean: RGB, 0…1, that the network expects to be subtracted; ``std``: to be divided by.
    :param scale: the network sees the camera's image resized by this factor.
    :param size: (H, W) of the camera's image; None: the network's own size divided by ``scale``.
    :param output: name of the logits, if the network has other outputs too.
    :param multiple: pad the resized image to multiples of this and crop the margin off the result; None: to
        the first multiples that the network takes.
    :param images: a folder of images to check on; None: noise.
    :param limit: number of images to check on.
    :param provider: what the file is run on for the check.
    :raises UserError: if the network cannot be wrapped, or the file does not follow it or cannot be written.
    """
    check_destination(out)
    network = open_network(path, len(classes), size, scale, output, multiple)
    image = size or _image_size(network.padding.working, scale)
    resizing = network.padding.upsampling(shape_of(network.proto.graph.output[0])[2:], image)
    proto = surround(network.proto, mean, std, network.padding, resizing)

    model = DeployedModel(network.module, mean, std, scale).eval()
    pairs = plain_images(images, limit) if images else noise_images(image, min(limit, NOISE_IMAGES))
    card = external_card(path, classes, image, scale, mean, std, network.parameters, network.multiple)
    return write_verified(proto, card, out, model, pairs, provider, f"{path.name} itself")


def _image_size(working: tuple[int, int], scale: float) -> tuple[int, int]:
    """Return the camera's (H, W) for a network of fixed size (h, w).

    :raises UserError: if no image has that size after the resizing.
    """
    size = (round(working[0] / scale), round(working[1] / scale))
    if (round(size[0] * scale), round(size[1] * scale)) != working:
        raise UserError(
            f"no image has {working[0]}×{working[1]} at --scale {scale:g}: give another, or let --size fit"
        )
    return size

"""From a folder of Hugging Face ``transformers`` to the verified model file of the vehicle.

A mask classifier (Mask2Former, MaskFormer, EoMT) has no logits per pixel. Its logits here are the logarithms
of its semantic scores, log Σ_q softmax(a_q)_k · sigmoid(m_q): their softmax is the scores divided by their
sum, and a temperature acts on them as on any logits (:mod:`distill.teachers.huggingface`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from torch import Tensor

from distill.common.class_list import check_class_names
from distill.common.class_mapping import map_classes
from distill.common.palette import palette
from distill.export.check_images import common_size, noise_images, plain_images
from distill.export.model_card import external_card
from distill.export.trace import to_onnx
from distill.export.verified_export import VerifiedFile, check, check_destination, write_checked
from distill.export.wrap_network import NOISE_IMAGES
from distill.models.deployed import DeployedModel
from distill.models.network import Maps, SegmentationNetwork
from distill.teachers.huggingface import scores_of
from distill.teachers.huggingface_folder import UNIVERSAL, Folder, open_folder
from distill.teachers.huggingface_json import COMMAND
from kd_seg_ros.common.classes import IGNORE_ID
from kd_seg_ros.common.errors import UserError, first_line

_logger = logging.getLogger(__name__)

GROUND: Final = ("road", "sidewalk", "terrain")
"""Classes of which every network for whole street images knows one."""


class HuggingfaceNetwork(SegmentationNetwork):
    """A network of ``transformers`` as one of this project: padded images to logits, no feature maps."""

    strides = MappingProxyType({})

    def __init__(self, opened: Folder) -> None:
        super().__init__()
        _settle_masking(opened)
        self.scores = scores_of(opened)
        side = opened.fixed_size
        if side is not None and side[0] != side[1]:
            raise UserError(f"{opened.path}: built for {side[0]}×{side[1]} images only, which are not square")
        # A network of one size sees every image inside a square of that size.
        self.padding_multiple = side[0] if side else opened.multiple  # type: ignore[misc]

    def maps(self, image: Tensor) -> Maps:
        """Return the logits of a normalised, padded image [B, 3, H, W], at whatever stride they are made."""
        logits = self.scores(image)
        return Maps(logits, logits, {})


def _settle_masking(opened: Folder) -> None:
    """Make EoMT's probabilities of masked attention plain numbers: the exporter follows no tensor's content.

    :raises UserError: if some are neither 0, as after its training, nor 1: the network draws random numbers.
    """
    probabilities = getattr(opened.model, "attn_mask_probs", None)
    if not isinstance(probabilities, Tensor):
        return
    values = probabilities.tolist()
    if not set(values) <= {0.0, 1.0}:
        raise UserError(
            f"{opened.path}: attn_mask_probs is {values}: its training had not ended, and its masks are "
            "random; take weights of a finished training, where these are 0"
        )
    del opened.model.attn_mask_probs
    opened.model.attn_mask_probs = values


def wrap_huggingface(
    folder: Path,
    out: Path,
    *,
    classes: Mapping[str, tuple[int, int, int]] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    images: Path | None = None,
    limit: int = 20,
    provider: str = "cpu",
) -> VerifiedFile:
    """Make a model file of a network, check it against PyTorch, and keep it only if they agree.

    The file is in half precision if that agrees, else in single precision.

    :param classes: name → RGB colour (0…255), in place of config.json's names.
    :param mean: RGB, 0…1, in place of the processor's, as is ``std``.
    :param scale: the network sees the image resized by this factor; None: as the processor resizes, with the
        shorter side of the image as its shorter side, or as a network of one size needs it.
    :param size: (H, W) of the camera's image; None: that of most of the ``images``.
    :param images: a folder of images to check on; None: noise.
    :raises UserError: if the folder cannot be read, or the file does not follow the network.
    """
    check_destination(out)
    # The exporter fails at the strides of PyTorch's fused attention (Swin, Data2VecVision).
    opened = open_folder(folder, list(classes) if classes else None, mean, std, COMMAND, written_out=True)
    check_class_names(opened.class_names, f"{folder}: id2label in config.json, or --classes", IGNORE_ID)
    _warn_of_things_alone(opened)
    pairs = plain_images(images, limit) if images else []
    if size is None and not pairs:
        raise UserError("give the camera's image size by --size HxW, or --images DIR")
    size = size or common_size(pairs)
    pairs = pairs or noise_images(size, min(limit, NOISE_IMAGES))
    scale = scale or scale_of(opened, size)
    _check_fixed(opened, size, scale)

    network = HuggingfaceNetwork(opened).eval()
    own = opened.normalisation
    model = DeployedModel(network, own.mean, own.std, scale).eval()
    colours = classes or dict(zip(opened.class_names, palette(opened.class_names), strict=True))
    count = sum(parameter.numel() for parameter in network.parameters())
    card = external_card(
        folder / "config.json", colours, size, scale, own.mean, own.std, count, network.padding_multiple
    )
    card = replace(card, name=folder.name, dataset=f"unknown: {opened.architecture} was trained elsewhere")
    working = model.working_size(size)
    _logger.info("%s sees %d×%d of %d×%d (--scale %.4g)", opened.architecture, *working, *size, scale)
    for half in (True, False):
        try:
            proto = to_onnx(model, size, half=half)
            agreement = check(proto, card, out, model, pairs, provider)
        except Exception as error:
            if half:  # a network may compute in single precision inside, which does not mix with half
                _logger.info("not in half precision: %s", _cause(error))
                continue
            if isinstance(error, UserError):
                raise
            raise UserError(f"{folder}: {opened.architecture} cannot be exported: {_cause(error)}") from error
        if not agreement.failures() or not half:
            break
        _logger.info("half precision does not follow the network: %s", "; ".join(agreement.failures()))
    _logger.info("%s", agreement.describe())
    return write_checked(proto, card, out, agreement)


def _warn_of_things_alone(opened: Folder) -> None:
    """Warn of a mask classifier for instances: it gives every pixel a countable thing, the road's too."""
    if opened.architecture not in UNIVERSAL:
        return
    try:
        missing = map_classes(opened.class_names).missing
    except UserError:  # classes of its own
        return
    if set(GROUND) <= set(missing):
        _logger.warning(
            "%s: none of its classes is %s; if it was trained for instances, as names with "
            "'-instance' tell, each pixel of the ground gets one of its things: take one for semantic or "
            "panoptic segmentation",
            opened.path,
            " or ".join(GROUND),
        )


def _cause(error: BaseException) -> str:
    """Return the first line of what an error stems from: PyTorch's exporter wraps it in advice of its own."""
    while error.__cause__ is not None:
        error = error.__cause__
    return first_line(error)


def scale_of(opened: Folder, size: tuple[int, int]) -> float:
    """Return the factor by which images of a size are resized, without a change of their aspect."""
    if opened.fixed_size is not None:
        return min(1.0, min(side / own for side, own in zip(opened.fixed_size, size, strict=True)))
    wanted = opened.settings.get("size")
    if not opened.settings.get("do_resize", True) or not wanted:
        return 1.0
    if isinstance(wanted, int):
        wanted = {"shortest_edge": wanted}
    short = wanted.get("shortest_edge") or min(wanted.get("height", 0), wanted.get("width", 0))
    longest = wanted.get("longest_edge") or float("inf")
    return min(short / min(size) if short else 1.0, longest / max(size), 16.0)


def _check_fixed(opened: Folder, size: tuple[int, int], scale: float) -> None:
    fixed = opened.fixed_size
    if fixed is None:
        return
    if any(round(own * scale) > side for own, side in zip(size, fixed, strict=True)):
        raise UserError(
            f"{opened.path} takes images of {fixed[0]}×{fixed[1]} at most: give a smaller --scale"
        )

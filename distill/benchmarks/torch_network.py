"""A network alone in PyTorch on the GPU, for comparison with the engine: FP16, channels last, batch 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from distill.benchmarks.random_network import random_network
from distill.config import Config
from distill.models.build import build
from distill.models.network import SegmentationNetwork
from distill.models.output import pad_to_multiple
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.inference.card import ModelCard

Ways = Mapping[str, Callable[[], object]]
"""Ways to run a network once and wait for it, by name."""


def catalogue_network(name: str, card: ModelCard) -> Ways:
    """Run a network of the catalogue on images of a file's size.

    :raises UserError: if PyTorch finds no GPU.
    """
    return ways(random_network(name), card)


def exported_network(card: ModelCard) -> Ways:
    """Run the network that a file was exported from, as its card describes it, with random weights.

    :raises UserError: if the card does not describe it, as that of a file from elsewhere, or without a GPU.
    """
    try:
        student = Config.model_validate(card.config).student
    except ValueError as error:
        raise UserError(
            f"PyTorch is not measured: the model card tells no network ({first_line(error)})"
        ) from error
    network = build(
        student.model, len(card.class_names), backbone=student.backbone, channels=student.channels
    )
    return ways(network.eval(), card)


def ways(network: SegmentationNetwork, card: ModelCard) -> Ways:
    """Return what runs a network on the GPU: its launches recorded and replayed, and compiled.

    :param card: tells the size of the image.
    :raises UserError: if PyTorch finds no GPU.
    """
    if not torch.cuda.is_available():
        raise UserError("PyTorch is not measured: it finds no GPU")
    image = working_image(network, card).half().cuda().to(memory_format=torch.channels_last)
    network = network.half().cuda().to(memory_format=torch.channels_last)
    return {
        "PyTorch, CUDA graph": _recorded(network, image),
        "PyTorch, torch.compile": _compiled(network, image),
    }


def working_image(network: SegmentationNetwork, card: ModelCard) -> Tensor:
    """Return an image as the network takes it, float32 [1, 3, h, w], with its padding."""
    size = round(card.height * card.working_scale), round(card.width * card.working_scale)
    padded: Tensor = pad_to_multiple(torch.randn(1, 3, *size), network.padding_multiple)[0]
    return padded


@torch.inference_mode()
def _recorded(network: SegmentationNetwork, image: Tensor) -> Callable[[], object]:
    # A few runs in a stream of their own come first: they choose algorithms, which must not be recorded.
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            network.maps(image)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        logits = network.maps(image).logits

    def replay() -> Tensor:
        graph.replay()
        torch.cuda.synchronize()
        return logits

    return replay


def _compiled(network: SegmentationNetwork, image: Tensor) -> Callable[[], object]:
    compiled = torch.compile(network.maps, mode="reduce-overhead", dynamic=False)

    @torch.inference_mode()
    def run() -> None:
        compiled(image)
        torch.cuda.synchronize()

    return run

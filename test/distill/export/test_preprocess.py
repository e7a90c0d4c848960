from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from onnx import TensorProto
from onnx_parts import run_nodes

from distill.export.graph import GraphBuilder
from distill.export.interpolation import Padding
from distill.export.preprocess import add_preprocessing

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
SIZE = (12, 20)


def pixels(
    image: np.ndarray, channels: list[int], working: tuple[int, int] = SIZE, multiple: int = 1
) -> np.ndarray:
    """Return the network's input, float32 [1, 3, h, w]."""
    padding = Padding.to_multiples(working, multiple)
    graph = GraphBuilder("before/")
    add_preprocessing(graph, SIZE, padding, MEAN, STD, TensorProto.FLOAT, "pixels")
    feeds = {"image": image, "channels": np.array(channels)}
    found: np.ndarray = run_nodes(graph, feeds, {"pixels": TensorProto.FLOAT})[0]
    return found


@pytest.mark.parametrize("working", [SIZE, (9, 16), (24, 33)])
def test_normalised_and_resized_as_by_opencv(working: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    normalised = ((image / 255 - np.array(MEAN)) / np.array(STD)).astype(np.float32)
    resized = cv2.resize(normalised, working[::-1], interpolation=cv2.INTER_LINEAR)
    found = pixels(image, [0, 1, 2], working)
    assert found.shape == (1, 3, *working)
    np.testing.assert_allclose(found[0], resized.transpose(2, 0, 1), atol=1e-5)


def test_padded_with_zeros_the_larger_half_below_and_to_the_right() -> None:
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    plain = pixels(image, [0, 1, 2], (9, 17))
    expected = np.pad(plain, ((0, 0), (0, 0), (3, 4), (7, 8)))
    np.testing.assert_array_equal(pixels(image, [0, 1, 2], (9, 17), 16), expected)


@pytest.mark.parametrize("order", itertools.permutations(range(3)))
def test_any_order_of_channels_is_the_same_image(order: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    np.testing.assert_array_equal(pixels(image[..., order], list(order)), pixels(image, [0, 1, 2]))


def test_half_precision_is_rounded_once() -> None:
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    graph = GraphBuilder("before/")
    add_preprocessing(graph, SIZE, Padding.to_multiples(SIZE, 1), MEAN, STD, TensorProto.FLOAT16, "pixels")
    feeds = {"image": image, "channels": np.arange(3)}
    (found,) = run_nodes(graph, feeds, {"pixels": TensorProto.FLOAT16})
    np.testing.assert_array_equal(found, pixels(image, [0, 1, 2]).astype(np.float16))

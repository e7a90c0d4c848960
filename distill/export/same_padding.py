"""TensorFlow's SAME padding, as some of timm's backbones have it, in a network that is traced for any size.

For a kernel of size k with dilation d, stride s and n samples, SAME pads by::

    max((⌈n / s⌉ − 1) · s + (k − 1) · d + 1 − n, 0)

Traced with an open n, every layer nests these into the sizes of all layers after it, until the algebra of
PyTorch's exporter does not end. But the images of a file of open size are padded to a multiple of all
strides, so that n is a multiple of s in every layer. Then ⌈n / s⌉ · s = n, and the padding is a number::

    max((k − 1) · d + 1 − s, 0)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch
from timm.layers import padding


@contextmanager
def same_padding_of_multiples() -> Iterator[None]:
    """Within the block, SAME padding of open sizes takes them for multiples of the strides."""
    original = padding.get_same_padding

    def fixed(x: int | torch.SymInt, kernel_size: int, stride: int, dilation: int) -> int:
        # The example that is traced with is such a multiple in every layer where the real images are.
        if isinstance(x, torch.SymInt) and int(x.node.hint) % stride == 0:  # type: ignore[arg-type]
            return max((kernel_size - 1) * dilation + 1 - stride, 0)
        return int(original(x, kernel_size, stride, dilation))  # type: ignore[arg-type]

    with mock.patch.object(padding, "get_same_padding", fixed):
        yield

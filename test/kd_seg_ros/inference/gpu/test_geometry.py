from __future__ import annotations

from dataclasses import replace

from distill.benchmarks.one_convolution import Kind, card
from distill.export.interpolation import Padding
from kd_seg_ros.inference.gpu.geometry import Geometry


def test_the_smaller_half_of_the_padding_comes_first() -> None:
    described = replace(card(Kind(scale=0.8)), padding_multiple=128)
    geometry = Geometry.of_image((1081, 1923), described)
    assert geometry.working == (865, 1538)
    assert geometry.padded == (896, 1664)
    assert geometry.before == (15, 63)
    padding = Padding.to_multiples((865, 1538), 128)
    assert (padding.working, padding.before, padding.padded) == (
        geometry.working,
        geometry.before,
        geometry.padded,
    )


def test_tables_have_the_sizes_of_their_steps() -> None:
    geometry = Geometry.of_image((45, 61), card(Kind(scale=0.7, multiple=16)))
    rows, columns = geometry.to_network()
    assert (len(rows.first), len(columns.first)) == geometry.working == (31, 43)
    rows, columns = geometry.to_image((8, 12))
    assert (len(rows.first), len(columns.first)) == (45, 61)

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import map_coordinates

from distill.models.flow_alignment import FlowAlignment, GatedDualFlowAlignment, warp
from distill.models.output import upsample


def test_no_flow_is_bilinear_upsampling() -> None:
    coarse = torch.randn(2, 3, 5, 7)
    expected = upsample(coarse, (20, 28), align_corners=True)
    torch.testing.assert_close(warp(coarse, torch.zeros(2, 2, 20, 28)), expected, atol=1e-5, rtol=1e-5)


def test_warp_reads_where_scipy_reads() -> None:
    torch.manual_seed(0)
    coarse = torch.randn(1, 1, 6, 8)
    flow = 3 * torch.randn(1, 2, 12, 24)
    y, x = np.meshgrid(np.arange(12), np.arange(24), indexing="ij")
    # Corner pixels lie on one another; the flow is in halves of the result, which is m − 1 cells of the map.
    rows = (y / 11 + flow[0, 1].numpy() / 12 / 2) * 5
    columns = (x / 23 + flow[0, 0].numpy() / 24 / 2) * 7
    expected = map_coordinates(coarse[0, 0].numpy(), [rows, columns], order=1, mode="grid-constant")
    np.testing.assert_allclose(warp(coarse, flow)[0, 0].numpy(), expected, atol=1e-5)


def test_half_precision_keeps_its_type_and_its_position() -> None:
    """A ramp over 1920 columns, read at its own pixels, where half precision would be off by half a one."""
    ramp = torch.linspace(0, 1, 1920).view(1, 1, 1, -1).half()
    warped = warp(ramp, torch.zeros(1, 2, 1, 1920, dtype=torch.half))
    assert warped.dtype == torch.half
    torch.testing.assert_close(warped, ramp, atol=1e-3, rtol=0)


def test_alignment_moves_the_coarse_map_by_its_flow() -> None:
    module = FlowAlignment(4)
    torch.nn.init.zeros_(module.flow.weight)
    fine, coarse = torch.randn(1, 4, 16, 16), torch.randn(1, 4, 4, 4)
    torch.testing.assert_close(
        module(fine, coarse), upsample(coarse, (16, 16), align_corners=True), atol=1e-5, rtol=1e-5
    )


def test_gate_of_one_half_averages_both_maps() -> None:
    module = GatedDualFlowAlignment(4)
    torch.nn.init.zeros_(module.flow.weight)
    torch.nn.init.zeros_(module.gate.weight)
    fine, coarse = torch.randn(1, 4, 16, 16), torch.randn(1, 4, 4, 4)
    expected = (fine + upsample(coarse, (16, 16), align_corners=True)) / 2
    torch.testing.assert_close(module(fine, coarse), expected, atol=1e-5, rtol=1e-5)


def test_an_open_gate_lets_the_coarse_map_through() -> None:
    module = GatedDualFlowAlignment(4)
    torch.nn.init.zeros_(module.flow.weight)
    torch.nn.init.zeros_(module.gate.weight)
    with torch.no_grad():
        module.gate.weight[0, 1, 1, 1] = 1e3  # reads the maximum of the fine map
        for projection in (module.project.fine, module.project.coarse):
            projection.weight.abs_()
    fine, coarse = torch.rand(1, 4, 16, 16) + 0.1, torch.randn(1, 4, 4, 4)
    torch.testing.assert_close(
        module(fine, coarse), upsample(coarse, (16, 16), align_corners=True), atol=1e-4, rtol=1e-4
    )

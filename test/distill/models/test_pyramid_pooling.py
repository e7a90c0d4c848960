from __future__ import annotations

import torch

from distill.models.pyramid_pooling import GRIDS, PyramidPooling


def test_a_constant_map_stays_constant() -> None:
    module = PyramidPooling(6, 4).eval()
    pooled = module(torch.full((1, 6, 7, 11), 2.0))
    torch.testing.assert_close(pooled, pooled[..., :1, :1].expand_as(pooled), atol=1e-5, rtol=1e-5)


def test_every_pixel_learns_of_the_whole_map() -> None:
    """Without the map itself and the finer grids, what is left is the projected global mean, everywhere."""
    torch.manual_seed(0)
    module = PyramidPooling(6, 4).eval()
    x = torch.randn(1, 6, 12, 18)
    with torch.no_grad():
        state = module.state_dict()  # shares its tensors with the module
        for i in range(1, len(GRIDS)):
            state[f"projections.{i}.0.weight"].zero_()
        state["merge.0.weight"][:, len(GRIDS) * 4 :].zero_()
        project, merge = state["projections.0.0.weight"][:, :, 0, 0], state["merge.0.weight"][:, :4, 0, 0]
        merged = x.mean(dim=(2, 3)) @ project.T @ merge.T
        expected = torch.relu(merged)[..., None, None].expand(1, 4, 12, 18)
        torch.testing.assert_close(module(x), expected, atol=1e-4, rtol=1e-3)

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from distill.models.discriminator import Discriminator


def inputs(height: int = 32, width: int = 48) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 5, height, width, generator=generator)
    return logits.softmax(1), torch.rand(2, 3, height, width, generator=generator)


@pytest.mark.parametrize(("size", "scores"), [((32, 48), (2, 3)), ((16, 16), (1, 1)), ((65, 79), (4, 4))])
def test_one_score_for_every_16_by_16_pixels(size: tuple[int, int], scores: tuple[int, int]) -> None:
    assert Discriminator(5, width=4)(*inputs(*size)).shape == (2, 1, *scores)


def test_both_segmentation_and_image_are_looked_at() -> None:
    network = Discriminator(5, width=4).eval()
    probabilities, image = inputs()
    score = network(probabilities, image)
    assert not torch.allclose(network(probabilities.flip(1), image), score)
    assert not torch.allclose(network(probabilities, image.flip(1)), score)


def test_a_larger_image_is_brought_to_the_segmentations_size() -> None:
    network = Discriminator(5, width=4).eval()
    probabilities, image = inputs()
    larger = image.repeat_interleave(8, 2).repeat_interleave(8, 3)
    small = F.interpolate(larger, size=(32, 48), mode="bilinear", align_corners=False, antialias=True)
    torch.testing.assert_close(network(probabilities, larger), network(probabilities, small))


def test_hidden_layers_have_spectral_norm_one() -> None:
    """The largest singular value of each kernel as a matrix, which the power iterations approach."""
    torch.manual_seed(0)
    network = Discriminator(5, width=4).train()
    for _ in range(50):
        network(*inputs(16, 16))
    network.eval()
    for layer in network.layers:
        weight = dict(layer.named_modules())[""].weight
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=0.02)


def test_parameters_by_hand() -> None:
    """22·64·16, 64·128·16, 128·256·16, 256·512·16 weights and a bias each; 512·9 + 1 for the score."""
    kernels = 16 * (22 * 64 + 64 * 128 + 128 * 256 + 256 * 512)
    expected = kernels + 64 + 128 + 256 + 512 + 512 * 9 + 1
    assert sum(p.numel() for p in Discriminator(19).parameters()) == expected


def test_shapes_that_do_not_fit_are_named() -> None:
    probabilities, image = inputs()
    with pytest.raises(ValueError, match=r"\(2, 5, 32, 48\).*\(1, 3, 32, 48\)"):
        Discriminator(5, width=4)(probabilities, image[:1])
    with pytest.raises(ValueError, match=r"\(2, 5, 8, 48\)"):
        Discriminator(5, width=4)(probabilities[:, :, :8], image)

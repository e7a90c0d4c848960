import torch

from distill.calibration.rare import FEWEST, is_rare


def test_a_class_needs_so_many_pixels() -> None:
    train_ids = torch.tensor([0] * FEWEST + [2] * (FEWEST - 1))
    assert is_rare(train_ids, 4) == [False, True, True, True]

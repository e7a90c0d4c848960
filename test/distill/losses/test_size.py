import pytest
import torch

from distill.losses._size import check_same_size


def test_channels_may_differ() -> None:
    check_same_size(torch.zeros(2, 3, 4, 5), torch.zeros(2, 7, 4, 5))


@pytest.mark.parametrize("teacher", [(1, 3, 4, 5), (2, 3, 4, 6), (2, 3, 5, 5), (2, 4, 5), (2, 3, 4, 5, 1)])
def test_anything_else_is_refused_with_both_shapes(teacher: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"student \(2, 3, 4, 5\) and teacher \(") as error:
        check_same_size(torch.zeros(2, 3, 4, 5), torch.zeros(teacher))
    assert str(teacher) in str(error.value)


def test_three_dimensions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3, 4\)"):
        check_same_size(torch.zeros(2, 3, 4), torch.zeros(2, 3, 4))

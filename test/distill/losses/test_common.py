"""The helpers the losses share."""

import pytest
import torch
from torch import Tensor

from distill.losses._common import check_same_size, in_full_precision, quotient, weighted_mean


@in_full_precision
def product_sum(a: Tensor, b: Tensor, scale: float = 1.0) -> Tensor:
    return scale * (a @ b).sum()  # autocast would compute a matrix product in half precision


def test_full_precision_holds_under_autocast() -> None:
    a, b = torch.rand(8, 8), torch.rand(8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (a @ b).dtype == torch.bfloat16
        value = product_sum(a, b=b, scale=2.0)
    torch.testing.assert_close(value, 2 * (a.double() @ b.double()).sum().float())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_tensors_become_fp32_whether_given_by_position_or_by_name(dtype: torch.dtype) -> None:
    a, b = torch.rand(8, 8).to(dtype), torch.rand(8, 8).to(dtype)
    torch.testing.assert_close(product_sum(a, b=b), (a.float() @ b.float()).sum())


def test_weighted_mean() -> None:
    values, weights = torch.tensor([1.0, 2.0, 10.0]), torch.tensor([3.0, 1.0, 0.0])
    assert weighted_mean(values, weights).item() == pytest.approx(5 / 4)
    assert weighted_mean(values, torch.full((3,), 1e-6)).item() == pytest.approx(13 / 3)
    assert weighted_mean(values, torch.zeros(3)).item() == 0


@pytest.mark.parametrize(("denominator", "expected"), [(4, 0.75), (0, 0.0)])
def test_quotient_of_a_sum_and_a_count(denominator: int, expected: float) -> None:
    numerator = torch.tensor(3.0 if denominator else 0.0, requires_grad=True)
    value = quotient(numerator, torch.tensor(denominator))
    assert value.dtype == torch.float32
    assert value.item() == expected


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

"""The check of losses that compare what two maps say of each pixel, whatever their widths."""

from torch import Tensor


def check_same_size(student: Tensor, teacher: Tensor) -> None:
    """Raise ValueError unless both are [B, C, H, W] with the same B, H and W; C may differ."""
    same = student.shape[:1] + student.shape[2:] == teacher.shape[:1] + teacher.shape[2:]
    if student.dim() != 4 or teacher.dim() != 4 or not same:
        raise ValueError(
            f"student {tuple(student.shape)} and teacher {tuple(teacher.shape)} "
            "must be [B, C, H, W] with the same B, H and W"
        )

"""Values of a CPU are there at once; those of a GPU are looked at by the guard's own tests on the device."""

from __future__ import annotations

import torch

from distill.training.host_copy import copy_to_host


def test_values_of_a_cpu_are_themselves_and_need_no_steps_of_waiting() -> None:
    values = torch.tensor([1.0, float("nan")])
    copy = copy_to_host(values)
    assert copy.lag == 0
    assert copy.wait() is values

"""How strongly each term of the objective pulls at the student, next to how strongly the labels do.

The value of a loss does not say how much it changes the weights: a term of 1 % of the total may drown the
labels, and one of 90 % may do nothing. Every N steps the gradient of each weighted term L_t is compared with
that of the labels, once for the backbone and once for the decoder::

    share of t = ‖∂L_t/∂F‖ / ‖∂L_labels/∂F‖,     F: all maps that the part makes

The gradients are those with respect to maps, not to weights: of the backbone its outputs, of the decoder the
feature maps that are distilled and the pre-logits (all of them together, as one long vector). They come from
the graph that the step has anyway, by one backward pass per term that stops at the backbone's outputs and
computes no gradient of a weight. A network without a backbone of its own has the decoder's share alone.

With several processes the maps of all of them count. In FP16 the gradients carry the factor of PyTorch's
gradient scaler on their way, as in training, and are compared without it. Nothing waits for the device: the
shares are written a few steps later (:mod:`distill.training.host_copy`). The step itself is the same to the
last bit whether it is measured or not. Networks compiled by torch.compile take a measured step uncompiled,
because their graph has no gradient of one output with respect to another.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from distill.common.distributed import sum_over_processes
from distill.models.output import Output
from distill.training.host_copy import HostCopy, copy_to_host

BACKBONE: Final = "backbone"
DECODER: Final = "decoder"
LEAST: Final = 0.02
"""Share of the labels' gradient below which a term teaches next to nothing."""
MOST: Final = 10.0
"""Multiple of the labels' gradient above which a term drowns them."""
REPEATS: Final = 10
"""So many measurements of a run that are not complete are repeated at the next step."""


@dataclass(frozen=True)
class Shares:
    """The shares of one measured step."""

    step: int
    """Number of the step in the run, from 0."""
    of_parts: Mapping[str, Mapping[str, float]]
    """Term → part of the network → share; no part where neither labels nor term have a finite gradient."""

    @property
    def complete(self) -> bool:
        """Whether there is a share of every term: none is known where a gradient overflowed in FP16."""
        return all(self.of_parts.values())

    def describe(self) -> str:
        """Return the shares in one line for the log."""
        terms = []
        for term, parts in self.of_parts.items():
            values = ", ".join(f"{share:.2g} {part}" for part, share in parts.items())
            terms.append(f"{term} {values or 'unknown'}")
        return f"gradients at step {self.step} as multiples of the labels': {'; '.join(terms)}"

    def faults(self) -> dict[tuple[str, str], str]:
        """Return a warning for each term that is too weak or too strong, by (term, "weak" or "strong")."""
        found = {}
        for term, parts in self.of_parts.items():
            if not parts:
                continue
            part = max(parts, key=lambda name: parts[name])
            share = parts[part]
            if share < LEAST:
                found[term, "weak"] = (
                    f"the gradient of {term} is {100 * share:.2g} % of the labels' at step {self.step}, "
                    f"below {100 * LEAST:g} %: it teaches next to nothing; raise its weight, or leave it out"
                )
            elif share > MOST:
                found[term, "strong"] = (
                    f"the gradient of {term} is {share:.3g} times the labels' at step {self.step} "
                    f"({part}), more than {MOST:g} times: it drowns them; lower its weight"
                )
        return found


@dataclass(frozen=True)
class _Measured:
    """The squared norms of one step, on their way to the host."""

    step: int
    terms: Sequence[str]
    """Names of the n terms; the labels are the first."""
    squares: HostCopy
    """[n, parts]."""
    parts: Sequence[str]


class GradientShares:
    """Measures the shares every few steps, and hands them over a few steps later.

    :param every: steps from one measurement to the next, the first is step 0; None: never.
    :param lag: steps after which a measurement is handed over; None: that of
        :mod:`distill.training.host_copy`.
    """

    def __init__(self, every: int | None, lag: int | None = None) -> None:
        self._every = every
        self._lag = lag
        self._latest = -1
        self._repeats = REPEATS
        self._repeat = False
        self._pending: deque[_Measured] = deque()
        self._backbone: list[Tensor] = []

    def _due(self, step: int) -> bool:
        """Tell whether a step is to be measured; of the batches of a step, only the first is."""
        if self._every is None or step == self._latest:
            return False
        return step % self._every == 0 or self._repeat

    @contextmanager
    def watching(self, student: nn.Module, step: int) -> Iterator[bool]:
        """Take note of what the student's backbone returns meanwhile, if the step is to be measured.

        :returns: whether it is; then :meth:`measure` must follow.
        """
        self._backbone = []
        if not self._due(step):
            yield False
            return
        backbone = getattr(student, "backbone", None)
        with ExitStack() as stack:
            if student._compiled_call_impl is not None:
                stack.enter_context(torch.compiler.set_stance("force_eager"))
            if isinstance(backbone, nn.Module):
                stack.callback(backbone.register_forward_hook(self._take).remove)
            yield True

    def _take(self, _module: nn.Module, _inputs: Any, outputs: Any) -> None:
        """Keep the maps among a backbone's outputs: it may be called once per size of the image."""
        outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
        self._backbone += [values for values in outputs if isinstance(values, Tensor)]

    def measure(
        self, step: int, terms: Iterable[tuple[str, Tensor]], student: Output, scale: Tensor | None = None
    ) -> None:
        """Measure the gradients of some terms, of which the labels' must be the first.

        :param terms: names and differentiable values; consumed one after the other.
        :param student: the outputs that the terms were computed from, while :meth:`watching`.
        :param scale: factor of the gradients on their way through the network, for half precision.
        """
        backbone = [values for values in self._backbone if values.requires_grad]
        decoder = [*student.features.values(), student.pre_logits]
        maps = {BACKBONE: backbone, DECODER: [values for values in decoder if values.requires_grad]}
        maps = {part: values for part, values in maps.items() if values}
        self._backbone = []
        names, rows = [], []
        for name, value in terms:
            names.append(name)
            rows.append(squared_norms(value, list(maps.values()), scale))
        self._latest = step
        self._repeat = False
        squares = copy_to_host(sum_over_processes(torch.stack(rows)))
        self._pending.append(_Measured(step, names, squares, list(maps)))

    def arrived(self, step: int) -> list[Shares]:
        """Return the measurements that the device has made by now, without waiting for it.

        :param step: the step that is under way.
        """
        found = []
        while self._pending:
            oldest = self._pending[0]
            lag = oldest.squares.lag if self._lag is None else self._lag
            if step < oldest.step + lag:
                break
            found.append(_shares(self._pending.popleft()))
        if any(not shares.complete for shares in found) and self._repeats:
            self._repeats -= 1
            self._repeat = True
        return found

    def finish(self) -> list[Shares]:
        """Return all measurements that are left; waits for the device."""
        left = [_shares(measured) for measured in self._pending]
        self._pending.clear()
        return left


def squared_norms(value: Tensor, maps: Sequence[Sequence[Tensor]], scale: Tensor | None) -> Tensor:
    """Return the squared norm of a value's gradient with respect to each group of maps, [groups].

    The graph stays; a map that the value does not depend on counts 0.

    :param value: a scalar.
    :param scale: factor that the gradient has on its way through the graph, but not in the result.
    """
    wanted = [values for group in maps for values in group]
    gradients: Sequence[Tensor | None] = [None] * len(wanted)
    if value.requires_grad:
        upstream = torch.ones_like(value) if scale is None else scale.to(value.dtype).view_as(value)
        gradients = torch.autograd.grad(value, wanted, upstream, retain_graph=True, allow_unused=True)
    remaining = iter(gradients)
    squares = []
    for group in maps:
        total = torch.zeros_like(value.detach())
        for _ in group:
            gradient = next(remaining)
            if gradient is None:
                continue
            dtype = torch.promote_types(gradient.dtype, torch.float32)
            norm = torch.linalg.vector_norm(gradient, dtype=dtype)
            if scale is not None:
                norm = norm / scale.to(dtype).view_as(norm)
            total = total + norm.square()
        squares.append(total)
    return torch.stack(squares)


def _shares(measured: _Measured) -> Shares:
    """Return the shares of what has arrived."""
    labels, *rows = measured.squares.wait().sqrt().tolist()
    of_parts = {}
    for term, row in zip(measured.terms[1:], rows, strict=True):
        known = {}
        for part, norm, of_labels in zip(measured.parts, row, labels, strict=True):
            if math.isfinite(norm) and math.isfinite(of_labels) and of_labels > 0:
                known[part] = norm / of_labels
        of_parts[term] = known
    return Shares(measured.step, of_parts)

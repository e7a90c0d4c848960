"""The suites of the offline half; those of the vehicle half are in :mod:`kd_seg_ros.benchmark.command`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kd_seg_ros.benchmark.result import Result

SUITES: Final[dict[str, str]] = {
    "models": "size and speed of the networks",
    "folding": "SwiftNet's BatchNorms folded into its convolutions, or kept",
    "batches": "several images per run of a network, or one after the other",
    "training": "a distillation step against a straightforward one",
    "metrics": "the metrics against torchmetrics",
    "postprocess": "post-processing in the model file against the same on the host",
}
"""Name → what is measured."""


SECONDS: Final = 10.0
"""Duration of each comparison unless another is given, at least."""


def run_suite(
    suite: str, seconds: float = SECONDS, networks: Sequence[str] = (), provider: str = "cpu"
) -> Result:
    """Run one suite of :data:`SUITES`.

    :param seconds: duration of each comparison, at least.
    :param networks: names in the catalogue that the suites ``models`` and ``batches`` measure; none: all, and
        three that differ in size.
    :param provider: what the graph of suite ``postprocess`` runs on.
    :raises UserError: for a name that is not in the catalogue, or a package that is missing.
    """
    if suite == "models":
        from distill.benchmarks import models

        return models.run(seconds, networks)
    if suite == "folding":
        from distill.benchmarks import folding

        return folding.run(seconds)
    if suite == "batches":
        from distill.benchmarks import batches

        return batches.run(seconds, networks)
    if suite == "training":
        from distill.benchmarks import training

        return training.run(seconds)
    if suite == "metrics":
        from distill.benchmarks import metrics

        return metrics.run(seconds)
    from distill.benchmarks import postprocess

    return postprocess.run(seconds, provider)

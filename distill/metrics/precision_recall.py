"""Area under the precision-recall curve (AUPRC) per class, one class against the rest.

At threshold t, pixels with p_c ≥ t are taken for class c; with TP_t of them labelled c, FP_t not, and P
pixels labelled c in all::

    precision_t = TP_t / (TP_t + FP_t)      recall_t = TP_t / P

Counts are pooled over all images before anything is divided. Two rules give the area over the thresholds
t_1 < … < t_n, with recall_{n+1} = 0 and precision_{n+1} = 1 closing the curve:

``step``: Σ_i (recall_i − recall_{i+1}) · precision_i, the average precision of torchmetrics
(``MulticlassAveragePrecision``) and, where the thresholds are all scores that occur, of scikit-learn
(``average_precision_score``). Not interpolated, hence not optimistic.

``trapezoid``: Σ_i (recall_i − recall_{i+1}) · (precision_i + precision_{i+1}) / 2.

Where nothing reaches a threshold, precision is undefined: such thresholds are left out (recall is 0 there). A
class that no label holds has no recall, and its area is NaN; torchmetrics gives 0 for it with fixed
thresholds, so that it drags its mean over the classes down. Areas lie in 0…1.

Davis and Goadrich, "The relationship between precision-recall and ROC curves", ICML 2006.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Rule = Literal["step", "trapezoid"]


class Auprc(NamedTuple):
    """Area under the precision-recall curve of each class, and the rule by which it was computed."""

    per_class: NDArray[np.float64]
    """[C], 0…1; NaN for a class without a labelled pixel."""
    rule: Rule
    thresholds: int | None
    """Number of thresholds, linspace(0, 1, thresholds); None: every score that occurs is one."""

    @property
    def mean(self) -> float:
        """Mean over the classes that occur in the labels; NaN if none does."""
        present = self.per_class[~np.isnan(self.per_class)]
        return float(present.mean()) if len(present) else float("nan")


def auprc(
    positives: NDArray[np.int64], negatives: NDArray[np.int64], rule: Rule = "step"
) -> NDArray[np.float64]:
    """Return the area under the curve of each class, float64 [C], 0…1; NaN for a class without labels.

    :param positives: [C, T], pixels labelled c with t_i ≤ p_c < t_{i+1}; the first threshold is 0.
    :param negatives: the same of the pixels labelled otherwise.
    """
    # TP_t and FP_t: the counts of all cells from threshold t upwards.
    hits = positives[:, ::-1].cumsum(axis=1)[:, ::-1]
    false = negatives[:, ::-1].cumsum(axis=1)[:, ::-1]
    labelled, taken = hits[:, :1], hits + false
    recall = np.divide(hits, labelled, out=np.zeros(hits.shape), where=labelled > 0)
    precision = np.divide(hits, taken, out=np.ones(hits.shape), where=taken > 0)
    # The curve is closed by recall 0 at precision 1; each step's height depends on the rule.
    closed = np.pad(precision, ((0, 0), (0, 1)), constant_values=1)
    height = precision if rule == "step" else (closed[:, :-1] + closed[:, 1:]) / 2
    area = (-np.diff(recall, axis=1, append=0) * height).sum(axis=1)
    return np.where(labelled[:, 0] > 0, area, np.nan)

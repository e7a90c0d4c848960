"""Labels drawn from a network's own probabilities, so that a calibration has something to find."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from acdc_tree import write_png

from distill.checkpoints.student import deployed, load_student
from distill.datasets.acdc import list_acdc
from distill.datasets.frame import read_sample


def relabel(checkpoint: Path, root: Path, temperature: float = 2.0) -> None:
    """Draw the labels of ACDC's val split from a network's probabilities at a temperature; ignored stay so.

    Temperature scaling then finds about that temperature. The first row of each image keeps its labels, so
    that no class is lost.
    """
    network, config = load_student(checkpoint)
    model = deployed(network, config)
    rng = np.random.default_rng(0)
    for frame in list_acdc(root, "val").complete():
        sample = read_sample(frame)
        assert sample.labels is not None
        assert frame.labels is not None
        with torch.no_grad():
            p = (model.logits(torch.from_numpy(sample.image))[0].double() / temperature).softmax(0).numpy()
        # The first class whose cumulated probability exceeds a uniform number.
        drawn = (p.cumsum(0) > rng.random(sample.labels.shape)).argmax(0)
        labels = np.where(sample.labels == 255, 255, drawn).astype(np.uint8)
        labels[0] = sample.labels[0]
        write_png(frame.labels, labels)

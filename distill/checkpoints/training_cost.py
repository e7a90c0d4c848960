"""What a training has cost so far: seconds of each device and images seen, by which methods are compared.

The sums stand in every checkpoint, and those of the whole run in ``training_cost.json`` next to them. Both
hold the run's id, so that a file of another run is never taken for this one's.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from pydantic import BaseModel, Field, ValidationError

from distill.common.files import write_json

COST_FILE: Final = "training_cost.json"
"""Name of the file with the cost of a run, in its folder."""
COST_KEY: Final = "training_cost"
"""Key of the cost in a checkpoint's ``callbacks`` and in the ``model`` of metrics.json."""


class CostDocument(BaseModel, extra="ignore"):
    """The cost as files hold it."""

    run: str = ""
    """Random id of the run, the same after every resumption."""
    images: int = Field(ge=0)
    """Images seen in training; the same image counts in every epoch."""
    epochs: int = Field(ge=0)
    """Epochs done."""
    devices: dict[str, float]
    """Seconds of training by the name of the device; two GPUs for a minute are 120 seconds. Those of a CPU
    are processor time: two threads at work for a minute are 120 seconds."""


@dataclass
class TrainingCost:
    """The cost of a training, summed over all its resumptions. Validation is not counted."""

    run: str = field(default_factory=lambda: uuid4().hex)
    images: int = 0
    epochs: int = 0
    devices: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Seconds of all devices together."""
        return sum(self.devices.values())

    @property
    def device(self) -> str:
        """The names of the devices, joined."""
        return " and ".join(self.devices) or "an unknown device"

    def text(self) -> str:
        """Say what the training has cost in a few words."""
        return f"{self.seconds:,.0f} s on {self.device}, {self.images:,} images in {self.epochs} epochs"

    def document(self) -> dict[str, Any]:
        """Return the cost as plain values, as :class:`CostDocument` describes them."""
        return asdict(self)


def read_cost(values: object) -> TrainingCost | None:
    """Return the cost that a document holds; None if it holds none that could be right."""
    try:
        found = CostDocument.model_validate(values)
    except ValidationError:
        return None
    if not all(0 <= seconds < float("inf") for seconds in found.devices.values()):
        return None
    return TrainingCost(found.run, found.images, found.epochs, found.devices)


def write_cost(folder: Path, cost: TrainingCost) -> None:
    """Write the cost of a run into its folder.

    :raises UserError: if it cannot be written.
    """
    write_json(folder / COST_FILE, cost.document())


def cost_of_checkpoint(path: Path) -> TrainingCost | None:
    """Return what the run of a checkpoint has cost; None if it was trained before this was recorded.

    That is the cost of the whole run, where its file lies next to the checkpoint: the best checkpoint could
    not have been chosen without the epochs after it. Otherwise it is the cost until the checkpoint.

    :param path: the checkpoint, a whole file.
    """
    # Here, since the list of experiments shows costs and starts without PyTorch.
    from distill.checkpoints.checkpoint_file import callback_state

    own = read_cost(callback_state(path, COST_KEY))
    if own is None:
        return None
    try:
        whole = read_cost(json.loads((path.parent / COST_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return own
    return whole if whole is not None and whole.run == own.run and whole.images >= own.images else own

"""Whether a run repeats an experiment of the thesis: its network, data, objective and training."""

from __future__ import annotations

from typing import Final

from distill.config import Config, load_config
from distill.experiments.thesis import ACDC_TRAIN, Experiment

_OF_THE_MACHINE: Final = {
    "data": {"root", "workers", "description", "limitations", "images", "labels"},
    "student": {"pretrained", "strict"},  # but not whether it starts from weights at all
    "training": {
        *("precision", "compile", "logger", "devices", "nodes", "sync_batchnorm"),
        "validate_every",
    },
}
"""Keys of a section that may differ between two machines without making another experiment."""


def differences(experiment: Experiment, config: Config | None, images: int | None = None) -> list[str]:
    """Say where a run's configuration is not that of an experiment; empty if it repeats it.

    Network, data, objective, training and whether there is a teacher are compared; where files lie is not.

    :param config: the run's; None: unknown, which is a difference.
    :param images: number of images that the run was trained on; None: unknown, as in earlier versions.
    :return: such as ``student.backbone is resnet18, not mobilenetv4_conv_medium``.
    """
    if config is None:
        return ["its configuration is not known"]
    wanted = load_config(experiment.file)
    found = differing_keys(wanted, config)
    only_acdc = [source.dataset for source in wanted.data.sources] == ["acdc"]
    if only_acdc and images not in (None, ACDC_TRAIN):
        found.append(f"it was trained on {images} images, not ACDC's {ACDC_TRAIN}")
    return found


def differing_keys(wanted: Config, config: Config) -> list[str]:
    """Say where a run's configuration is not the one that is wanted; empty if it is.

    What is compared is described at :func:`differences`.
    """
    found = []
    for section in ("student", "data", "objective", "training"):
        ours = getattr(config, section).model_dump(mode="json")
        theirs = getattr(wanted, section).model_dump(mode="json")
        for key in ours:
            if key not in _OF_THE_MACHINE.get(section, ()) and ours[key] != theirs[key]:
                found.append(f"{section}.{key} is {_short(ours[key])}, not {_short(theirs[key])}")
    if bool(config.student.pretrained) != bool(wanted.student.pretrained):
        found.append(f"student.pretrained is {config.student.pretrained}, not {wanted.student.pretrained}")
    if (config.teacher is None) != (wanted.teacher is None):
        found.append("it has no teacher" if config.teacher is None else "it has a teacher")
    return found


def _short(value: object) -> str:
    """Write a value of a configuration, shortened to fit a sentence."""
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"

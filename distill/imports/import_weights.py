"""From a weights file of another repository to a checkpoint of this project: the work of ``kd_seg import``.

A network is filled as a whole or not at all: a tensor that is missing, of another shape or unknown is an
error that names it, on both sides. Only heads may be left out, if the user says so; they keep their random
weights, and every tensor that does is named.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from distill.checkpoints.checkpoint_file import save_checkpoint
from distill.checkpoints.student import STUDENT_PREFIX, build_network
from distill.common.class_list import check_class_names
from distill.common.files import check_destination
from distill.config import Config, NetworkConfig, parse_config
from distill.datasets.folder import IMAGENET_MEAN, IMAGENET_STD
from distill.imports.described import described_next_to
from distill.imports.hrnet import is_ocr
from distill.imports.sources import SOURCES, Source
from distill.imports.translation import Translation
from distill.imports.weights_file import WeightsFile, read_weights_file
from distill.models.build import class_of
from distill.models.catalogue import FAMILIES, MODELS, SWIFTNET, SWIFTNET_CHANNELS, check_name
from distill.models.network import SegmentationNetwork
from distill.models.weights import load_tensors
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError

HEAD: Final = "head"
"""The word of ``--allow-missing`` for the classifier, and the heads of training whose classes it shares."""
AUXILIARY: Final = "auxiliary"
"""The word for the heads that exist in training only."""

NAMES_SHOWN: Final = 8
"""So many tensors are named in a line."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImportOptions:
    """What the user says about a weights file; None: what the file or its repository says."""

    class_names: Sequence[str] | None = None
    """Names of the classes in the order of the channels."""
    mean: Sequence[float] | None = None
    """Mean of R, G and B, 0…1, that the network's images are normalised by."""
    std: Sequence[float] | None = None
    """Their standard deviation, likewise."""
    scale: float = 1.0
    """The network sees the camera's image resized by this factor."""
    dataset: str | None = None
    """Data set that the checkpoint is evaluated and calibrated on unless told otherwise."""
    root: str | None = None
    """Its folder."""
    allowed: Collection[str] = ()
    """Parts that may be missing: :data:`HEAD`, :data:`AUXILIARY`."""


@dataclass(frozen=True)
class Imported:
    """A checkpoint that has been written."""

    path: Path
    config: Config
    """What the checkpoint says about its network and its classes."""
    tensors: int
    """Number of the file's tensors that the network has taken over."""
    idle: Sequence[str]
    """Names in the file of tensors that the network has no use for."""
    random: Sequence[str]
    """Names in the network of tensors that were not in the file and keep random weights."""


def import_weights(
    file: Path, network: str, out: Path, options: ImportOptions | None = None, backbone: str | None = None
) -> Imported:
    """Make a checkpoint of a weights file.

    :param network: a name of the catalogue, or ``swiftnet`` with a ``backbone`` of timm.
    :param out: the .ckpt file to write.
    :raises UserError: for a file that does not fit the network as a whole, for classes or a normalisation
        that nobody has said, and for a file that cannot be read or written.
    """
    options = options or ImportOptions()
    if out.suffix != ".ckpt":
        raise UserError(f"--out {out} must be a file that ends in .ckpt")
    check_destination(out)
    source = _source_of(network, backbone)
    content = read_weights_file(file)
    if is_ocr(content.tensors):
        raise UserError(f"{file} holds HRNet-OCR, which is another network than HRNetV2")
    translation = source.translate(content.tensors)
    student = _student(network, backbone, translation)
    config = _config(file, out, student, source, _completed(options, content, file), translation)

    torch.manual_seed(config.seed)  # weights that stay random are the same each time
    filled = build_network(config.student, len(config.data.class_names))
    random = _fill(filled, translation, f"{network} from {file}", options.allowed)
    state = {f"{STUDENT_PREFIX}{name}": tensor for name, tensor in filled.state_dict().items()}
    save_checkpoint(
        {"hyper_parameters": {"config": config.model_dump(mode="json")}, "state_dict": state}, out
    )
    return Imported(out, config, len(content.tensors) - len(translation.idle), translation.idle, random)


def _source_of(network: str, backbone: str | None) -> Source:
    check_name(network)
    if (network == SWIFTNET) != (backbone is not None):
        raise UserError(f"--backbone goes with --network {SWIFTNET}, which needs it")
    source = SOURCES.get(_class_name(network))
    if source is None:
        raise UserError(
            f"nobody publishes weights of a whole {network}: --student.pretrained starts its backbone"
        )
    return source


def _class_name(network: str) -> str:
    """Return the network's class below :mod:`distill.models`."""
    return FAMILIES[network].network if network in FAMILIES else MODELS[network].network


def _completed(options: ImportOptions, content: WeightsFile, file: Path) -> ImportOptions:
    """Fill in what the file, or the files that Hugging Face puts next to it, say about the network."""
    described = described_next_to(file, named=options.class_names is not None)
    return ImportOptions(
        options.class_names or content.class_names or described.class_names,
        options.mean or described.mean,
        options.std or described.std,
        options.scale,
        options.dataset,
        options.root,
        options.allowed,
    )


def _student(network: str, backbone: str | None, translation: Translation) -> NetworkConfig:
    """Return the network's section; a SwiftNet's width is that of the file."""
    blend = translation.tensors.get("blends.0.2.bias")
    if blend is None or len(blend) == SWIFTNET_CHANNELS:
        return NetworkConfig(model=network, backbone=backbone)
    own = backbone or MODELS[network].arguments["backbone"]
    _logger.info("the file's pyramid has %d channels, not %d", len(blend), SWIFTNET_CHANNELS)
    return NetworkConfig(model=SWIFTNET, backbone=own, channels=len(blend))


def _config(
    file: Path,
    out: Path,
    student: NetworkConfig,
    source: Source,
    options: ImportOptions,
    translation: Translation,
) -> Config:
    """Return the configuration that the checkpoint carries: classes, normalisation, origin."""
    names = _class_names(file, student, options, translation)
    data: dict[str, Any] = {
        "root": options.root or f"data/{options.dataset or 'cityscapes'}",
        "dataset": options.dataset or "cityscapes",
        "working_scale": options.scale,
        "description": f"unknown: weights of {file.name} ({source.repository}), trained elsewhere",
        "limitations": "Imported weights: accuracy and calibration were not measured by this software.",
    }
    if names != CLASS_NAMES:
        if options.dataset not in (None, "folder"):
            raise UserError(
                f"--dataset {options.dataset} has the classes of Cityscapes, and {file} others: leave it out"
            )
        values = {str(value): name for value, name in enumerate(names)}
        data |= {"dataset": "folder", "root": options.root or "."}
        data["classes"] = {"classes": list(names), "values": values}
    data |= _normalisation(file, source, options)
    return parse_config({"name": out.stem, "data": data, "student": student.model_dump()}, str(file))


def _class_names(
    file: Path, student: NetworkConfig, options: ImportOptions, translation: Translation
) -> tuple[str, ...]:
    """Return the names of the classes, given or known, and check their number."""
    classifier = class_of(_class_name(student.model)).classifier_name
    weight = translation.tensors.get(f"{classifier}.weight")
    found = None if weight is None else len(weight)
    if options.class_names is not None:
        names = tuple(options.class_names)
        check_class_names(names, "--classes")
        if found not in (None, len(names)) and HEAD not in options.allowed:
            raise UserError(
                f"{file} is for {found} classes, and {len(names)} are named: --classes must name its own, in "
                f"their order; --allow-missing {HEAD} gives the network a new, random head"
            )
        return names
    if found is None:
        raise UserError(f"{file} holds no classifier: name the classes with --classes")
    if found != len(CLASS_NAMES):
        raise UserError(f"{file} is for {found} classes and does not name them: give --classes FILE")
    _logger.info("its 19 classes are taken for those of Cityscapes (--classes FILE says otherwise)")
    return CLASS_NAMES


def _normalisation(file: Path, source: Source, options: ImportOptions) -> dict[str, Any]:
    """Return mean and std for the configuration; a data set's own are filled in there."""
    if (options.mean is None) != (options.std is None):
        raise UserError("give --mean and --std together")
    if options.mean is not None and options.std is not None:
        return {"mean": tuple(options.mean), "std": tuple(options.std)}
    if source.imagenet:
        return {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    if options.dataset is None:
        raise UserError(
            f"{file}: {source.repository} normalises each data set by its own mean and std: give --dataset "
            "(acdc, for its networks for adverse weather), or --mean and --std"
        )
    return {}


def _fill(
    network: SegmentationNetwork, translation: Translation, what: str, allowed: Collection[str]
) -> list[str]:
    """Load the tensors; return the names of those that keep random weights, and log them.

    :raises UserError: naming what is missing, misshapen or unknown.
    """
    own = network.state_dict()
    optional = tuple(f"{name}." for name in _optional_parts(network, allowed))
    state = dict(translation.tensors)
    random = []
    for name, tensor in own.items():
        if not name.startswith(optional) or name.endswith("num_batches_tracked"):
            continue
        if name not in state or state[name].shape != tensor.shape:
            state[name] = tensor
            random.append(name)
    load_tensors(network, state, what, remedy=_remedy(network, state, allowed))
    if random:
        _logger.warning("random, because the file does not hold them: %s", shown(random))
    return random


def _optional_parts(network: SegmentationNetwork, allowed: Collection[str]) -> tuple[str, ...]:
    """Return the names of the submodules that may be missing."""
    if HEAD in allowed:
        return network.classifier_name, *network.training_only
    return network.training_only if AUXILIARY in allowed else ()


def _remedy(network: SegmentationNetwork, state: dict[str, Tensor], allowed: Collection[str]) -> str:
    """Return the option that would help, if what does not fit is in heads alone."""
    heads = (network.classifier_name, *network.training_only)
    faulty = set()
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked") or (name in state and state[name].shape == tensor.shape):
            continue
        part = next((head for head in heads if name.startswith(f"{head}.")), "")
        faulty.add({"": "", network.classifier_name: HEAD}.get(part, AUXILIARY))
    if "" in faulty or not faulty:
        return ""
    word = HEAD if HEAD in faulty else AUXILIARY
    where = "the classifier" if word == HEAD else "heads of training, which no exported file has,"
    return f"; --allow-missing {word} leaves {where} random" if word not in allowed else ""


def shown(names: Sequence[str]) -> str:
    """Name the first few tensors."""
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more

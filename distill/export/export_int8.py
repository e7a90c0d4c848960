"""From a checkpoint, or a model file, to a model file whose network computes in INT8 where it can.

The ranges of the network's maps are measured on images of the training split, sensitive layers are found on a
few of them (:mod:`distill.export.int8_layers`), and the file is judged on other images.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from tqdm import tqdm

from distill.checkpoints.stored_calibration import calibration_of
from distill.data.from_config import frames_of, relocated
from distill.datasets.files import find_files
from distill.datasets.folder import EXTENSIONS
from distill.datasets.frame import read_image
from distill.evaluation.evaluated_model import data_of
from distill.export.agreement import INT8_LIMITS, brought_to
from distill.export.check_images import labelled_images, plain_images
from distill.export.domain_file import read_without_distance
from distill.export.export_checkpoint import ExportSource, open_source
from distill.export.file_model import FileModel, LogitsEngine
from distill.export.int8_graph import folded_network, in_single_precision, preprocessing, with_network
from distill.export.int8_layers import Choice, Layers, Measure, choose_layers
from distill.export.int8_network import Planes, QuantisableNetwork, classes_of, open_network
from distill.export.model_card import int8_card
from distill.export.trace import to_onnx
from distill.export.verified_export import VerifiedFile, check, check_destination, write_checked
from distill.models.logit_calibration import LogitCalibration
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.logs import progress_shown
from kd_seg_ros.common.model_file import kind_of
from kd_seg_ros.inference.contract import CHANNELS, IMAGE, NETWORK_IMAGE, RGB

SEARCH_IMAGES: Final = 4
"""On so many of the calibration images sensitive layers are looked for."""
SEARCHED_AGREEMENTS: Final = (0.98, 0.99, 0.995)
"""Least shares of their pixels that must keep their class, more than the file must reach on other images. The
next one is tried where a file that was searched for by one is refused."""
LEAST_WORK: Final = 0.25
"""Least share of the multiply-adds that must be in INT8: a file with less gains nothing."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CalibrationImages:
    """Which images the ranges of a network's maps are measured on."""

    folder: Path | None = None
    """A folder of images; None: the training split of the model's own data set."""
    count: int = 32
    """Number of images that are drawn from them."""
    seed: int = 0
    """The same seed draws the same images."""


def export_int8(
    path: Path,
    out: Path,
    size: tuple[int, int] | None = None,
    *,
    calibration: CalibrationImages,
    root: Path | None = None,
    images: Path | None = None,
    limit: int = 20,
    provider: str = "cpu",
) -> VerifiedFile:
    """Write a model file in INT8, and keep it only if it follows the network in floating point.

    :param path: a checkpoint of training, or a model file of ours.
    :param out: the .onnx file to write.
    :param size: (H, W) of the camera's image, of a checkpoint only; None: that of most of the images that the
        file is checked on.
    :param root: folder of the data set; None: where the training's data are.
    :param images: a folder of images without labels to check the file on instead of the val split.
    :param limit: number of images to check on.
    :param provider: what the file is run on for the check.
    :raises UserError: if something cannot be read or written, or the file does not follow the network.
    """
    check_destination(out)
    if kind_of(path) == "checkpoint":
        source = open_source(path, size, root, images, limit)
        paths = _calibration_paths(source, calibration)
        proto = to_onnx(source.model, source.size, half=False)
    else:
        source, original = _open_file(path, root, images, limit)
        paths = _calibration_paths(source, calibration)
        proto = in_single_precision(original)
    images_of = NetworkImages(proto, source.size)
    searched = list(images_of.read(paths[:: max(1, len(paths) // SEARCH_IMAGES)][:SEARCH_IMAGES]))
    network = folded_network(proto)
    _logger.info("measuring the ranges of the network's maps on %d images", len(paths))
    height, width = searched[0].shape[2:]
    quantisable = QuantisableNetwork(network, images_of.read(paths), (height, width))
    if not quantisable.work:
        raise UserError(f"{out} was not written: the network has no layer that could be in INT8")
    if source.card.risk:
        _logger.warning("the thresholds with a promise held for floating point: they are left out")
    measure = _measure(quantisable, network, searched)
    for least in SEARCHED_AGREEMENTS:
        # With less and less of the network in INT8, until it is followed.
        choice = choose_layers(quantisable.work, measure, least)
        layers, share = _chosen(quantisable, choice, least, out)
        entry = {
            "layers": len(layers),
            "kept": list(choice.kept),
            "work": share,
            "images": len(paths),
            "source": _source(source, calibration),
        }
        quantised = with_network(proto, quantisable.quantised(layers))
        card = int8_card(source.card, entry)
        agreement = check(quantised, card, out, source.model, source.pairs, provider)
        _logger.info("%s", agreement.describe("the network in floating point"))
        faults = agreement.failures(INT8_LIMITS)
        if not faults or least == SEARCHED_AGREEMENTS[-1]:
            break
        _logger.info("%s: more layers stay in floating point", faults[0])
    written = write_checked(quantised, card, out, agreement, INT8_LIMITS, _costly(choice))
    _logger.info("its confidence is calibrated for floating point: kd_seg calibrate --model %s", out)
    return written


def _open_file(
    path: Path, root: Path | None, images: Path | None, limit: int
) -> tuple[ExportSource, onnx.ModelProto]:
    """Open a model file as the source of another; a domain distance, which reads its maps, is left out."""
    engine = LogitsEngine(path, "cpu")
    proto, card = read_without_distance(path)
    if card.int8:
        raise UserError(f"--model {path} is in INT8 already: give the checkpoint, or the file it was made of")
    if engine.card.domain:
        _logger.warning("the new file does not tell the domain distance: `kd_seg calibrate --domain` adds it")
    data = data_of(card)
    if data is not None:
        data = relocated(data, root)
    if images is not None:
        pairs = plain_images(images, limit)
    elif data is not None:
        pairs = labelled_images(data, limit)
    else:
        raise UserError(f"{path} does not say what it was trained on: give --images DIR to check the file")
    # Files of earlier versions have a temperature only.
    stored = card.calibration
    calibration = calibration_of(stored) if stored else LogitCalibration(temperature=card.temperature)
    model = FileModel(engine).calibrated(calibration)
    return ExportSource(model, card, (card.height, card.width), pairs, data), proto


def _calibration_paths(source: ExportSource, wanted: CalibrationImages) -> list[Path]:
    """Draw the calibration images: those of a folder, or of the training split; raises UserError."""
    if wanted.folder is not None:
        if not wanted.folder.is_dir():
            raise UserError(f"--calibration-images {wanted.folder} is not a folder")
        paths = list(find_files(wanted.folder, EXTENSIONS).files)
        if not paths:
            raise UserError(f"--calibration-images {wanted.folder} holds no image ({', '.join(EXTENSIONS)})")
    elif source.data is None:
        raise UserError("the file does not say what it was trained on: give --calibration-images DIR")
    else:
        try:
            frames = frames_of(source.data, source.data.split)
        except UserError as error:
            raise UserError(f"{error} (needed for INT8; or give --calibration-images DIR)") from error
        paths = [frame.image for frame in frames]
    drawn = np.random.default_rng(wanted.seed).permutation(len(paths))[: wanted.count]
    return [paths[int(index)] for index in sorted(drawn)]


def _source(source: ExportSource, wanted: CalibrationImages) -> str:
    """Say in words where the calibration images come from, for the card."""
    if wanted.folder is not None or source.data is None:
        return f"images of {wanted.folder.name if wanted.folder else 'a folder'}, seed {wanted.seed}"
    return f"{source.data.dataset}, {source.data.split}, seed {wanted.seed}"


class NetworkImages:
    """Brings images to the form that a network takes, with the nodes of its file."""

    def __init__(self, proto: onnx.ModelProto, size: tuple[int, int]) -> None:
        """Take the file, and the (H, W) that images are resized to."""
        self._session = open_network(preprocessing(proto))
        self._size = size
        names = {tensor.name for tensor in self._session.get_inputs()}
        self._feeds = {CHANNELS: np.array(RGB, np.int64)} if CHANNELS in names else {}

    def read(self, paths: Sequence[Path]) -> Iterator[Planes]:
        """Yield the images of some files one by one; raises UserError for one that cannot be read."""
        for path in tqdm(paths, "INT8: images", unit="image", disable=not progress_shown()):
            image = brought_to(read_image(path), self._size)
            yield self._session.run([NETWORK_IMAGE], {IMAGE: image, **self._feeds})[0]


def _measure(quantisable: QuantisableNetwork, network: onnx.ModelProto, images: Sequence[Planes]) -> Measure:
    """Return what tells how many pixels of some images keep their class; it remembers what it has told."""
    session = open_network(network)
    wanted = [classes_of(session, image) for image in images]

    @cache
    def agreement(layers: Layers) -> float:
        quantised = open_network(quantisable.quantised(layers))
        shares = [
            float((classes_of(quantised, image) == classes).mean())
            for image, classes in zip(images, wanted, strict=True)
        ]
        return float(np.mean(shares))

    return agreement


def _chosen(
    quantisable: QuantisableNetwork, choice: Choice, least: float, out: Path
) -> tuple[list[str], float]:
    """Return the layers that will be in INT8, and their share of the multiply-adds.

    :raises UserError: if that is too little to gain anything.
    """
    layers = [layer for layer in quantisable.work if layer not in choice.kept]
    share = sum(quantisable.work[layer] for layer in layers) / sum(quantisable.work.values())
    if share < LEAST_WORK:
        raise UserError(
            f"{out} was not written: to keep {least:.1%} of the classes, layers with {1 - share:.0%} of the "
            f"multiply-adds must stay in floating point{_costly(choice)}"
        )
    _logger.info(
        "INT8: %d of %d layers, %.0f %% of the multiply-adds", len(layers), len(quantisable.work), 100 * share
    )
    return layers, share


def _costly(choice: Choice) -> str:
    """Name the layers that cost most, for a message; empty if none was measured alone."""
    worst = [f"{layer} {loss:.1%}" for layer, loss in choice.worst()]
    return f"; layers that change most classes: {', '.join(worst)}" if worst else ""

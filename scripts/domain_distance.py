#!/usr/bin/env python3
"""Compare ways to tell images that a network does not know, by AUROC and by rank correlation with accuracy.

    kd_seg scenes --out scenes --train 4 --val 240 --size 288x512 --seed 77
    scripts/domain_distance.py --scenes scenes --camvid DIR --acdc DIR

Half of the scenes of each weather are what calibration sees, the other half are the known images. AUROC is
the probability that an unknown image gets a higher figure than a known one: 0.5 is guessing.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from tqdm import tqdm

from distill.calibration.halves import split
from distill.datasets.corruptions import CORRUPTIONS, corrupt
from distill.datasets.frame import Frame, read_image, read_sample
from distill.datasets.registry import open_data
from distill.export.domain_file import PREFIX, read_without_distance
from distill.export.domain_maps import add_statistics, early_maps
from distill.export.graph import GraphBuilder
from distill.metrics.domain_reference import fit_reference
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.common.share import share_path
from kd_seg_ros.inference.contract import IMAGE, MASK, NETWORK_LOGITS

KNOWN, FITTED = "known", "fitted"
CAMVID = np.array([3, 4, 1, 7, 7, 2, 6, 6, 5, 5, 0, 9, 10, 8, 8, 8, 8, 10, 10], np.uint8)
"""CamVid's class of each of Cityscapes': sky, building, pole, road, pavement, tree, sign, fence, car,
pedestrian, bicyclist."""
Row = dict[str, Any]


class Instrument:
    """Runs a model file with its early maps' statistics and its logits as outputs."""

    def __init__(self, path: Path) -> None:
        model, _card = read_without_distance(path)
        graph = GraphBuilder(PREFIX)
        self.names = {}
        for item in early_maps(model, (2, 4, 8)):
            self.names[item.stride] = add_statistics(graph, [item])
        self._logits = graph.add("Cast", NETWORK_LOGITS, to=onnx.TensorProto.FLOAT)
        model.graph.node.extend(graph.nodes)
        model.graph.initializer.extend(graph.initializers)
        for name in [*self.names.values(), self._logits]:
            model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        self._session = ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._size = self._session.get_inputs()[0].shape[:2]

    def measure(self, image: Any, labels: Any, classes: NDArray[np.uint8] | None) -> Row:
        """Return all candidates' figures, and the share of labelled pixels that are right."""
        size = (self._size[1], self._size[0])
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT)
        found = self._session.run([MASK, self._logits, *self.names.values()], {IMAGE: image})
        mask, logits, statistics = found[0], found[1][0].astype(np.float64), found[2:]
        mask = mask if classes is None else classes[mask]
        labelled = labels != 255
        top = logits.max(axis=0)
        share = np.exp(logits - top)
        total = share.sum(axis=0)
        probability = share / total
        entropy = -(probability * np.log(np.maximum(probability, 1e-12))).sum(axis=0)
        row: Row = {f"stride {s}": v[0] for s, v in zip(self.names, statistics, strict=True)}
        row["energy"] = -float((top + np.log(total)).mean())
        row["largest logit"] = -float(top.mean())
        row["entropy"] = float(entropy.mean())
        row["image"] = image_statistics(image)
        row["accuracy"] = float((mask == labels)[labelled].mean())
        return row


def image_statistics(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return mean and standard deviation of the colours, of their gradients and of their Laplacian, [9]."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    laplacian = cv2.Laplacian(grey, cv2.CV_32F)
    gradient = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    colours = image.reshape(-1, 3) / 255
    parts = [colours.mean(axis=0), colours.std(axis=0), [gradient.mean(), np.log(laplacian.std() + 1e-6)]]
    return np.concatenate([*parts, [np.log(gradient.std() + 1e-6)]])


def samples(args: argparse.Namespace) -> Iterator[tuple[str, str, Any, Any, Any]]:
    """Yield group, condition, image, labels and the classes to translate to: the fitted images first."""
    listing = open_data("acdc", root=args.scenes, split="val")
    fitted, known = split(listing.frames)
    for frame in fitted:
        sample = read_sample(frame)
        yield FITTED, frame.condition, sample.image, sample.labels, None
    yield from judged_images(args, known)


def judged_images(
    args: argparse.Namespace, known: Sequence[Frame]
) -> Iterator[tuple[str, str, Any, Any, Any]]:
    """Yield the images that were not fitted to, as :func:`samples` does: plain, spoilt and real ones."""
    rng = np.random.default_rng(0)
    for frame in known:
        sample = read_sample(frame)
        yield KNOWN, frame.condition, sample.image, sample.labels, None
    for name in CORRUPTIONS:
        for frame in known[:: args.every]:
            sample = read_sample(frame)
            assert sample.labels is not None
            yield name, frame.condition, *corrupt(name, sample.image, sample.labels, rng), None
    if args.camvid:
        for path in sorted((args.camvid / "val" / "images").iterdir()):
            file = args.camvid / "val" / "labels" / f"{path.stem}.png"
            labels = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
            yield "CamVid", "", read_image(path), labels, CAMVID
    if args.acdc:
        for part in ("train", "val"):
            for frame in open_data("acdc", root=args.acdc, split=part).frames:
                sample = read_sample(frame)
                yield "ACDC", frame.condition, sample.image, sample.labels, None


def auroc(known: NDArray[np.float64], unknown: NDArray[np.float64]) -> float:
    """Return the probability that an unknown image has the higher figure; ties count half."""
    higher = (unknown[:, None] > known).mean()
    return float(higher + (unknown[:, None] == known).mean() / 2)


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values' places from the smallest to the largest; ties in the order they have."""
    return np.argsort(np.argsort(values)).astype(float)


def features(rows: list[Row], keys: list[str]) -> NDArray[np.float64]:
    """Return the statistics of some maps, [n, d]."""
    joined = []
    for row in rows:
        joined.append(np.concatenate([row[key] for key in keys]))
    return np.array(joined)


def diagonal(fitted: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distances without regard to correlations."""
    spread = np.maximum(fitted.std(axis=0, ddof=1), 1e-4)
    return np.sqrt(np.square((rows - fitted.mean(axis=0)) / spread).mean(axis=1))


def nearest(fitted: list[Row], keys: list[str], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance to the nearest of the weathers."""
    of_weather = defaultdict(list)
    for row in fitted:
        of_weather[row["condition"]].append(row)
    found = [fit_reference(features(some, keys)).distance(rows) for some in of_weather.values()]
    return np.min(found, axis=0)


def candidates(fitted: list[Row], rows: list[Row]) -> dict[str, NDArray[np.float64]]:
    """Return each candidate's figures of the rows, higher for stranger images."""
    result = {}
    sets = {"2": [2], "4": [4], "8": [8], "2+4": [2, 4], "4+8": [4, 8], "2+4+8": [2, 4, 8]}
    for name, strides in sets.items():
        keys = [f"stride {s}" for s in strides]
        a, b = features(fitted, keys), features(rows, keys)
        result[f"features {name}, covariance"] = fit_reference(a).distance(b)
        if name in ("4+8", "2+4+8"):
            result[f"features {name}, diagonal"] = diagonal(a, b)
            result[f"features {name}, nearest weather"] = nearest(fitted, keys, b)
    a, b = features(fitted, ["image"]), features(rows, ["image"])
    result["image statistics, covariance"] = fit_reference(a).distance(b)
    result["image statistics, nearest weather"] = nearest(fitted, ["image"], b)
    for name in ("energy", "largest logit", "entropy"):
        result[name] = np.array([row[name] for row in rows])
    return result


def table(rows: list[Row]) -> None:
    """Print AUROC by group, and the rank correlations."""
    fitted = [row for row in rows if row["group"] == FITTED]
    others = [row for row in rows if row["group"] != FITTED]
    group = np.array([row["group"] for row in others])
    accuracy = np.array([row["accuracy"] for row in others])
    groups = [name for name in dict.fromkeys(group) if name != KNOWN]
    weathers = sorted({row["condition"] for row in fitted})
    print("| figure | " + " | ".join(groups) + " | other weather | mean | rank correlation, all | known |")
    print("|---|" + "---:|" * (len(groups) + 4))
    figures = candidates(fitted, others)
    left_out = defaultdict(list)
    for weather in weathers:
        rest = [row for row in fitted if row["condition"] != weather]
        tested = [row for row in others if row["group"] == KNOWN]
        is_new = np.array([row["condition"] == weather for row in tested])
        for name, values in candidates(rest, tested).items():
            left_out[name].append(auroc(values[~is_new], values[is_new]))
    for name, values in figures.items():
        known = values[group == KNOWN]
        found = [auroc(known, values[group == item]) for item in groups] + [float(np.mean(left_out[name]))]
        cells = [f"{value:.3f}" for value in [*found, np.mean(found)]]
        for chosen in (np.ones(len(group), bool), group == KNOWN):
            cells.append(f"{np.corrcoef(ranks(values[chosen]), ranks(accuracy[chosen]))[0, 1]:.2f}")
        print(f"| {name} | " + " | ".join(cells) + " |")
    print()
    print("accuracy: " + ", ".join(f"{g} {accuracy[group == g].mean():.3f}" for g in [KNOWN, *groups]))


def main() -> None:
    """Measure all images and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=share_path("resource/demo_student.onnx"))
    parser.add_argument("--scenes", type=Path, required=True, help="folder of `kd_seg scenes`")
    parser.add_argument("--camvid", type=Path, help="folder with val/images and val/labels")
    parser.add_argument("--acdc", type=Path, help="real frames in ACDC's layout")
    parser.add_argument("--every", type=int, default=3, help="corrupt every so many known images")
    args = parser.parse_args()
    instrument = Instrument(args.model)
    rows = []
    for group, condition, image, labels, classes in tqdm(samples(args)):
        row = instrument.measure(image, labels, classes)
        rows.append(row | {"group": group, "condition": condition})
    table(rows)


if __name__ == "__main__":
    main()

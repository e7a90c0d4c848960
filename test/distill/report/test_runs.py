"""Reading runs for a report, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest

from distill.report.runs import Run, image_miou, load_runs
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError

MakeRun = Callable[..., Path]


def edit(run: Path, **changes: object) -> None:
    path = run / "best.metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_a_run_says_of_itself(runs: list[Run]) -> None:
    baseline, distilled, other = runs
    assert [run.label for run in runs] == ["e_rn18_border", "j_rn18_cwd_border", "other"]
    assert (baseline.network, other.network) == ("swiftnet_resnet18", "pidnet_s")
    assert (baseline.distilled, distilled.distilled) == (False, True)
    assert baseline.conditions == ("fog", "night", "rain", "snow")
    assert baseline.columns == ("full", "fog", "night", "rain", "snow")
    assert baseline.scores("night")["images"] == 3
    assert baseline.parameters() == 16_746_000


def test_networks_apart_from_the_catalogues(make_run: MakeRun) -> None:
    narrow, wide = load_runs(
        [
            make_run("narrow", student={"backbone": "resnet18", "channels": 64}),
            make_run("wide", student={"model": "swiftnet_resnet18"}),
        ]
    )
    assert (narrow.network, narrow.catalogue_name) == ("swiftnet_resnet18, 64 channels", None)
    assert wide.catalogue_name == "swiftnet_resnet18"


def test_parameters_are_counted_where_the_metrics_lack_them(make_run: MakeRun) -> None:
    run = make_run()
    document = json.loads((run / "best.metrics.json").read_text())
    del document["model"]["parameters"]
    edit(run, model=document["model"])
    # The thesis' SN-FPN-RN18 has 16.746 M with 19 classes; each takes 320 weights and a bias.
    assert load_runs([run])[0].parameters() == pytest.approx(16.746e6 - 15 * 321, abs=500)


def test_the_baseline_comes_first(make_run: MakeRun) -> None:
    a, b, c = make_run("a"), make_run("b"), make_run("c")
    assert [run.label for run in load_runs([a, b], baseline=b)] == ["b", "a"]
    assert [run.label for run in load_runs([a, b], baseline=c)] == ["c", "a", "b"]


def test_runs_of_one_name_go_by_their_folders(make_run: MakeRun) -> None:
    first, second = make_run("same", folder="one"), make_run("same", folder="two", seed=1)
    assert [run.label for run in load_runs([first, second])] == ["one", "two"]
    make_run("same", folder="one", file="flipped.metrics.json", seed=2)
    found = load_runs([first, first / "flipped.metrics.json"])
    assert [run.label for run in found] == ["one/best", "one/flipped"]


def test_a_configuration_of_another_run_is_not_taken(make_run: MakeRun) -> None:
    run = make_run("mine")
    (run / "config.yaml").write_text((run / "config.yaml").read_text().replace("mine", "yours"))
    found = load_runs([run])[0]
    assert (found.config, found.network, found.distilled) == (None, "mine", False)


def test_what_cannot_be_shown_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    good = make_run("good")
    with pytest.raises(UserError, match=r"is given 2 times"):
        load_runs([good, good])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"best\.metrics\.json does not exist.*evaluate --model"):
        load_runs([good, tmp_path / "empty"])
    with pytest.raises(UserError, match="nowhere cannot be read"):
        load_runs([tmp_path / "nowhere"])
    old = make_run("old")
    edit(old, schema_version=1)
    with pytest.raises(UserError, match=r"has schema version 1; .* versions 2 and 3: evaluate"):
        load_runs([good, old])
    lost = make_run("lost")
    (lost / "best.images.npz").unlink()
    with pytest.raises(UserError, match="is missing: evaluate the model again"):
        load_runs([lost])
    partial = make_run("partial")
    scores = json.loads((partial / "best.metrics.json").read_text())["scores"]
    del scores["rain"]["ece"]
    edit(partial, scores=scores)
    with pytest.raises(UserError, match=r"scores\.rain\.ece is missing"):
        load_runs([partial])


def test_runs_over_other_data_are_refused(make_run: MakeRun) -> None:
    good = make_run("good")
    for other, reason in (
        (make_run("classes", names=CLASS_NAMES[1:5]), "their classes are road, sidewalk.* and sidewalk, b"),
        (make_run("images", images={"fog": 2, "night": 3, "rain": 2}), "they are over 9 and 7 images"),
        (make_run("order", images={"fog": 3, "night": 2, "rain": 2, "snow": 2}), "image 3 is rgb_anon/night"),
        (make_run("labels", labels_seed=1), "the labels of rgb_anon/fog/.* differ"),
    ):
        with pytest.raises(UserError, match=rf"good.* and .*{other.name}.* cannot be compared: {reason}"):
            load_runs([good, other])


def test_an_empty_split_is_refused(make_run: MakeRun) -> None:
    run = make_run()
    document = json.loads((run / "best.metrics.json").read_text())
    nothing = dict.fromkeys(("miou", "accuracy", "ece", "ece_batched16"))
    for part in document["scores"].values():
        part |= nothing | {"pixels": 0, "iou": dict.fromkeys(part["iou"])}
        part["confusion"] = np.zeros_like(part["confusion"]).tolist()
    edit(run, scores=document["scores"])
    with pytest.raises(UserError, match="counts no labelled pixel"):
        load_runs([run])


def test_mean_iou_of_each_image_is_over_the_classes_of_its_labels(runs: list[Run]) -> None:
    images = deepcopy(runs[0].images)  # the runs are shared by all tests
    for number, found in enumerate(image_miou(images)):
        matrix = images.confusion[number]
        ious = []
        for c in range(len(matrix)):
            if matrix[c].sum():
                union = matrix[c].sum() + matrix[:, c].sum() - matrix[c, c]
                ious.append(matrix[c, c] / union)
        assert found == pytest.approx(np.mean(ious))
    images.confusion[0] = 0
    assert np.isnan(image_miou(images)[0])

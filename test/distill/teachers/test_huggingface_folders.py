from __future__ import annotations

import contextlib
import json
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_huggingface import MEAN, STD, load, save, segformer

from distill.teachers.huggingface import SemanticScores
from kd_seg_ros.common.classes import CLASS_NAMES
from kd_seg_ros.common.errors import UserError


def test_normalisation_of_the_folder_and_of_the_user(copied: Path) -> None:
    assert load(copied).own.mean == pytest.approx(MEAN)
    assert load(copied, mean=(0.5,) * 3).own.mean == (0.5,) * 3
    assert load(copied, mean=(0.5,) * 3).own.std == pytest.approx(STD)
    (copied / "preprocessor_config.json").unlink()
    with pytest.raises(UserError, match=r"preprocessor_config\.json .*teacher\.mean and teacher\.std"):
        load(copied, mean=(0.5,) * 3)
    assert load(copied, mean=(0.5,) * 3, std=(0.2,) * 3).own.std == (0.2,) * 3


@pytest.mark.parametrize(
    ("settings", "mean", "std"),
    [
        # Not rescaled: values of 0…255 minus a mean of 0…255.
        ({"do_rescale": False, "image_mean": [127.5] * 3, "image_std": [51.0] * 3}, 0.5, 0.2),
        ({"rescale_factor": 1 / 127.5, "image_mean": [1.0] * 3, "image_std": [1.0] * 3}, 0.5, 0.5),
        ({"do_normalize": False}, 0.0, 1.0),
        ({"do_normalize": False, "do_rescale": False}, 0.0, 1 / 255),
    ],
)
def test_other_rescaling(copied: Path, settings: dict[str, Any], mean: float, std: float) -> None:
    path = copied / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    own = load(copied).own
    assert own.mean == pytest.approx((mean,) * 3)
    assert own.std == pytest.approx((std,) * 3)


def test_networks_that_want_bgr_get_it(copied: Path) -> None:
    """MobileViT's preprocessing: channels flipped, not normalised."""
    (copied / "preprocessor_config.json").write_text(json.dumps({"do_flip_channel_order": True}))
    network = load(copied).network
    assert isinstance(network, SemanticScores)
    image = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(network(image), network.model(pixel_values=image[:, [2, 1, 0]]).logits)
    assert load(copied).own.std == (1, 1, 1)


def test_half_precision_weights_become_single(copied: Path) -> None:
    segformer().half().save_pretrained(str(copied))
    assert {p.dtype for p in load(copied).parameters()} == {torch.float32}


def test_names_must_be_names(tmp_path: Path) -> None:
    folder = save(segformer([f"LABEL_{i}" for i in range(19)]), tmp_path)
    with pytest.raises(UserError, match=r"no names \(LABEL_0, …\): .*teacher\.class_names"):
        load(folder)
    with pytest.raises(UserError, match=r"teacher\.class_names: 2 names for the 19 classes"):
        load(folder, class_names=["road", "sky"])
    assert load(folder, class_names=CLASS_NAMES).mapping.targets == tuple(range(19))


def test_plain_tensors_in_a_bin_file_are_read(copied: Path) -> None:
    teacher = load(copied)
    (copied / "model.safetensors").unlink()
    assert isinstance(teacher.network, SemanticScores)
    torch.save(teacher.network.model.state_dict(), copied / "pytorch_model.bin")
    image = torch.ones(1, 3, 32, 32)
    torch.testing.assert_close(load(copied)(image).logits, teacher(image).logits)


REFUSED = r"more than tensors|cannot be loaded"


class Evil:
    """Leaves a file on the disk if it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickle_in_a_bin_file_is_not_executed(copied: Path, tmp_path: Path, legacy: bool) -> None:
    mark = tmp_path / "executed"
    (copied / "model.safetensors").unlink()
    with (copied / "pytorch_model.bin").open("wb") as file:
        if legacy:
            pickle.dump({"weight": Evil(mark)}, file)
        else:
            torch.save({"weight": Evil(mark)}, file)
    with warnings.catch_warnings(record=True) as told, pytest.raises(UserError, match=REFUSED):
        load(copied)
    assert not told  # PyTorch's words about the pickle's protocol help nobody
    assert not mark.exists()
    with contextlib.suppress(RuntimeError):  # the bait works
        torch.load(copied / "pytorch_model.bin", weights_only=False)
    assert mark.exists()


def test_code_in_the_folder_is_not_run(copied: Path, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    (copied / "evil.py").write_text(f"import pathlib; pathlib.Path({str(mark)!r}).touch()\n")
    spoil(copied, architectures=["EvilForSemanticSegmentation"], auto_map={"AutoModel": "evil.Evil"})
    with pytest.raises(UserError, match=r"knows no 'EvilForSemanticSegmentation' .* never run"):
        load(copied)
    spoil(copied, architectures=["SegformerForSemanticSegmentation"])
    load(copied)
    assert not mark.exists()


def spoil(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"architectures": ["OneFormerForUniversalSegmentation"]},
            "OneFormer takes the task in words next to the image, which a camera does not give; take .* EoMT",
        ),
        (
            {"architectures": ["SegformerForImageClassification"]},
            "'SegformerForImageClassification' gives no",
        ),
        ({"architectures": ["UperNetForSemanticSegmentation"]}, "of model type 'segformer'"),
        ({"architectures": None}, "does not name one architecture"),
        ({"problem_type": "multi_label_classification"}, r"do not exclude each other \(sigmoid\)"),
        ({"id2label": CLASS_NAMES}, r"config\.json: id2label must be \{number: name\}"),
        ({"num_labels": 5}, r"num_labels is 5, but id2label has 19 names: correct the one"),
        (
            {"id2label": {str(i + 1): name for i, name in enumerate(CLASS_NAMES)}},
            r"does not number its 19 classes from 0 to 18: list .* with teacher\.class_names",
        ),
        (
            {"decoder_hidden_size": 24},
            r"do not fit config\.json: \d+ tensors have another size, 'decode_head\..* instead of \[24",
        ),
        ({"depths": [1, 1, 1, 2]}, r"not complete: \d+ tensors are missing, 'segformer"),
    ],
)
def test_other_networks_are_refused_by_name(copied: Path, values: dict[str, Any], message: str) -> None:
    spoil(copied, **values)
    with pytest.raises(UserError, match=message) as error:
        load(copied)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", None, r"config\.json does not exist$"),
        ("config.json", "{", r"config\.json cannot be read"),
        ("config.json", "[]", r"config\.json holds no keys"),
        ("preprocessor_config.json", "{}", r"no image_mean: give teacher\.mean"),
        ("model.safetensors", None, r"holds no weights: fetch model\.safetensors next to config\.json"),
        ("model.safetensors", "torn", "cannot be loaded"),
        ("model.safetensors", "version https://git-lfs.github.com/spec/v1\n", r"Git LFS.*`git lfs pull`"),
    ],
)
def test_damaged_folders(copied: Path, file: str, content: str | None, message: str) -> None:
    (copied / file).unlink()
    if content is not None:
        (copied / file).write_text(content)
    with pytest.raises(UserError, match=message) as error:
        load(copied)
    assert "\n" not in str(error.value)


def test_weights_that_are_no_numbers_are_refused(copied: Path) -> None:
    spoilt = segformer()
    torch.nn.init.constant_(spoilt.decode_head.classifier.bias, float("nan"))
    spoilt.save_pretrained(str(copied))
    with pytest.raises(UserError, match=r"1 tensors hold NaN or infinity, 'decode_head\.classifier\.bias'"):
        load(copied)


def test_a_name_of_the_hub_is_no_folder() -> None:
    message = r"nvidia/segformer is no folder; .*: hf download nvidia/segformer --local-dir FOLDER"
    with pytest.raises(UserError, match=message):
        load(Path("nvidia/segformer"))


def test_without_transformers(city: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError, match=r"pip install '\.\[huggingface\]'$"):
        load(city)

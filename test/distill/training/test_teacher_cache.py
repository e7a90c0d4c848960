"""A teacher's outputs on disk: what is kept, when it is used and when it is refused."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from acdc_tree import write_acdc
from architectures import SMALL_BACKBONE
from safetensors.torch import load_file, save_file

from distill.config import Config, parse_config
from distill.config.appearance import AppearanceConfig
from distill.models.build import build
from distill.models.output import Output
from distill.training.cached_maps import CHECKSUM, checksum, write_maps
from distill.training.data_module import SegmentationDataModule
from distill.training.feature_maps import feature_map
from distill.training.teacher_cache import check_no_augmentation, needed_maps, open_cache
from kd_seg_ros.common.errors import UserError


class Counted(torch.nn.Module):
    """A teacher that counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = build("swiftnet", 19, backbone=SMALL_BACKBONE, channels=8).eval()
        self.strides = self.network.strides
        self.asked = 0

    def forward(self, image: torch.Tensor) -> Output:
        self.asked += 1
        with torch.no_grad():
            output: Output = self.network(image)
        return output


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "teacher.ckpt").write_bytes(b"weights")
    data: dict[str, Any] = {
        "root": str(write_acdc(tmp_path / "acdc", frames=1, size=(40, 64))),
        "crop": [40, 64],
        "working_scale": 1,
        "scale": [1, 1],
        "flip": False,
        "jitter": 0,
        "workers": 0,
    }
    values = {
        "name": "x",
        "data": data,
        "student": {"backbone": SMALL_BACKBONE},
        "teacher": {"checkpoint": str(tmp_path / "teacher.ckpt"), "cache": str(tmp_path / "cache")},
        "objective": {"logits": "kl", "features": [{"loss": "cwd", "maps": {"P4": "P8"}}]},
        "training": {"batch_size": 2},
    }
    return parse_config(values, "here")


def test_the_second_epoch_does_not_ask_the_teacher(config: Config) -> None:
    teacher, data = Counted(), SegmentationDataModule(config)
    cache = open_cache(config)
    first = {
        path: (cache(teacher, b, teacher.strides), n)
        for b in data.train_dataloader()
        for n, path in enumerate(b["path"])
    }
    assert teacher.asked == 2
    data.epochs_done = 1  # another order, other batches
    again = open_cache(config)
    for batch in data.train_dataloader():
        output = again(teacher, batch, teacher.strides)
        for number, path in enumerate(batch["path"]):
            fresh, place = first[path]
            for name in ("logits", "P8"):
                kept, asked = feature_map(output, name), feature_map(fresh, name)
                assert (kept.padding, kept.image) == (asked.padding, asked.image)
                torch.testing.assert_close(kept.values[number], asked.values[place], rtol=2**-10, atol=1e-4)
    assert teacher.asked == 2


def test_only_what_is_compared_is_kept(config: Config) -> None:
    assert needed_maps(config.objective) == ("P8", "logits")
    cache, teacher = open_cache(config), Counted()
    batch = next(iter(SegmentationDataModule(config).train_dataloader()))
    cache(teacher, batch, teacher.strides)
    output = cache(teacher, batch, teacher.strides)
    assert set(output.features) == {"P8", "P128"}  # the coarsest one tells the padding
    assert output.pre_logits.shape[1] == 0


def test_another_teacher_or_size_has_files_of_its_own(config: Config, tmp_path: Path) -> None:
    def folder(config: Config) -> Path:
        return open_cache(config).folder

    before = folder(config)
    assert folder(config) == before
    half = config.model_copy(update={"data": config.data.model_copy(update={"working_scale": 0.5})})
    assert folder(half) != before
    (tmp_path / "teacher.ckpt").write_bytes(b"other weights")
    assert folder(config) != before


def test_a_damaged_file_is_named(config: Config) -> None:
    cache, teacher = open_cache(config), Counted()
    batch = next(iter(SegmentationDataModule(config).train_dataloader()))
    cache(teacher, batch, teacher.strides)
    (file, *others) = sorted(cache.folder.iterdir())
    whole, other = file.read_bytes(), load_file(others[0])
    tensors = {name: values.clone() for name, values in load_file(file).items()}  # not the mapped file
    flipped = bytearray(whole)
    flipped[-9] ^= 1
    huge = (2**40).to_bytes(8, "little") + whole[8:]
    for content in (
        b"",
        whole[:100],
        whole[:-1],
        huge,
        bytes(flipped),
        b"\x80" + whole[1:],
        bytes(len(whole)),
    ):
        file.write_bytes(content)
        with pytest.raises(
            UserError, match=r"^teacher cache .*\.safetensors is damaged: delete it \("
        ) as caught:
            open_cache(config)(teacher, batch, teacher.strides)
        assert "\n" not in str(caught.value)
    asked = teacher.asked
    for odd, fault in (
        ({"P8": tensors["P8"]}, "it holds P8 in place of P128, P8, logits"),
        (tensors | {"logits": tensors["logits"].float()}, "not in half precision"),
        (tensors | {"logits": tensors["logits"] * 2}, "checksum is wrong"),
    ):
        save_file(odd, file, metadata={CHECKSUM: checksum(tensors)})
        with pytest.raises(UserError, match=fault):
            open_cache(config)(teacher, batch, teacher.strides)
    # Maps of another size than those of the batch's first image.
    write_maps(file, {name: values[..., :1].contiguous() for name, values in other.items()})
    with pytest.raises(UserError, match="is damaged: delete it"):
        open_cache(config)(teacher, batch, teacher.strides)
    assert teacher.asked == asked


def test_two_runs_may_write_one_file_at_the_same_time(config: Config) -> None:
    """Both write it again and again, while it is read: it is whole at every moment."""
    teacher, cache = Counted(), open_cache(config)
    batch = next(iter(SegmentationDataModule(config).train_dataloader()))
    fresh = cache(teacher, batch, teacher.strides).logits
    files = sorted(cache.folder.iterdir())
    contents = [load_file(file) for file in files]

    def fill(_: int) -> None:
        for _ in range(3):
            for file, tensors in zip(files, contents, strict=True):
                write_maps(file, tensors)

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(fill, number) for number in range(2)]
        while not all(writer.done() for writer in writers):
            kept = cache(teacher, batch, teacher.strides).logits
            torch.testing.assert_close(kept, fresh, rtol=2**-10, atol=1e-4)
        for writer in writers:
            writer.result()
    assert sorted(cache.folder.iterdir()) == files


def test_augmented_images_are_refused_with_what_to_set(config: Config) -> None:
    data, frames = config.data, SegmentationDataModule(config).training
    check_no_augmentation(data, frames)
    changes = (("scale", (0.5, 1)), ("flip", True), ("jitter", 0.1), ("appearance", AppearanceConfig()))
    for key, value in changes:
        with pytest.raises(UserError, match=rf"set data\.{key}: "):
            check_no_augmentation(data.model_copy(update={key: value}), frames)
    with pytest.raises(UserError, match=r"is 64×40 pixels: .* here \[40, 64\]"):
        check_no_augmentation(data.model_copy(update={"crop": (40, 40)}), frames)


def test_an_image_that_has_changed_is_shown_again(config: Config) -> None:
    data = SegmentationDataModule(config)
    batch = next(iter(data.train_dataloader()))
    teacher, cache = Counted(), open_cache(config)
    for _ in range(2):
        cache(teacher, batch, teacher.strides)
    assert teacher.asked == 1
    path = Path(batch["path"][0])
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    cache(teacher, batch, teacher.strides)
    assert teacher.asked == 2


def test_a_cache_in_the_run_folder_is_refused(config: Config) -> None:
    assert config.teacher is not None
    inside = config.teacher.model_copy(update={"cache": str(config.run_folder / "cache")})
    with pytest.raises(UserError, match="lies in the run's folder"):
        open_cache(config.model_copy(update={"teacher": inside}))

"""Options of test-time augmentation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from distill.commands import evaluate
from distill.evaluation.views import Views
from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.parser import Parser


def parse(*arguments: str) -> Views:
    parser = Parser("evaluate", "")
    evaluate.add_arguments(parser)
    return Views.parse(parser.read(["--model", "x.ckpt", *arguments]))


def test_by_default_the_image_alone_is_seen() -> None:
    views = parse()
    assert not views
    assert views.document() == {}
    views.check((100, 200))


def test_options_are_read_and_written() -> None:
    views = parse("--flip", "--scales", "0.5", "1", "--tile", "540x960", "--overlap", "0.5")
    assert views == Views(True, (0.5, 1.0), (540, 960), 0.5)
    assert views.document() == {"flip": True, "scales": (0.5, 1.0), "tile": (540, 960), "overlap": 0.5}


def test_all_are_combined() -> None:
    seen = []

    def predict(image: np.ndarray) -> torch.Tensor:
        seen.append(image.shape[:2])
        return torch.zeros(2, *image.shape[:2]).log_softmax(0)

    image = np.zeros((8, 16, 3), np.uint8)
    found = parse("--flip", "--scales", "1", "2", "--tile", "8x16", "--overlap", "0").apply(predict)(image)
    # 1 window of the image, 4 of the doubled one, and all again mirrored.
    assert seen == [(8, 16)] * 10
    torch.testing.assert_close(found.exp(), torch.full((2, 8, 16), 0.5))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--overlap", "1"], "--overlap must lie in 0…1"),
        (["--overlap", "-0.1"], "--overlap must lie in 0…1"),
        (["--scales", "1", "0"], "--scales: must be above 0"),
        (["--scales", "nan"], "--scales: 'nan' is not a number"),
        (["--tile", "540"], "--tile: must be HEIGHTxWIDTH"),
        (["--tile", "0x960"], "--tile: must be HEIGHTxWIDTH"),
    ],
)
def test_nonsense_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(*arguments)


def test_a_model_of_one_size_is_asked_for_no_other() -> None:
    parse("--flip", "--tile", "540x960").check((540, 960))
    with pytest.raises(UserError, match="give --tile 540x960"):
        parse("--tile", "100x100").check((540, 960))
    with pytest.raises(UserError, match="evaluate the checkpoint"):
        parse("--scales", "1").check((540, 960))

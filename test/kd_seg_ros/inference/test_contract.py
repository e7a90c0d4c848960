"""The names in a model file are a format: files that are on vehicles today must be readable tomorrow."""

from __future__ import annotations

import numpy as np

from kd_seg_ros.inference import contract


def test_the_names_in_files_that_exist_never_change() -> None:
    assert (contract.IMAGE, contract.CHANNELS) == ("image", "channels")
    assert dict(contract.OUTPUTS) == {"mask": np.uint8, "confidence": np.uint8, "probability": np.float32}
    assert contract.METADATA_KEY == "kd_seg_ros.card"
    assert (contract.SCORES, contract.scores_name(2)) == ("scores", "scores.2")


def test_the_order_of_channels_says_which_colour_each_one_is() -> None:
    colours = ("red", "green", "blue")
    assert [colours[channel] for channel in contract.RGB] == ["red", "green", "blue"]
    assert [colours[channel] for channel in contract.BGR] == ["blue", "green", "red"]

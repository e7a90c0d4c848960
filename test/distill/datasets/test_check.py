"""The search for faults, as library code; its command is tested with whole data sets."""

from pathlib import Path

import numpy as np
from acdc_tree import write_acdc, write_png

from distill.datasets.acdc import list_acdc
from distill.datasets.check import FAULT_KINDS, check, check_frame, summary


def test_all_faults_of_a_frame_are_found_not_only_the_first(tmp_path: Path) -> None:
    write_acdc(tmp_path, frames=1)
    frame = list_acdc(tmp_path, "train").complete()[0]
    assert check_frame(frame) == []
    assert frame.labels is not None
    write_png(frame.labels, np.full((3, 3), 99, np.uint8))
    faults = check_frame(frame)
    assert [fault.kind for fault in faults] == ["values", "size"]
    assert all(fault.file == str(frame.labels) and fault.file in fault.message for fault in faults)
    frame.image.write_bytes(b"")
    assert [fault.kind for fault in check_frame(frame)] == ["image", "values"]
    frame.labels.write_bytes(b"")
    assert [fault.kind for fault in check_frame(frame)] == ["image", "labels"]


def test_files_without_a_partner_are_faults_and_are_counted(tmp_path: Path) -> None:
    write_acdc(tmp_path, frames=2)
    listing = list_acdc(tmp_path, "train")
    first, second = listing.frames[:2]
    assert first.labels is not None
    first.labels.unlink()
    second.image.unlink()
    listing = list_acdc(tmp_path, "train")
    faults = check(listing)
    assert [(fault.kind, fault.file) for fault in faults] == [
        ("missing", str(first.image)),
        ("orphan", str(second.labels)),
    ]
    found = summary(listing, faults)
    assert (found["images"], found["labelled"]) == (7, 6)
    assert found["counts"] == dict.fromkeys(FAULT_KINDS, 0) | {"missing": 1, "orphan": 1}

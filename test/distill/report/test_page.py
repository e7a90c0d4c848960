"""The page, made by the command from checkpoints and images."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from distill.__main__ import main
from distill.report import page as page_module
from distill.report.plots import Plots


class Page(HTMLParser):
    """The links, pictures, sections and text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.sections: list[str] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.links += [value for key in ("src", "href", "data", "srcset") if (value := values.get(key))]
        if tag == "img":
            assert values["alt"]
            self.pictures.append(str(values["alt"]))
        if tag == "section":
            self.sections.append(str(values["id"]))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_whole_report(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "out"
    assert main(["report", str(trained / "plain"), str(trained / "taught"), "--out", str(out)]) == 0
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last == f"report written to {out / 'report.html'}, its plots to {out / 'plots'}"
    page = Page(out / "report.html")
    assert all(link.startswith(("data:image/", "#")) for link in page.links)  # nothing from elsewhere
    assert {link[1:] for link in page.links if link[0] == "#"} <= set(page.sections)
    expected = {"runs", "scores", "tradeoff", "panels", "iou", "auprc", "calibration", "confusion"}
    assert (
        expected | {"worst", "mistakes", "borders", "classes", "cost", "data", "made"}
        >= set(page.sections)
        >= expected
    )
    for condition in ("fog", "night"):
        assert f"{condition}: plain and taught" in page.text
        name = f"rgb_anon/{condition}/val/GP01/GP01_frame_000000_rgb_anon.png"
        kinds = [text.removesuffix(f" of {name}") for text in page.pictures if text.endswith(name)]
        assert {"image", "labels", "plain", "taught", "where they differ"} <= set(kinds)
        assert (out / f"plots/panels_{condition}_plain_and_taught.pdf").is_file()
    assert "Not ACDC's validation split." in page.text
    assert "border weights α" in " ".join(page.pictures)
    assert "mIoU over epochs is not known of plain, taught" in page.text
    assert {path.suffix for path in (out / "plots").iterdir()} == {".png", ".pdf"}


def test_without_the_images_the_rest_is_there(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "make_plots", lambda *_: Plots())  # they are tested by themselves
    monkeypatch.setattr(page_module, "is_acdc_val", lambda _: True)
    file = trained / "taught" / "best.metrics.json"
    document = json.loads(file.read_text())
    far = {"images": 4, "median": 2.5, "above_limit": 0.75}
    document["domain"] = {
        "limit": 1.5,
        "quantiles": {"99": 1.5},
        "scores": dict.fromkeys(document["scores"], far),
    }
    assert document["data"].pop("source")  # earlier versions did not write it
    file.write_text(json.dumps(document))
    arguments = ["report", str(trained / "taught"), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--root", str(tmp_path / "nowhere")]) == 0
    note = f"they need the images. data root {tmp_path / 'nowhere'} does not exist: give --root."
    assert note in capsys.readouterr().err
    page = Page(tmp_path / "out/report.html")
    assert note in page.text
    assert not {"panels", "worst", "mistakes", "borders"} & set(page.sections)
    assert {"scores", "iou", "auprc", "domain"} <= set(page.sections)
    assert "the limit is what 1 % of those exceed" in page.text
    # Table 2.3's clear-weather split and Table 4.4 stand below the thesis' other numbers.
    assert "images with labels are 800 for training and 203 for validation" in page.text
    assert "ViT-Adapter 78.4, Mask2Former 77.3, HRNetV2-W48 75.0" in page.text


def test_without_a_model_the_other_one_is_shown(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "make_plots", lambda *_: Plots())
    for run in ("plain", "taught"):  # as on another machine: the place of the evaluation is gone, too
        file = trained / run / "best.metrics.json"
        document = json.loads(file.read_text())
        document["model"]["path"] = f"/elsewhere/{run}/best.ckpt"
        file.write_text(json.dumps(document))
    (trained / "plain" / "best.ckpt").unlink()
    arguments = ["report", str(trained / "plain"), str(trained / "taught"), "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    lines = capsys.readouterr().err.splitlines()
    missing = [line for line in lines if "show no prediction of plain: neither " in line]
    assert len(missing) == 1
    page = Page(tmp_path / "out/report.html")
    assert {"panels", "worst", "borders"} <= set(page.sections)
    assert any(text.startswith("taught of ") for text in page.pictures)
    assert not any(text.startswith("plain of ") for text in page.pictures)
    (trained / "taught" / "best.ckpt").unlink()
    assert main(arguments) == 0
    page = Page(tmp_path / "out/report.html")
    kinds = {text.partition(" of ")[0] for text in page.pictures if "rgb_anon" in text}
    assert kinds >= {"image", "labels"}
    assert not kinds & {"plain", "taught"}


def test_bad_input_is_refused_in_one_line(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = str(trained / "plain")
    (tmp_path / "file").touch()
    for arguments, reason in (
        ([plain, plain, "--out", str(tmp_path / "out")], "is given 2 times"),
        ([plain, "--out", str(tmp_path / "file")], "cannot write"),
        ([plain, "--out", str(tmp_path / "out"), "--speeds", str(tmp_path / "file")], "is no JSON of"),
        ([str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")], "cannot be read"),
    ):
        assert main(["report", *arguments]) == 2
        error = capsys.readouterr().err
        assert reason in error
        assert len(error.strip().splitlines()) == 1

"""Links of the site lead where those of the repository lead; the reference has every room and module."""

from __future__ import annotations

import re

import pytest

from scripts import docs_site
from scripts.docs_site import ROOT, linked_files, reference_pages, site_link, site_links


@pytest.mark.parametrize(
    ("target", "folder", "page", "wanted"),
    [
        ("node.md#cameras", "docs", "node.md", "node.md#cameras"),
        ("docs/node.md#cameras", "", "index.md", "node.md#cameras"),
        ("docs/images/demo.jpg", "", "index.md", "images/demo.jpg"),
        ("../README.md#messages", "docs", "ros.md", "index.md#messages"),
        ("README.md", "", "contributing.md", "index.md"),
        ("CONTRIBUTING.md", "", "index.md", "contributing.md"),
        ("../config/cameras.yaml", "docs", "ros.md", "files/config/cameras.yaml"),
        ("config/cameras.yaml", "", "index.md", "files/config/cameras.yaml"),
        ("https://example.org/a.md", "docs", "ros.md", "https://example.org/a.md"),
        ("#here", "docs", "ros.md", "#here"),
    ],
)
def test_where_a_link_leads(target: str, folder: str, page: str, wanted: str) -> None:
    assert site_link(target, folder, page) == wanted
    assert site_links(f"see [this]({target}), too", folder, page) == f"see [this]({wanted}), too"


def test_files_outside_the_docs_are_taken_along() -> None:
    files = linked_files()
    assert {"config/cameras.yaml", "config/segmentation.rviz"} <= files
    assert all((ROOT / name).is_file() for name in files)


def test_every_room_has_a_page_and_every_module_a_place() -> None:
    pages = reference_pages()
    text = "\n".join(pages.values())
    for package in ("kd_seg_ros", "distill"):
        for file in (ROOT / package).glob("*/*.py"):
            if not file.name.startswith("_"):
                assert f"::: {package}.{file.parent.name}.{file.stem}\n" in text
    assert "- [`kd_seg_ros.common`](kd_seg_ros.common.md): " in pages["reference/index.md"]


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    named = set(re.findall(r": ([\w/]+\.md)$", navigation, flags=re.MULTILINE))
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert named == pages | {*docs_site.PAGES.values(), "student.md", "reference/index.md"}


def test_the_notebook_is_a_page_with_its_pictures() -> None:
    page = docs_site.notebook_page(ROOT / "docs" / "student.ipynb")
    assert page.startswith("# The demo student")
    assert page.count("```python\n") >= 5
    assert page.count("](data:image/png;base64,") == 2

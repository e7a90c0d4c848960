"""What MkDocs does to the pages of docs/ to make a site of them; named under ``hooks`` in mkdocs.yml.

The pages are written for GitHub. For the site, README and the like become pages of it, links out of docs/
lead to those or to copies of the files, the notebook becomes a page, and there is a page of reference for
each room of the two packages, generated from the docstrings by mkdocstrings.
"""

from __future__ import annotations

import ast
import json
import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
"""Pages outside docs/, with their names in the site."""
COPIES = "files"
"""Folder of the site with copies of the other files that are linked to."""
REFERENCE = "reference"

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_ROLE = re.compile(r":(?:func|class|data|mod|meth|attr|exc):<code>(~?)([\w.]+)</code>")


def on_files(files: Any, config: Any) -> Any:
    """Add what lies outside docs/: pages, files that are linked to, and the reference."""
    from mkdocs.structure.files import File

    for name, page in PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=site_links(text, "", page)))
    for linked in sorted(linked_files()):
        files.append(File.generated(config, f"{COPIES}/{linked}", abs_src_path=str(ROOT / linked)))
    notebook = notebook_page(ROOT / "docs" / "student.ipynb")
    files.append(File.generated(config, "student.md", content=site_links(notebook, "docs", "student.md")))
    for page, text in reference_pages().items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Make the links of a page of docs/ those of the site."""
    name = page.file.src_uri
    generated = name in {*PAGES.values(), "student.md"} or name.startswith(REFERENCE)
    return markdown if generated else site_links(markdown, "docs", name)


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Turn the roles of docstrings, such as ``:func:`~a.b.c```, into links of the reference."""
    if not page.file.src_uri.startswith(REFERENCE):
        return html
    return _ROLE.sub(_reference, html)


def _reference(role: re.Match[str]) -> str:
    short = role[2].rpartition(".")[2] if role[1] else role[2]
    return f'<autoref optional identifier="{role[2]}"><code>{short}</code></autoref>'


def site_links(markdown: str, folder: str, page: str) -> str:
    """Return a page's text with its links as the site has them.

    :param folder: where the page lies in the repository: ``docs``, or empty for its root.
    :param page: its name in the site, such as ``index.md``.
    """

    def changed(link: re.Match[str]) -> str:
        return f"]({site_link(link[1], folder, page)})"

    return _LINK.sub(changed, markdown)


def site_link(target: str, folder: str, page: str) -> str:
    """Return a link's target in the site; addresses and anchors of the page itself stay as they are."""
    if re.match(r"[a-z]+:|#", target):
        return target
    name, mark, anchor = target.partition("#")
    path = posixpath.normpath(posixpath.join(folder, name))
    if path in PAGES:
        path = PAGES[path]
    elif path.startswith("docs/"):
        path = path.removeprefix("docs/")
    else:
        path = f"{COPIES}/{path}"
    return posixpath.relpath(path, posixpath.dirname(page) or ".") + mark + anchor


def linked_files() -> set[str]:
    """Return the files outside docs/ that pages link to, by their path in the repository."""
    found: set[str] = set()
    pages = [*((ROOT / "docs").glob("*.md")), *(ROOT / name for name in PAGES)]
    for page in pages:
        folder = page.parent.relative_to(ROOT).as_posix().removeprefix(".")
        for target in _LINK.findall(page.read_text(encoding="utf-8")):
            path = site_link(target, folder, "index.md").partition("#")[0]
            if path.startswith(f"{COPIES}/"):
                found.add(path.removeprefix(f"{COPIES}/"))
    return found


def reference_pages() -> dict[str, str]:
    """Return the pages of reference: one for each room, and one that lists them."""
    pages: dict[str, str] = {}
    lists: list[str] = ["# API reference\n"]
    for package, meaning in (("kd_seg_ros", "on the vehicle"), ("distill", "offline")):
        lists.append(f"\n## `{package}`: {meaning}\n")
        for room in sorted(path for path in (ROOT / package).iterdir() if (path / "__init__.py").is_file()):
            name = f"{package}.{room.name}"
            lists.append(f"- [`{name}`]({name}.md): {first_sentence(room / '__init__.py')}")
            pages[f"{REFERENCE}/{name}.md"] = "\n".join([f"# {name}\n", *modules_of(room, name)])
    return {f"{REFERENCE}/index.md": "\n".join(lists) + "\n", **pages}


def modules_of(room: Path, name: str) -> list[str]:
    """Return mkdocstrings' line for each public module of a room; packages inside it count."""
    lines = []
    for file in sorted(room.rglob("*.py")):
        parts = file.relative_to(room).with_suffix("").parts
        if not any(part.startswith("_") for part in parts):
            lines.append(f"::: {'.'.join((name, *parts))}\n")
    return lines


def first_sentence(file: Path) -> str:
    """Return the first sentence of a module's docstring, on one line."""
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split()).partition(". ")[0].rstrip(".")


def notebook_page(notebook: Path) -> str:
    """Return a notebook as a page: its texts, its code, what it prints, and its pictures inside the page."""
    lines: list[str] = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            lines += [source, ""]
            continue
        lines += ["```python", source, "```", ""]
        for output in cell["outputs"]:
            if "text" in output:
                lines += ["```text", "".join(output["text"]).rstrip(), "```", ""]
            else:
                lines += [f"![figure](data:image/png;base64,{output['data']['image/png']})", ""]
    return "\n".join(lines)

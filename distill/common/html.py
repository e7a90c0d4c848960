"""Reports as HTML, from a Jinja template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kd_seg_ros.common.errors import UserError


def render(template: Path, filters: Mapping[str, Callable[..., Any]], **values: Any) -> str:
    """Fill a template in; names that it does not know are an error, and text is escaped.

    :raises UserError: if jinja2 is not installed.
    """
    try:
        import jinja2
    except ImportError as error:
        raise UserError("the report needs jinja2: pip install jinja2") from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    return environment.get_template(template.name).render(**values)

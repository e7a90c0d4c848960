"""HTML reports from Jinja templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kd_seg_ros.common.errors import UserError


def render(template: Path, filters: Mapping[str, Callable[..., Any]], **values: Any) -> str:
    """Fill in a template; a name without a value is an error, and text is escaped for HTML.

    :param template: file of the template.
    :param filters: functions that the template calls by these names.
    :param values: values of the names in the template.
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

"""The decision as one self-contained HTML page: no script, nothing external, one A4 sheet when printed.

Everything that came from outside has passed `plain` (in `view`) and is escaped by the template. The page carries its own
Content-Security-Policy, so that even a mistake here could load and run nothing.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from whytune.records.decision import Decision
from whytune.report.charts import arms_svg
from whytune.report.view import view

if TYPE_CHECKING:
    from jinja2 import Template

HERE = Path(__file__).parent


def html(decision: Decision) -> str:
    """The whole page. Pure: the same record gives the same bytes."""
    return _template().render(
        page=view(decision),
        style=Markup((HERE / "style.css").read_text("utf-8")),
        wide=Markup(arms_svg(decision, width=680, name="wide")),
        narrow=Markup(arms_svg(decision, width=300, name="narrow")),
    )


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_unbroken,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2")


def _unbroken(value: object) -> object:
    """No line ends between a figure and its percent sign."""
    return value.replace(" %", "\u00a0%") if type(value) is str else value

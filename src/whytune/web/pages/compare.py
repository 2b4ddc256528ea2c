"""Compare: the arms with their intervals, the declared differences, slices, and the cases one by one."""

from __future__ import annotations

from typing import Any

from whytune.errors import NotFoundError, UsageError
from whytune.web import paging
from whytune.web.frame import page
from whytune.web.handling import WebRequest
from whytune.workspace import cases, comparing
from whytune.workspace.cases import SHOWS, SPLITS, CaseQuestion


def compared(ask: WebRequest) -> Any:
    """The arms side by side on test or dev: intervals, the bar, paired differences, one pair slice by slice, looks at the test set."""
    project, split = ask.project, ask.query.get("split", "test")
    if split not in SPLITS:
        raise UsageError(f"split={split[:20]!r}", next="?split=test or ?split=dev")
    try:
        found = comparing.compared(project, SPLITS[split], ask.query.get("one", ""), ask.query.get("two", ""))
    except NotFoundError as error:
        if project.latest_dataset is not None and project.trials(split):
            raise  # an arm was asked for that is not there
        return {"project": project.name, "split": split, "measured": False, "why": error.what, "next": error.next}
    return {"project": project.name, "split": split, "measured": True, "why": "", "next": "", "compared": found}


def explored(ask: WebRequest) -> Any:
    """Two arms case by case: what got worse, what better, what both get wrong; by words and slice, in pages."""
    query, at = ask.query, paging.asked(ask.query)
    question = CaseQuestion(
        one=query.get("one", ""), two=query.get("two", ""), split=query.get("split", "test"), show=query.get("show", "regressions"),
        words=query.get("q", "").strip(), slice=query.get("slice", ""),
    )  # fmt: skip
    found = cases.cases(ask.project, question, at.offset, at.per)
    return {"project": ask.project.name, "shows": list(SHOWS.items()), "cases": found, "page": at.of(found.total)}


def one_case(ask: WebRequest) -> Any:
    """One case in full: what was asked, what was wanted, what every arm answered and the passages it was handed."""
    return {"project": ask.project.name, "case": cases.case(ask.project, ask.path["item"], ask.query.get("split", "test"))}


routes = [
    *page("/projects/{name}/compare", compared, "compare.html.j2", title="Compare", tab="compare", cli="whytune compare {name}"),
    *page("/projects/{name}/compare/cases", explored, "cases.html.j2", title="Cases", tab="compare", cli="whytune compare {name}"),
    *page("/projects/{name}/compare/cases/{item}", one_case, "case.html.j2", title="Case", tab="compare", cli="whytune compare {name}"),
]

"""Compare: the arms with their intervals, the declared differences, slices, and the cases one by one."""

from __future__ import annotations

import shlex
from typing import Any

from whytune.errors import NotFoundError, UsageError
from whytune.web import paging
from whytune.web.frame import page
from whytune.web.handling import WebRequest
from whytune.workspace import cases, comparing
from whytune.workspace.cases import SHOWS, SPLITS, CaseList, CaseQuestion


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
    wanted = paging.beside(ask.query, "looks", 20)
    return {"project": project.name, "split": split, "measured": True, "why": "", "next": "", "compared": found, "looks": wanted.cut(found.looks), "looks_page": wanted.of(len(found.looks))}


def explored(ask: WebRequest) -> Any:
    """Two arms case by case: what got worse, what better, what both get wrong; by words and slice, in pages."""
    query, at = ask.query, paging.asked(ask.query)
    question = CaseQuestion(
        one=query.get("one", ""), two=query.get("two", ""), split=query.get("split", "test"), show=query.get("show", "regressions"),
        words=query.get("q", "").strip(), slice=query.get("slice", ""),
    )  # fmt: skip
    found = cases.cases(ask.project, question, at.offset, at.per)
    return {"project": ask.project.name, "shows": list(SHOWS.items()), "cases": found, "page": at.of(found.total), "page_cli": _typed(ask.project.name, found, at)}


def one_case(ask: WebRequest) -> Any:
    """One case in full: what was asked, what was wanted, what every arm answered and the passages it was handed."""
    found = cases.case(ask.project, ask.path["item"], ask.query.get("split", "test"))
    return {"project": ask.project.name, "case": found, "page_cli": shlex.join(["whytune", "cases", ask.project.name, "--split", found.split, "--item", found.item])}


def _typed(name: str, found: CaseList, at: paging.Page) -> str:
    """The command that lists the same cases."""
    words = ["whytune", "cases", name, "--arms", f"{found.one.value},{found.two.value}", "--show", found.show.replace("_", "-")]
    for option, value in (("--split", found.split if found.split != "test" else ""), ("--slice", found.slice), ("--words", found.words), ("--page", str(at.number) if at.number > 1 else "")):
        words += [option, value] if value else []
    return shlex.join([*words, "--per", str(at.per)])


routes = [
    *page("/projects/{name}/compare", compared, "compare.html.j2", title="Compare", tab="compare", cli="whytune compare {name}"),
    *page("/projects/{name}/compare/cases", explored, "cases.html.j2", title="Cases", tab="compare", cli="whytune cases {name}"),
    *page("/projects/{name}/compare/cases/{item}", one_case, "case.html.j2", title="Case", tab="compare", cli="whytune cases {name}"),
]

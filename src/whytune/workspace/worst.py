"""The worst cases of a probe with their words: the row or suite item as it was, and what both sides answered.

A report holds ids and counts alone; the words are looked up when somebody wants to read them, so that what was erased
meanwhile is not shown. Rows of the test set are never among them, nor what an open blind round asks of whoever looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from whytune.errors import NotFoundError
from whytune.records.data import Dataset
from whytune.records.responsible import ProbeResult, ResponsibleReport
from whytune.responsible import suites
from whytune.workspace import blindness
from whytune.workspace.creating import SplitRow

if TYPE_CHECKING:
    from whytune.workspace.project import Project

MOST_ANSWERS = 12
"""Of one case: a probe may put a row in many ways."""


@dataclass(frozen=True)
class SaidOf:
    """What one side answered to one way of putting the case."""

    side: str
    variant: str
    text: str
    error: str


@dataclass(frozen=True)
class CaseWords:
    """One of the worst cases. source: `row` of the user, item of the `suite`, or `gone` where it was erased."""

    item: str
    source: str
    input: str
    target: str
    change: str
    result: str
    answers: tuple[SaidOf, ...]


def words(project: Project, report: ResponsibleReport, probe: str) -> tuple[ProbeResult, list[CaseWords]]:
    """The finding of that probe and its worst cases. Raises NotFoundError."""
    report = blindness.report(project, report)
    found = next((result for result in report.results if result.probe == probe), None)
    if found is None:
        there = ", ".join(result.probe for result in report.results)
        raise NotFoundError(f"The report has no probe {probe[:60]!r}", where=f"there are: {there}", next=f"whytune responsible show {project.name}")
    wanted = {worst.item for worst in found.worst}
    rows, answers = _rows(project, report, wanted), _answers(project, report, wanted)
    items = {item.id: item.question for item in suites.suite()}
    cases = []
    for worst in found.worst:
        row = rows.get(worst.item)
        source = "row" if row else "suite" if worst.item in items else "gone"
        # Some probes judge what others asked: the row's own answers then stand under another probe's name.
        said = [each for name, each in answers.get(worst.item, ()) if name == probe] or [each for _, each in answers.get(worst.item, ())]
        cases.append(CaseWords(worst.item, source, row[0] if row else items.get(worst.item, ""), row[1] if row else "", worst.change, worst.result, tuple(said[:MOST_ANSWERS])))
    return found, cases


def _rows(project: Project, report: ResponsibleReport, wanted: set[str]) -> dict[str, tuple[str, str]]:
    if not any(item.startswith("example:") for item in wanted):
        return {}
    store = project.workspace.store
    pack = store.get(Dataset, report.dataset).rows
    found: dict[str, tuple[str, str]] = {}
    for row in store.read_pack(pack, SplitRow):
        if row.split != "test" and row.example.id in wanted:
            found[row.example.id] = (row.example.input_text, row.example.target_text)
            if len(found) == len(wanted):
                break
    return found


def _answers(project: Project, report: ResponsibleReport, wanted: set[str]) -> dict[str, list[tuple[str, SaidOf]]]:
    found: dict[str, list[tuple[str, SaidOf]]] = {}
    if not report.answers or not wanted:
        return found
    for row in project.workspace.store.read_pack(report.answers):
        if row["source"] in wanted:
            found.setdefault(row["source"], []).append((row["probe"], SaidOf(row["side"], row["variant"], row["text"], row["error"])))
    return found

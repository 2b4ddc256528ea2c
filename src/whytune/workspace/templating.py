"""Create dataset, without a model: the rows of a table become proposed questions and answers with their evidence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from whytune.datasets import templates
from whytune.datasets.spec import named
from whytune.errors import RefusedError
from whytune.records.data import Document
from whytune.records.proposal import Proposal, Span
from whytune.records.record import digest
from whytune.workspace import proposing

if TYPE_CHECKING:
    from whytune.workspace.project import Project

REASONS = {
    "empty_cell": "a cell that the template needs is empty",
    "skipped_value": "a cell that the template is not to ask about",
    "not_in_document": "the cell does not stand in the row's document as it is",
    "ambiguous": "several rows answer the same question differently",
    "repeated": "asked twice",
    "unreadable": "a row of the table that cannot be read",
    "empty": "a row of the table with no cell filled",
}


def create(project: Project, table: Path, template: Path) -> tuple[Proposal, templates.FilledTable]:
    """Fill the templates and propose what comes out; nothing enters the dataset before another person accepts it."""
    if project.latest_dataset is None and project.file.data.from_:
        project.run(until="data")  # the test set comes first, so that nothing is made from what it asks
    made, rows = filled(project, table, template)
    if not rows:
        told = [f"{count:,} rows: {REASONS.get(reason, reason)}" for reason, count in made.left_out.items()]
        raise RefusedError("The templates make no row of this table", problems=told, next=f"mend {template}")
    reasons = [f"{count:,} left out: {REASONS.get(reason, reason)}" for reason, count in made.left_out.items()]
    return proposing.propose(project, "template", rows, [f"templates of {template.name} over {table.name}", *reasons]), made


def draft(table: Path, title: str = "") -> str:
    """A first file of templates for a table."""
    return templates.draft(table, title)


def filled(project: Project, table: Path, template: Path) -> tuple[templates.FilledTable, list[dict[str, Any]]]:
    """What the templates make of the table, and the rows as they would be proposed; nothing is kept."""
    file = templates.read_templates(template)
    made = templates.fill(table, file, shown=named(table.resolve(), project.folder))
    version = digest(template.read_bytes())
    known = _documents(project)
    rows: list[dict[str, Any]] = []
    for one in made.rows:
        row = one.row
        document = known.get((row.title, row.text)) or Document(title=row.title, text=row.text, origin=row.origin)
        spans = [Span(document=document.id, title=row.title, start=start, end=end, quote=row.text[start:end]) for start, end in one.spans]
        rows.append(
            {
                "input": one.question, "target": one.answer, "group": document.id, "tags": one.template.tags, "evidence": (document.id,), "spans": spans,
                "provenance": {
                    "generator": "template", "template": one.template.name, "phrasing": str(one.phrasing), "templates": version, "table": row.origin.source,
                    "line": str(row.origin.line),
                },
            }
        )  # fmt: skip
    return made, rows


def _documents(project: Project) -> dict[tuple[str, str], Document]:
    """The newest version's documents, by what they say."""
    made = project.latest_dataset
    if made is None or not made.documents:
        return {}
    return {(document.title, document.text): document for document in project.workspace.store.read_pack(made.documents, Document)}

"""A new use case in the browser: upload files, see what was guessed, mend everything, create it. A draft survives the browser.

To create it is a job, because every row of its files is read: a small one is waited for, a large one has its own page.
"""

from __future__ import annotations

import shlex
from typing import Any

from starlette.responses import RedirectResponse

from whytune.errors import DataError, SettingsError, UsageError
from whytune.records.drafted import SetupDraft
from whytune.web import paging
from whytune.web.frame import form, page, upload
from whytune.web.handling import WebRequest, route
from whytune.workspace import drafting, permissions, wishes, working

DRAFT = "/drafts/{draft}"
PATIENCE = 5.0
"""Seconds that a request waits for an import before it shows the job's own page."""


def fresh(ask: WebRequest) -> Any:
    """Where files are uploaded for a new use case, and the drafts of whoever asks."""
    wanted, found = paging.asked(ask.query), drafting.drafts(ask.workspace)
    return {"may": {"create": permissions.may(ask.workspace, "project.created")}, "drafts": wanted.cut(found), "page": wanted.of(len(found)), "kept_days": drafting.KEPT.days}


def shown(ask: WebRequest) -> Any:
    """A draft: its files, what was guessed, everything typed, and what stands in its way."""
    return _told(ask, drafting.named(ask.workspace, ask.path["draft"]))


def begun(ask: WebRequest) -> SetupDraft:
    """A draft from uploaded files."""
    ask.take(upload_=str)
    return drafting.begin(ask.workspace, _uploads(ask))


def added(ask: WebRequest) -> SetupDraft:
    """More files for a draft."""
    ask.take(upload_=str)
    return drafting.add(ask.workspace, ask.path["draft"], _uploads(ask))


def saved(ask: WebRequest) -> SetupDraft:
    """Keep what was typed and look at the data again."""
    typed, uses = _typed(ask)
    return drafting.save(ask.workspace, ask.path["draft"], typed, uses)


def created(ask: WebRequest) -> Any:
    """Begin to make the project of a draft, as a job; what was typed with the request is kept first, so that nothing is lost where it is refused."""
    typed, uses = _typed(ask)
    if typed or uses:
        drafting.save(ask.workspace, ask.path["draft"], typed, uses)
    try:
        begun = working.start_import(ask.workspace, ask.path["draft"])
        job = working.wait(ask.workspace, begun.id, PATIENCE)
        if job.state == "failed" and job.error:
            raise DataError(job.error.what, where=job.error.where, problems=job.error.problems, next=job.error.next)
    except (SettingsError, DataError):
        if not ask.form:
            raise
        # Everything is kept in the draft, its problems too: its own page is the better place to mend them.
        return RedirectResponse(f"/drafts/{ask.path['draft']}", 303)
    return {"name": begun.arguments["name"], "job": job}


def discarded(ask: WebRequest) -> SetupDraft:
    """Throw a draft away, with its files."""
    ask.take()
    return drafting.discard(ask.workspace, ask.path["draft"])


def _told(ask: WebRequest, draft: SetupDraft) -> dict[str, Any]:
    job = working.import_of(ask.workspace, draft.id)
    return {
        "draft": draft, "choices": wishes.choices(ask.workspace), "may": {"create": permissions.may(ask.workspace, "project.created")},
        "job": job if job and job.state != "done" else None, "page_cli": _typed_out(draft),
    }  # fmt: skip


def _typed_out(draft: SetupDraft) -> str:
    """The commands that do the same."""
    name = draft.wishes.get("name", "") or "NAME"
    sources = [word for file in draft.files if file.use == "rows" for word in ("--from", file.name)]
    return shlex.join(["whytune", "init", name, "--task", draft.wishes.get("task", "") or "TASK", *(sources or ["--from", "FILE"])]) + f" && whytune run {shlex.quote(name)} --until data"


def _uploads(ask: WebRequest) -> list[tuple[str, Any]]:
    return [(file.name, file.path) for file in ask.files.values()]


def _typed(ask: WebRequest) -> tuple[dict[str, str], dict[str, str]]:
    """Every field that was sent, by its name in a draft; and what each file is for."""
    shape = {
        "name_": str, "purpose_": str, "task_": str, "metric_": str, "bar_": str, "margin_": str, "confidence_": str,
        "input_": str, "target_": str, "group_": str, "evidence_": str, "format_": str, "encoding_": str, "limit_": str, "labels_": str,
        "base_": str, "model_name_": str, "private_": str, "hours_": str, "money_": str, "answers_per_month_": str, "row_": str,
    }  # fmt: skip
    *texts, owners, triage, uses = ask.take(**shape, owners_=dict, triage_=dict, use_=dict)
    typed = {key: text for name, text in zip(shape, texts, strict=True) if (key := name.removesuffix("_")) in ask.body}
    for group, values in (("owners", owners), ("triage", triage)):
        typed |= {f"{group}.{key}": value for key, value in values.items()}
    wrong = [name for name, value in (typed | uses).items() if not isinstance(value, str)]
    if wrong:
        raise UsageError("The draft cannot be kept like this", problems=[f"{name}: must be text" for name in wrong], next="send one value for each field")
    return typed, dict(uses)


def _draft(_: WebRequest, made: Any) -> str:
    return f"/drafts/{made.id}"


def _gone_on(ask: WebRequest, made: Any) -> str:
    """To what came out where it is there already, else to the job."""
    return str(made["job"].link) if made["job"].state == "done" else f"/runs/{made['job'].id}"


def _told_created(_: WebRequest, made: Any) -> str:
    return str(made["job"].said) if made["job"].state == "done" else "Every row is being read. It goes on in a process of its own: this page may be closed."


def _looked(_: WebRequest, made: Any) -> str:
    count = len(made.problems)
    return "Kept. Nothing stands in its way." if not count else f"Kept. {count} thing{'s' if count > 1 else ''} to mend."


routes = [
    *page("/projects/new", fresh, "new.html.j2", title="New use case", cli="whytune init NAME --task TASK --from FILE"),
    *form("/projects/new", begun, back=_draft, said="The files are here. Look at what was guessed, and mend what is wrong."),
    *page(DRAFT, shown, "draft.html.j2", title="New use case", cli="whytune init NAME --task TASK --from FILE"),
    *form(DRAFT + "/files", added, back=_draft, said="The files are here."),
    *form(DRAFT + "/save", saved, back=_draft, said=_looked),
    *form(DRAFT + "/create", created, back=_gone_on, said=_told_created),
    *form(DRAFT + "/discard", discarded, back="/projects/new", said="The draft and its files are gone."),
    *upload("/api/v1/drafts", begun),
    *upload(f"/api/v1{DRAFT}/files", added),
    route("POST", f"/api/v1{DRAFT}/save", saved),
    route("POST", f"/api/v1{DRAFT}/create", created, 201),
    route("POST", f"/api/v1{DRAFT}/discard", discarded),
]

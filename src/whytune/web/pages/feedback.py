"""The inbox of consumers' feedback: look, sort, propose as rows for the next dataset version."""

from __future__ import annotations

from typing import Any

from whytune.errors import UsageError
from whytune.records.served import Feedback
from whytune.web.frame import form, page
from whytune.web.handling import WebRequest, project_named, route
from whytune.web.paging import asked
from whytune.workspace import feedback
from whytune.workspace.permissions import may


def inbox(ask: WebRequest) -> Any:
    """What consumers said, newest first: by state, use case and words, with how much there is of each state."""
    query, wanted = ask.query, asked(ask.query)
    state, project, words = query.get("state", ""), query.get("project", ""), query.get("q", "")
    if project:
        project_named(ask.workspace, project)
    found = feedback.look(ask.workspace, state, project, words, wanted.offset, wanted.per)
    return {
        "feedback": [_line(said) | {"project": response.project, "alias": response.alias, "release": response.release} for said, response in found.pieces],
        "page": wanted.of(found.total), "states": {name: found.states.get(name, 0) for name in feedback.STATES}, "state": state, "project": project, "q": words,
        "projects": [each.name for each in ask.workspace.projects()],
        "may": {"triage": may(ask.workspace, "feedback.triaged"), "propose": may(ask.workspace, "rows.proposed")},
    }  # fmt: skip


def piece(ask: WebRequest) -> Any:
    """One piece of feedback with question and answer where they are kept, and the row it would become."""
    shown = feedback.show(ask.workspace, ask.path["id"])
    kept = shown.exchange
    told = {"asked": [{"role": turn.role, "text": turn.text} for turn in kept.asked], "answer": kept.answer} if kept else None
    return {
        "feedback": shown.feedback, "response": shown.response, "exchange": told, "row": feedback.row_of(shown),
        "may": {"triage": may(ask.workspace, "feedback.triaged"), "propose": may(ask.workspace, "rows.proposed")},
    }  # fmt: skip


def triaged(ask: WebRequest) -> Any:
    """Say whether it is of use."""
    verdict, reason = ask.take(verdict=str, reason_=str)
    if verdict not in ("useful", "not_useful"):
        raise UsageError(f"verdict = {verdict[:20]!r}", next="say useful or not_useful")
    return feedback.triage(ask.workspace, ask.path["id"], useful=verdict == "useful", reason=reason)


def proposed(ask: WebRequest) -> Any:
    """Propose useful feedback as rows, for somebody else to accept: all that is useful, or some of it, one mended."""
    name, ids, text, target = ask.take(project=str, ids_=list, input_=str, target_=str)
    made = feedback.propose(project_named(ask.workspace, name), ids, input=text, target=target)
    return {"project": name, "proposal": made.proposal, "left": made.left}


def _line(said: Feedback) -> dict[str, Any]:
    return said.model_dump() | {"told": said.correction or said.comment or said.question}


def _kept(_: WebRequest, said: Feedback) -> str:
    return "Useful: it can be proposed as a row." if said.state == "useful" else "Sorted as not useful."


def _proposed(_: WebRequest, made: Any) -> str:
    left = f" {len(made['left'])} stay in the inbox: " + "; ".join(made["left"].values()) if made["left"] else ""
    return f"Proposed: {made['proposal'].count} rows. Somebody else accepts them.{left}"


routes = [
    *page("/feedback", inbox, "feedback.html.j2", title="Feedback", cli="whytune feedback list"),
    *page("/feedback/{id}", piece, "feedback_piece.html.j2", title="Feedback", cli="whytune feedback show {id}"),
    *form("/feedback/{id}/triage", triaged, back="/feedback/{id}", said=_kept),
    *form("/feedback/propose", proposed, back=lambda _, made: f"/projects/{made['project']}/data/proposals", said=_proposed),
    route("POST", "/api/v1/feedback/{id}/triage", triaged),
    route("POST", "/api/v1/feedback/propose", proposed, 201),
]

"""Decide: the one page that a product owner reads, signs, accepts or sends back; the leaderboard; the report to take away."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from whytune.records.release import Acceptance, Approval, Policy
from whytune.web.frame import form, page
from whytune.web.handling import Address, WebRequest, plain, route
from whytune.web.rendering import Head, html, render
from whytune.web.routes.release import accepted, fixed_policy, sent_back, signed
from whytune.workspace import blindness, comparing, ranking, sign_offs
from whytune.workspace.accepting import ChangedError
from whytune.workspace.permissions import may
from whytune.workspace.project import Project

TEMPLATE, TITLE = "decide.html.j2", "Decide"
MEDIA = {"html": "text/html", "md": "text/markdown", "json": "application/json"}


def shown(ask: WebRequest) -> Any:
    """The decision: verdict, arms, costs, examples, limits; who signed it and who may; yes or no as things stand."""
    return _page_data(ask, ask.query.get("arm", ""))


def board(ask: WebRequest) -> Any:
    """The leaderboard: every trial of each dataset version, tie groups instead of ranks, cost and people beside quality."""
    boards = ranking.boards(ask.workspace, str(ask.project.folder), ask.query.get("split", "test"))
    return {
        "project": ask.project.name, "split": ask.query.get("split", "test"), "head": ranking.head(),
        "boards": [{"title": ranking.title(one), "facts": ranking.facts(one), "rows": ranking.rows(one), "board": one} for one in boards],
    }  # fmt: skip


def _page_data(ask: WebRequest, arm: str) -> dict[str, Any]:
    project = ask.project
    decision = blindness.decision(project)
    held: dict[str, Any] = {
        "project": project.name, "decision": decision, "changed": "", "typed": {}, "policy_text": sign_offs.text_of_policy(project),
        "may": {"fix_policy": may(ask.workspace, "policy.fixed"), "release": may(ask.workspace, "release.made")},
    }  # fmt: skip
    if decision is None:
        standing = project.status()
        return {**held, "headline": standing.headline, "next": standing.next}
    ends = [decision.rule.bar, *(end for line in decision.arms for end in (line.primary.low, line.primary.high))]
    return {
        **held, "headline": decision.verdict.headline, "next": "", "words": sign_offs.words(decision), "axis": comparing.axis(max(0.0, min(ends)), min(1.0, max(ends))),
        "sign_offs": sign_offs.sign_offs(project, arm), "looks": project.looks, "erased": project.erased, "newest": _is_of_newest(project),
    }  # fmt: skip


def _is_of_newest(project: Project) -> bool:
    """Whether the decision is about the newest dataset version."""
    decision, made = project.decision, project.latest_dataset
    return bool(decision and made and decision.hashes.get("dataset") == made.id)


def signed_form(ask: WebRequest) -> Any:
    """One signature from the page; where what was read has changed since, the page again, with what was typed."""
    try:
        return signed(ask)
    except ChangedError as error:
        return _again(ask, error)


def accepted_form(ask: WebRequest) -> Any:
    """Yes or no from the page; where what was read has changed since, the page again."""
    try:
        return accepted(ask)
    except ChangedError as error:
        return _again(ask, error)


def sent_back_form(ask: WebRequest) -> Any:
    """The owner's no from the page; where what was read has changed since, the page again, with what was typed."""
    try:
        return sent_back(ask)
    except ChangedError as error:
        return _again(ask, error)


def _again(ask: WebRequest, error: ChangedError) -> Response:
    """The page as it is now, what was typed in its place: nothing is lost, and nothing is signed unread."""
    data = _page_data(ask, str(ask.body.get("arm", "")))
    data |= {"changed": error.what, "typed": {name: str(value) for name, value in ask.body.items() if name in ("role", "reason", "says")}}
    return html(render(TEMPLATE, plain(data), ask, Head(TITLE, "decide")), 409)


def _said_of_signature(_: WebRequest, made: Any) -> str:
    assert isinstance(made, Approval)
    return f"Signed as {made.role.replace('_', ' ')}: {'approved' if made.says == 'approve' else 'rejected'}."


def _said_of_decision(_: WebRequest, made: Any) -> str:
    assert isinstance(made, Acceptance)
    return made.sentence


def _said_of_policy(_: WebRequest, made: Any) -> str:
    assert isinstance(made, Policy)
    return f"Policy {made.number} is in force."


def _report(kind: str) -> list[Route]:
    """The report as a file; the page's own style stands in it, so it is handed over rather than shown here."""

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(handed, WebRequest(request.state.workspace, request.path_params, request.query_params, {}, request))

    def handed(ask: WebRequest) -> Response:
        """The decision report as a file to take away."""
        project = ask.project
        name = quote(f"{project.name}-decision.{kind}", safe="")
        return Response(project.report(kind), media_type=MEDIA[kind], headers={"content-disposition": f"attachment; filename*=UTF-8''{name}"})

    address = f"/projects/{{name}}/report.{kind}"
    return [route("GET", f"/api/v1{address}", handed), Address("GET", address, endpoint, function=handed, face="html")]


BACK = "/projects/{name}/decide"
routes = [
    *page("/projects/{name}/decide", shown, TEMPLATE, title=TITLE, tab="decide", cli="whytune accept {name} --dry-run"),
    *page("/projects/{name}/leaderboard", board, "leaderboard.html.j2", title="Leaderboard", tab="decide", cli="whytune leaderboard {name}"),
    *form("/projects/{name}/sign", signed_form, back=BACK, said=_said_of_signature),
    *form("/projects/{name}/accept", accepted_form, back=BACK, said=_said_of_decision),
    *form("/projects/{name}/send-back", sent_back_form, back=BACK, said=_said_of_decision),
    *form("/projects/{name}/policy", fixed_policy, back=BACK, said=_said_of_policy),
    *(one for kind in MEDIA for one in _report(kind)),
]

"""Feedback of consumers on its way to training rows: inbox, triage, consent and personal data, proposal.

Nothing goes further by itself. Somebody of customer success says what is useful; a proposal takes only what its
consumer agreed to, what holds no personal data, and what is not in the test set; a second person accepts it. The texts
stay in the inbox, where they can be erased; the ledger knows ids.

    propose(project, [item.id for item in inbox(workspace, "useful")]).proposal
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from whytune.checks.personal import scan
from whytune.errors import NotFoundError, RefusedError, UsageError
from whytune.records.proposal import Proposal
from whytune.records.served import (
    ConsumerKey,
    Dialogue,
    Feedback,
    FeedbackReceived,
    FeedbackState,
    FeedbackTriaged,
    Response,
)
from whytune.store.traffic import FeedbackWanted
from whytune.workspace import permissions, proposing

if TYPE_CHECKING:
    from whytune.workspace.project import Project
    from whytune.workspace.workspace import Workspace

STATES: tuple[FeedbackState, ...] = ("new", "useful", "not_useful", "proposed")
PATIENCE = 20.0
"""Seconds that feedback waits for other feedback that is being written down."""


@dataclass(frozen=True)
class Said:
    """What a consumer says about one answer. question: sent along where question and answer were not kept."""

    response: str
    rating: Literal["up", "down"]
    consent: bool = False
    correction: str = ""
    comment: str = ""
    question: str = ""


@dataclass(frozen=True)
class Opened:
    """One piece of feedback with the answer it is about."""

    feedback: Feedback
    response: Response
    exchange: Dialogue | None


@dataclass(frozen=True)
class Proposed:
    """The proposal made, and what was left in the inbox: feedback id to the reason."""

    proposal: Proposal
    left: dict[str, str]


def receive(workspace: Workspace, key: ConsumerKey, said: Said) -> Feedback:
    """Put it into the inbox and say so in the ledger. The same said twice is one, and mends what a killed process left half done.

    Raises NotFoundError for another consumer's answer too.
    """
    traffic = workspace.store.traffic
    response = traffic.response(said.response)
    if response is None or response.consumer != key.consumer or not response.project:
        raise NotFoundError(f"There is no response {said.response!r} of this consumer", next="send the id that came with the answer")
    words = "\n".join([said.response, said.rating, str(said.consent), said.correction, said.comment, said.question])
    given = Feedback(
        id=f"fb_{workspace.store.keyed_hash(words)[:24]}", response=response.id, consumer=key.consumer, conversation=response.conversation,
        when=datetime.now(UTC).isoformat(timespec="seconds"), rating=said.rating, consent=said.consent, correction=said.correction,
        comment=said.comment, question=said.question,
    )  # fmt: skip
    noted = FeedbackReceived(feedback=given.id, response=response.id, release=response.release, rating=given.rating, consent=given.consent)
    # Inbox and ledger are two transactions. The ledger alone says whether both are done; one at a time, so that the same said twice at once is noted once.
    with workspace.store.lock("feedback", wait=PATIENCE):
        traffic.add_feedback(given)
        if not workspace.store.named_in([noted.id]):
            with workspace.act("feedback.received", project=response.project, read=[response.release]) as act:
                act.facts.update(feedback=given.id, response=response.id, rating=given.rating)
                act.write(noted)
    return traffic.feedback(given.id)


def inbox(workspace: Workspace, state: str = "") -> list[Feedback]:
    """Oldest first, of one state or all."""
    permissions.require_read(workspace, "feedback")
    if state and state not in STATES:
        raise UsageError(f"There is no state {state!r}", next=f"choose one of: {', '.join(STATES)}")
    return workspace.store.traffic.inbox(state, without=sorted(workspace.hidden))


@dataclass(frozen=True)
class Inbox:
    """Part of the inbox: each with the answer it is about, and how many there are in all and in each state."""

    pieces: list[tuple[Feedback, Response]]
    total: int
    states: dict[str, int]


def look(workspace: Workspace, state: str = "", project: str = "", words: str = "", offset: int = 0, limit: int = 50) -> Inbox:
    """The newest first, of projects that whoever asks may see: of one state, of one project, with these words."""
    permissions.require_read(workspace, "feedback")
    if state and state not in STATES:
        raise UsageError(f"There is no state {state!r}", next=f"choose one of: {', '.join(STATES)}")
    traffic = workspace.store.traffic
    wanted = FeedbackWanted(project, state, words, tuple(sorted(workspace.hidden)))
    pieces, total = traffic.looked_through(wanted, offset, limit)
    return Inbox(pieces, total, traffic.feedback_states(wanted))


def states(workspace: Workspace, project: str) -> dict[str, int]:
    """How much of a project's feedback there is in each state; everybody may know."""
    return workspace.store.traffic.feedback_states(FeedbackWanted(project, "", "", tuple(sorted(workspace.hidden))))


def show(workspace: Workspace, id: str) -> Opened:
    """One of the inbox, with what it is about. Raises NotFoundError."""
    permissions.require_read(workspace, "feedback")
    traffic = workspace.store.traffic
    held = traffic.feedback(id)
    response = traffic.response(held.response)
    if response is not None and response.project in workspace.hidden:
        raise NotFoundError(f"There is no feedback {id!r}", next="whytune feedback list")
    if response is None:
        raise NotFoundError(f"The answer that {id!r} is about is not there", next="whytune feedback list")
    return Opened(held, response, traffic.exchange(held.response))


def triage(workspace: Workspace, id: str, *, useful: bool, reason: str = "") -> Feedback:
    """Say whether it is of use; a second look may say otherwise until it is proposed."""
    shown = show(workspace, id)
    if shown.feedback.state == "proposed":
        raise RefusedError(f"{id} is proposed already", where=shown.feedback.proposal, next=f"whytune feedback show {id}")
    state: FeedbackState = "useful" if useful else "not_useful"
    return _settled(workspace, [(shown, shown.feedback.model_copy(update={"state": state, "by": workspace.person.name, "reason": reason}))])[0]


def propose(project: Project, ids: Sequence[str] = (), *, input: str = "", target: str = "") -> Proposed:
    """Rows of useful feedback for a second person to accept. ids: none means all that is useful; input and target mend one.

    A row's group is its conversation, so no split ever parts it. Raises RefusedError where nothing can be proposed.
    """
    workspace = project.workspace
    if (input or target) and len(ids) != 1:
        raise UsageError("A question or answer can be mended for one piece of feedback at a time", next="whytune feedback propose PROJECT ID --input TEXT --target TEXT")
    chosen = [show(workspace, id) for id in ids or [item.id for item in inbox(workspace, "useful")]]
    chosen = [shown for shown in chosen if ids or shown.response.project == project.key]
    rows: list[dict[str, Any]] = []
    left: dict[str, str] = {}
    taken: list[Opened] = []
    for shown in chosen:
        row = _row(shown, input, target)
        why = _obstacle(project, shown, row, mended=bool(input))
        if why:
            left[shown.feedback.id] = why
        else:
            rows.append(row)
            taken.append(shown)
    if not rows:
        problems = [f"{id}: {why}" for id, why in left.items()] or ["no feedback of this project is useful yet"]
        raise RefusedError("No feedback can be proposed", problems=problems, next="whytune feedback list --state new, then: whytune feedback triage ID --useful")
    consumers = len({shown.feedback.consumer for shown in taken})
    made = proposing.propose(project, "feedback", rows, [f"{len(rows)} pieces of feedback from {consumers} consumers"])
    there = {row.note for row in proposing.rows_of(project, made)}
    put = [shown for shown in taken if _note(shown) in there]
    left |= {shown.feedback.id: "its question or conversation is in the test set, or the row is known already" for shown in taken if shown not in put}
    by = workspace.person.name
    _settled(workspace, [(shown, shown.feedback.model_copy(update={"state": "proposed", "by": by, "proposal": made.id})) for shown in put])
    return Proposed(made, left)


def row_of(shown: Opened) -> dict[str, Any]:
    """The row it would become as it stands: question, answer, and who wrote the answer."""
    row = _row(shown, "", "")
    return {"input": row["input"], "target": row["target"], "answer_by": row["provenance"]["answer by"], "personal": sorted(set(scan(row["input"])) | set(scan(row["target"])))}


def _row(shown: Opened, input: str, target: str) -> dict[str, Any]:
    """What it would teach: the question as it was asked, and the answer that should have come or was praised."""
    said, kept = shown.feedback, shown.exchange
    asked = next((m.text for m in reversed(kept.asked) if m.role == "user"), "") if kept else ""
    praised = kept.answer if kept and said.rating == "up" else ""
    author = "person" if target else "consumer" if said.correction else "model"
    return {
        "input": input or said.question or asked, "target": target or said.correction or praised, "group": said.conversation,
        "tags": {"source": "feedback"}, "note": _note(shown), "origin_id": said.response,
        "provenance": {"generator": "feedback", "answer by": author, "release": shown.response.release},
    }  # fmt: skip


def _note(shown: Opened) -> str:
    return f"feedback {shown.feedback.id}"


def _turns(shown: Opened) -> int:
    return sum(message.role == "user" for message in shown.exchange.asked) if shown.exchange else 0


def _obstacle(project: Project, shown: Opened, row: dict[str, Any], *, mended: bool) -> str:
    """Why this one cannot become a row; empty where it can."""
    said = shown.feedback
    if shown.response.project != project.key:
        return f"it is about an answer of {shown.response.project}"
    if said.erased:
        return "its texts were erased"
    if said.state != "useful":
        return f"it is {said.state.replace('_', ' ')}, not triaged as useful"
    if not said.consent:
        return "its consumer did not agree that it becomes training data"
    if not row["input"].strip():
        return "the question was not kept, and none was sent along; give it with --input"
    if _turns(shown) > 1 and not said.question and not mended:
        return "it is about a later turn of a conversation; give the question as it stands alone with --input"
    if not row["target"].strip():
        return "nobody said what the answer should be; give it with --target"
    found = sorted(set(scan(row["input"])) | set(scan(row["target"])))
    return f"it holds personal data or secrets ({', '.join(found)}); mend it with --input and --target" if found else ""


def _settled(workspace: Workspace, changes: Sequence[tuple[Opened, Feedback]]) -> list[Feedback]:
    """Write a decision down: the ledger by id, the inbox with its words."""
    projects = {shown.response.project for shown, _ in changes}
    for name in sorted(projects):
        own = [change for shown, change in changes if shown.response.project == name]
        with workspace.act("feedback.triaged", project=name) as act:
            act.facts.update(state=own[0].state, pieces=str(len(own)))
            for item in own:
                act.write(FeedbackTriaged(feedback=item.id, response=item.response, state=item.state, by=item.by, proposal=item.proposal))
            workspace.store.traffic.settle(own)
    return [change for _, change in changes]

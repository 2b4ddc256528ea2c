"""What waits for one person, worked out from records and roles: nobody hands these tasks out, and none is kept.

    for task in tasks_for(workspace):       # of the person who asks, oldest first
        print(task.title, task.project, task.since)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from whytune.records.record import short
from whytune.workspace import held, mapping, proposing, review_board, roles

if TYPE_CHECKING:
    from whytune.workspace.held import HeldProject, LookingRoom
    from whytune.workspace.mapping import BoxState
    from whytune.workspace.workspace import Workspace

TaskKind = Literal["step", "mend", "sign", "decide", "review", "settle", "close", "rows", "feedback"]
TITLES = {
    "usecase.fixed": "Fix the use case and its rule", "dataset.created": "Bring data for the next version", "dataset.checked": "Check the dataset",
    "dataset.approved": "Approve the dataset", "dev.measured": "Measure prompt and RAG on dev", "adapter.trained": "Train", "trial.measured": "Open the sealed test set",
    "decision.made": "Work out the verdict", "queue.opened": "Open a round of review", "responsible.measured": "Run the responsible-AI probes",
    "responsible.waived": "Answer what the probes found", "policy.fixed": "Fix the policy", "approval.signed": "Read the decision and sign, or say no",
    "acceptance.decided": "Decide: accepted or not", "release.made": "Make the release", "alias.set": "Put the release live",
    "feedback.triaged": "Look at new feedback", "rows.proposed": "Propose useful feedback as rows",
}  # fmt: skip
KINDS: dict[str, TaskKind] = {
    "approval.signed": "sign", "acceptance.decided": "decide", "feedback.triaged": "feedback", "rows.proposed": "feedback", "responsible.waived": "mend",
}  # fmt: skip


@dataclass(frozen=True)
class MyTask:
    """One thing that waits. place: the box it belongs to; target: id of the round or proposal, where it is about one."""

    kind: TaskKind
    project: str
    title: str
    detail: str
    since: str
    roles: tuple[str, ...]
    """In which of the person's roles."""
    place: str
    target: str = ""
    cli: str = ""
    others: tuple[str, ...] = ()
    """Who else may do it."""
    act: str = ""
    """What is to be done, as the table of roles names it."""


def tasks_for(workspace: Workspace) -> list[MyTask]:
    """Everything that waits for the person who asks, what waits longest first."""
    room = held.looking(workspace)
    jobs, _ = mapping.working(room, [one.key for one in room.held]), room.judged
    found = [task for one in room.held for task in _of_project(room, one, mapping.with_jobs(mapping.recorded(one), jobs, one.key))]
    found += _reviews(room)
    return sorted(found, key=lambda task: (not task.since, task.since, task.project, task.title))


def title(box: BoxState) -> str:
    """What is to be done in a box, as one tells somebody; its name where nothing is."""
    return "Mend the dataset" if box.word == "stopped" and box.key == "validate" else TITLES.get(box.act, box.title)


def _of_project(room: LookingRoom, one: HeldProject, boxes: tuple[BoxState, ...]) -> Iterator[MyTask]:
    me = room.person
    for box in mapping.due(boxes):
        if me.name in box.who:
            mine = () if me.solo else tuple(role for role in box.roles if role in me.roles)
            others = tuple(name for name in box.who if name != me.name)
            yield MyTask("mend" if box.word == "stopped" else KINDS.get(box.act, "step"), one.name, title(box), box.detail, box.since, mine, box.key, cli=box.cli, others=others, act=box.act if box.word == "due" else "")
    if (own := _may(room, "rows.accepted")) is not None:
        for proposal in proposing.open_ones(one):
            if me.solo or me.name not in proposing.authors_of(one, proposal):
                piece = one.piece(proposal.id)
                detail = f"{proposal.count:,} rows ({proposal.kind}) proposed by {proposal.person}"
                yield MyTask("rows", one.name, "Accept proposed rows, or leave them", detail, piece.when if piece else "", own, "create", proposal.id, f"whytune data accept {one.name} {short(proposal.id)} --all")
    if (own := _may(room, "queue.closed")) is not None:
        for queue in one.open_rounds:
            done, items = one.judged(queue)
            if (done >= items or queue.planned) and one.workspace.store.queues.standing(queue.id).enough:
                piece = one.piece(queue.id)
                yield MyTask("close", one.name, f"Close round {queue.number} of review", "Everybody who was asked has answered", piece.when if piece else "", own, "review", queue.id, f"whytune review close {one.name} {queue.number}")


def _reviews(room: LookingRoom) -> Iterator[MyTask]:
    own = _may(room, "opinion.given")
    for ask in review_board.asking(room):
        about = f"{ask.title} {ask.mine} judged by you so far" if ask.mine else ask.title
        if ask.waiting:
            yield MyTask("review", ask.project, f"Judge {ask.waiting:,} item{'' if ask.waiting == 1 else 's'} in round {ask.number}", about, ask.since, own or (), "review", ask.id, f"whytune review {ask.project}")
        if ask.to_settle:
            settling = f"Decide {ask.to_settle:,} item{'' if ask.to_settle == 1 else 's'} on which others differ"
            yield MyTask("settle", ask.project, settling, about, ask.since, own or (), "review", ask.id, f"whytune review {ask.project} --settle")


def _may(room: LookingRoom, act: str) -> tuple[str, ...] | None:
    """The roles by which this person may, none named where they are alone; None where they may not."""
    own = tuple(role for role in room.person.roles if role in roles.ACTS[act])
    return None if not own else () if room.person.solo else own

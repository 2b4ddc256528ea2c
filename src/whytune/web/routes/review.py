"""Review: rounds, the next question, opinions, progress, closing. What is blind stays on the server until the round is closed.

No answer names an item, a candidate or an arm, says which side of a pair is whose, or whether a question is a planted or
a repeated one. An opinion is sent with an id of the client's own; sent again, after a lost connection, it counts once.
"""

from __future__ import annotations

from typing import Any

from whytune.web.handling import WebRequest, project_named, route
from whytune.workspace import asking, concluding, reviewing
from whytune.workspace.reviewing import Round


def listed(ask: WebRequest) -> Any:
    """Every round, of one project where `?project=` names it."""
    wanted = ask.query.get("project", "")
    projects = [project_named(ask.workspace, wanted)] if wanted else ask.workspace.projects()
    return {"queues": [_shown(room) for project in projects for room in reviewing.rounds(project)]}


def opened(ask: WebRequest) -> Any:
    """Open a round."""
    kinds = {"project": str, "purpose": str, "arms_": list, "sample_": int, "overlap_": float, "votes_": int, "guideline_": str, "split_": str, "seed_": int}
    name, purpose, arms, sample, overlap, votes, guideline, split, seed = ask.take(**kinds)
    given = {"sample": sample, "overlap": overlap, "votes": votes, "seed": seed}
    plan = asking.Plan(guideline=guideline, split=split, **{field: value for field, value in given.items() if field in ask.body})
    project = project_named(ask.workspace, name)
    queue = asking.open_round(project, asking.purpose_named(purpose), arms, plan)
    return _shown(Round(project, queue))


def shown(ask: WebRequest) -> Any:
    """One round; once it is closed, with its outcome."""
    return _shown(_room(ask))


def claimed(ask: WebRequest) -> Any:
    """The next question for whoever asks; null where there is none."""
    return {"question": _room(ask).take()}


def disputed(ask: WebRequest) -> Any:
    """The next item to decide, for somebody who gave no opinion on it; null where there is none."""
    return {"question": _room(ask).take_dispute()}


def said(ask: WebRequest) -> Any:
    """Keep an opinion."""
    token, client, verdict, edits, note = ask.take(token=str, client_id=str, verdict=str, edits_=dict, note_=str)
    kept = _room(ask).answer(token, client, verdict, edits=[(str(field), str(value)) for field, value in edits.items()], note=note)
    return {"client_id": kept.client, "when": kept.when}


def skipped(ask: WebRequest) -> Any:
    """Pass a question over."""
    (token,) = ask.take(token=str)
    _room(ask).skip(token)
    return {"skipped": True}


def released(ask: WebRequest) -> Any:
    """Give a question back for somebody else."""
    (token,) = ask.take(token=str)
    _room(ask).release(token)
    return {"released": True}


def undone(ask: WebRequest) -> Any:
    """Take the last opinion back; gives the question again, null where there is nothing to take back."""
    (client,) = ask.take(client_id=str)
    return {"question": _room(ask).undo(client)}


def progress(ask: WebRequest) -> Any:
    """How far the round is; never who is ahead."""
    return _room(ask).progress()


def closed(ask: WebRequest) -> Any:
    """Sum it up and show the names."""
    (early,) = ask.take(early_=bool)
    room = _room(ask)
    return {"outcome": concluding.close(room, early=early), "queue": room.queue.id}


def _room(ask: WebRequest) -> Round:
    return reviewing.room_of(ask.workspace, ask.path["id"])


def _shown(room: Round) -> dict[str, Any]:
    queue, closing = room.queue, room.closing
    told = {
        "id": queue.id, "project": queue.project, "number": queue.number, "purpose": queue.purpose, "question": queue.form.question,
        "guideline": queue.guideline, "guideline_version": queue.guideline_version, "blind": queue.blind, "solo": queue.solo,
        "asks_me": room.person not in queue.excluded, "progress": room.progress(),
    }  # fmt: skip
    return {**told, "arms": queue.arms, "outcome": closing} if closing else told


routes = [
    route("GET", "/api/v1/queues", listed),
    route("POST", "/api/v1/queues", opened, 201),
    route("GET", "/api/v1/queues/{id}", shown),
    route("GET", "/api/v1/queues/{id}/progress", progress),
    route("POST", "/api/v1/queues/{id}/claim", claimed),
    route("POST", "/api/v1/queues/{id}/disputes", disputed),
    route("POST", "/api/v1/queues/{id}/opinions", said),
    route("POST", "/api/v1/queues/{id}/skip", skipped),
    route("POST", "/api/v1/queues/{id}/release", released),
    route("POST", "/api/v1/queues/{id}/undo", undone),
    route("POST", "/api/v1/queues/{id}/close", closed),
]

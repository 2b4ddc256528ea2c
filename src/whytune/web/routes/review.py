"""Review: rounds, the next question, opinions, progress, closing. What is blind stays on the server until the round is closed.

No answer names an item, a candidate or an arm, says which side of a pair is whose, or whether a question is a planted or
a repeated one. An opinion is sent with an id of the client's own; sent again, after a lost connection, it counts once.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from whytune.web.handling import WebRequest, project_named, route
from whytune.workspace import asking, concluding, review_board, reviewing
from whytune.workspace.reviewing import Round


def listed(ask: WebRequest) -> Any:
    """Every round, of one project where `?project=` names it."""
    wanted = ask.query.get("project", "")
    projects = [project_named(ask.workspace, wanted)] if wanted else ask.workspace.projects()
    return {"queues": [_shown(room) for project in projects for room in reviewing.rounds(project)]}


def opened(ask: WebRequest) -> Any:
    """Open a round."""
    at = {} if "name" in ask.path else {"project": str}
    shape = {"sample_": int, "overlap_": float, "overlap_max_": int, "votes_": int, "gold_": float, "repeats_": float, "guideline_": str, "split_": str, "seed_": int}
    *where, purpose, arms, sample, overlap, most, votes, gold, repeats, guideline, split, seed = ask.take(**at, purpose=str, arms_=list, **shape)
    given = {"sample": sample, "overlap": overlap, "overlap_max": most, "votes": votes, "gold": gold, "repeats": repeats, "seed": seed}
    plan = asking.Plan(guideline=guideline, split=split, **{field: value for field, value in given.items() if ask.body.get(field) not in (None, "")})
    project = project_named(ask.workspace, where[0]) if where else ask.project
    queue = asking.open_round(project, asking.purpose_named(purpose), arms, plan)
    return _shown(Round(project, queue))


def shown(ask: WebRequest) -> Any:
    """One round; once it is closed, with its outcome."""
    return _shown(room_asked(ask))


def claimed(ask: WebRequest) -> Any:
    """The next question for whoever asks; null where there is none."""
    return {"question": room_asked(ask).take()}


def foreseen(ask: WebRequest) -> Any:
    """The question after the one that whoever asks holds, to show it without waiting; null where few are left."""
    return {"question": room_asked(ask).ahead()}


def disputed(ask: WebRequest) -> Any:
    """The next item to decide, for somebody who gave no opinion on it; null where there is none."""
    return {"question": room_asked(ask).take_dispute()}


def said(ask: WebRequest) -> Any:
    """Keep an opinion."""
    token, client, verdict, edits, note = ask.take(token=str, client_id=str, verdict=str, edits_=dict, note_=str)
    kept = room_asked(ask).answer(token, client, verdict, edits=[(str(field), str(value)) for field, value in edits.items()], note=note)
    return {"client_id": kept.client, "when": kept.when}


def skipped(ask: WebRequest) -> Any:
    """Pass a question over."""
    (token,) = ask.take(token=str)
    room_asked(ask).skip(token)
    return {"skipped": True}


def released(ask: WebRequest) -> Any:
    """Give a question back for somebody else."""
    (token,) = ask.take(token=str)
    room_asked(ask).release(token)
    return {"released": True}


def undone(ask: WebRequest) -> Any:
    """Take the last opinion back; gives the question again, null where there is nothing to take back."""
    (client,) = ask.take(client_id=str)
    return {"question": room_asked(ask).undo(client)}


def progress(ask: WebRequest) -> Any:
    """How far the round is; never who is ahead."""
    return room_asked(ask).progress()


def closed(ask: WebRequest) -> Any:
    """Sum it up and show the names."""
    (early,) = ask.take(early_=bool)
    room = room_asked(ask)
    return {"outcome": concluding.close(room, early=early), "queue": room.queue.id}


def preferred(ask: WebRequest) -> Response:
    """Preferences of a closed round of pairs, one JSON object a line: chosen and rejected answers; never of the test set."""
    room = room_asked(ask)
    rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in review_board.preferences_file(room))
    name = f"preferences-round-{room.queue.number}.jsonl"
    return Response(rows, media_type="application/x-ndjson", headers={"content-disposition": f'attachment; filename="{name}"'})


def proposed(ask: WebRequest) -> Any:
    """Propose the corrected rows of a closed round; somebody else accepts them into the next version."""
    return concluding.propose_edits(room_asked(ask))


def room_asked(ask: WebRequest) -> Round:
    """The round that the path names."""
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
    route("POST", "/api/v1/queues/{id}/ahead", foreseen),
    route("POST", "/api/v1/queues/{id}/disputes", disputed),
    route("POST", "/api/v1/queues/{id}/opinions", said),
    route("POST", "/api/v1/queues/{id}/skip", skipped),
    route("POST", "/api/v1/queues/{id}/release", released),
    route("POST", "/api/v1/queues/{id}/undo", undone),
    route("POST", "/api/v1/queues/{id}/close", closed),
    route("GET", "/api/v1/queues/{id}/preferences", preferred),
    route("POST", "/api/v1/queues/{id}/corrections", proposed, 201),
]

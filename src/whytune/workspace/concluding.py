"""Closes a round of review: what people found becomes a record, names are shown, edits and preferences can be used.

The opinions go into a pack that the record names, so that everybody can compute the outcome again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whytune.errors import NotFoundError, RefusedError
from whytune.evaluation.measures import clusters_of
from whytune.records.data import Dataset
from whytune.records.proposal import Proposal
from whytune.records.review import Edit, HumanEvaluation, RowReview
from whytune.review import preferring
from whytune.review.findings import findings
from whytune.workspace import proposing
from whytune.workspace.creating import SplitRow
from whytune.workspace.reviewing import Closing, Round
from whytune.workspace.writing import write_whole

if TYPE_CHECKING:
    from whytune.records.data import Example
    from whytune.workspace.project import Project


def close(room: Round, *, early: bool = False) -> Closing:
    """Sum up the round and write it down; again gives the same record. Raises RefusedError while something is open.

    early closes it as it is: what nobody has judged is left out, what nobody has settled counts as wrong.
    """
    if known := room.closing:
        return known
    queue, store = room.queue, room.store
    standing = store.queues.standing(queue.id)
    waiting = [] if standing.enough else [f"{standing.open + standing.held:,} opinions are still asked for ({standing.done:,} of {standing.items:,} items are done)"]
    if disputes := room.disputes():
        waiting.append(f"{len(disputes):,} items on which people differ wait for somebody to decide: whytune review adjudicate {room.project.name}")
    if waiting and not early:
        name = room.project.name
        raise RefusedError(
            f"Round {queue.number} is not done", problems=waiting,
            next=f"whytune review {name}, or whytune review close {name} --early (the outcome will say so)",
        )  # fmt: skip
    if not store.queues.opinions(queue.id):
        raise RefusedError(f"Nobody has said anything in round {queue.number} yet", next=f"whytune review {room.project.name}")
    with room.project.act("queue.closed", read=[queue.id, queue.dataset, *(id for id in queue.subject if id != queue.dataset)]) as act:
        store.queues.freeze(queue.id)
        made = act.write(_summed_up(room))
        act.facts.update(purpose=queue.purpose, reviewers=str(len(made.reviewers)), early=str(made.early).lower())
        if isinstance(made, RowReview):
            act.facts.update(rated=str(made.rated), bad=str(made.bad), high=f"{made.error_rate.high:.4f}")
        else:
            act.facts.update(votes=str(made.votes), decisive=str(made.decisive), conclusion=made.conclusion)
    return made


def _summed_up(room: Round) -> Closing:
    queue, store = room.queue, room.store
    opinions, passed, items = store.queues.opinions(queue.id), store.queues.passed(queue.id), [*room.items.values()]
    kept = store.put_pack(opinions, "opinions")
    examples = room.texts.examples
    if queue.purpose in ("rows", "labels"):
        found = findings(queue, items, opinions, passed, {name: example.target_text for name, example in examples.items()})
        return found.record(edits=store.put_pack(found.edits, "edits"), opinions=kept)
    groups = clusters_of([*examples.values()])
    return preferring.evaluated(queue, items, opinions, passed, groups).record(opinions=kept)


def preferences(room: Round) -> Iterator[dict[str, Any]]:
    """Rows of chosen and rejected answers from a closed round of pairs on dev. Raises RefusedError for the test set."""
    closed = room.closing
    if not isinstance(closed, HumanEvaluation) or closed.form != "pairwise":
        raise NotFoundError("There is no closed round of pairs to take preferences from", next=f"whytune review close {room.project.name}")
    if "test" in room.queue.split:
        raise RefusedError(
            "This round showed the test set, and nothing of it may be trained on", next=f"whytune review open {room.project.name} --pairs ARM ARM --split dev"
        )
    texts = room.texts
    for example, better, worse, ahead in preferring.preferences(room.queue, [*room.items.values()], room.store.queues.opinions(room.queue.id)):
        if example in texts.examples:
            shown = texts.examples[example]
            yield {
                "messages": [{"role": message.role, "content": message.text} for message in shown.messages],
                "chosen": texts.answers[better].get(example, ""), "rejected": texts.answers[worse].get(example, ""),
                "votes_ahead": ahead, "example": example, "evaluation": closed.id,
            }  # fmt: skip


def write_preferences(room: Round, path: Path) -> int:
    """Preferences as JSON lines; gives how many."""
    rows = list(preferences(room))
    write_whole(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return len(rows)


def edits(room: Round) -> list[Edit]:
    """The corrections of a closed round of rows or labels."""
    closed = room.closing
    if not isinstance(closed, RowReview):
        raise NotFoundError("There is no closed round about rows to take corrections from", next=f"whytune review close {room.project.name}")
    return list(room.store.read_pack(closed.edits, Edit))


def propose_edits(room: Round) -> Proposal:
    """Corrected rows, to be accepted by somebody else before they enter the next version."""
    project = room.project
    changes: dict[str, dict[str, Edit]] = {}
    for edit in edits(room):
        changes.setdefault(edit.example, {})[edit.field] = edit
    if not changes:
        raise NotFoundError(f"Round {room.queue.number} holds no correction", next=f"whytune review status {project.name}")
    rows = [_mended(example, changes[example.id]) for example in _rows(project, room.queue.dataset) if example.id in changes]
    return proposing.propose(project, "edits", rows, [f"round {room.queue.number} of review, guideline {room.queue.guideline_version}"])


def _rows(project: Project, dataset: str) -> Iterator[Example]:
    store = project.workspace.store
    return (row.example for row in store.read_pack(store.get(Dataset, dataset).rows, SplitRow))


def _mended(example: Example, changes: dict[str, Edit]) -> dict[str, Any]:
    said = {field: edit.value for field, edit in changes.items()}
    return {
        "input": said.get("input", example.input_text), "target": said.get("target", example.target_text), "group": example.group, "tags": example.tags,
        "evidence": example.evidence, "note": "corrected in review by " + ", ".join(sorted({edit.by for edit in changes.values()})), "origin_id": example.id,
    }  # fmt: skip

"""Review in the browser: the rounds of a use case, what asks for my opinion, and the card: one question, one key a verdict.

Looking takes nothing: an item is taken by a form, and the page shows what one holds. The card carries what a
`Question` carries and nothing else, so that no page, header or address says whose answer is whose.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import HTMLResponse, Response

from whytune.errors import RefusedError
from whytune.web import paging, rendering
from whytune.web.frame import form, page
from whytune.web.handling import WebRequest, plain
from whytune.web.routes import review
from whytune.web.routes.review import room_asked
from whytune.workspace import asking, permissions, review_board
from whytune.workspace.reviewing import Question, Round

ROUNDS = 5
"""On one page."""
CARD, SETTLE = "/review/{id}", "/review/{id}/disputes"


def of_project(ask: WebRequest) -> Any:
    """The rounds of a use case: how far they are, how far people agree, what they proved; what a new one could be about."""
    project, wanted = ask.project, paging.asked(ask.query, ROUNDS)
    rounds, total = review_board.board(project, wanted.offset, wanted.per)
    held = project.latest_dataset is not None
    return {
        "project": project.name, "rounds": rounds, "page": wanted.of(total), "may": review_board.may_act(project),
        "openable": review_board.openable(project) if held else None, "plan": asking.Plan(), "titles": review_board.TITLES,
    }  # fmt: skip


def mine(ask: WebRequest) -> Any:
    """Every open round that asks for the opinion of whoever asks."""
    return {"rounds": review_board.asking(ask.workspace), "may": {"review": permissions.may(ask.workspace, "opinion.given")}}


def card(ask: WebRequest) -> Any:
    """The question one holds in a round; null where none is taken. Looking takes nothing."""
    return _card(ask, settle=False)


def dispute(ask: WebRequest) -> Any:
    """The item on which others differ that one holds, to decide it; null where none is taken."""
    return _card(ask, settle=True)


def _card(ask: WebRequest, *, settle: bool) -> dict[str, Any]:
    room = room_asked(ask)
    closed, barrier = room.closing is not None, review_board.why_not(room)
    free = not closed and not barrier
    question = room.held(settle=settle) if free else None
    told = {**_told(room, question, settle), "closed": closed, "why_not": barrier, "page_cli": f"whytune review {'adjudicate ' if settle else ''}{room.project.name}"}
    # What is left is counted between two questions only: each vote would else read everything that was ever said.
    if free and (settle or question is None):
        differ = review_board.to_settle(room)
        told |= {"to_settle": differ, "waiting": differ if settle else room.store.queues.waiting(room.queue.id, room.person)}
    if question is None:
        told["mine"] = len(room.store.queues.judged(room.queue.id, room.person))
    return told


def _told(room: Round, question: Question | None, settle: bool = False) -> dict[str, Any]:
    queue = room.queue
    return {
        "queue": queue.id, "project": room.project.name, "number": queue.number, "purpose": queue.purpose, "title": review_board.TITLES[queue.purpose],
        "settle": settle, "closed": False, "why_not": "", "question": question, "waiting": None, "to_settle": None, "mine": None,
        "page_cli": f"whytune review {'adjudicate ' if settle else ''}{room.project.name}",
    }  # fmt: skip


def ahead(ask: WebRequest) -> Response:
    """The card after the one that is shown, for a page that shows it without waiting; empty where there is none to be had."""
    room = room_asked(ask)
    question = review.foreseen(ask)["question"]
    if question is None:
        return Response(status_code=204)
    return HTMLResponse(rendering.render("review_card.html.j2", plain(_told(room, question)), ask, rendering.Head("Review")))


def stopped(ask: WebRequest) -> Any:
    """Give back what one holds, the next one too."""
    given = review.released(ask)
    room = room_asked(ask)
    while question := room.held():
        room.release(question.token)
    return given


def answered(ask: WebRequest) -> Any:
    """Keep an opinion, and take the next question."""
    return _then(ask, review.said, settle=False)


def decided(ask: WebRequest) -> Any:
    """Keep a decision, and take the next item on which people differ."""
    return _then(ask, review.said, settle=True)


def passed(ask: WebRequest) -> Any:
    """Pass a question over, and take the next."""
    return _then(ask, review.skipped, settle=False)


def passed_dispute(ask: WebRequest) -> Any:
    """Leave an item to somebody else, and take the next on which people differ."""
    return _then(ask, review.skipped, settle=True)


def undecided(ask: WebRequest) -> Any:
    """Take the last decision back; gives the item again."""
    (client,) = ask.take(client_id=str)
    return {"question": room_asked(ask).undo(client, settle=True)}


def _then(ask: WebRequest, act: Any, *, settle: bool) -> Any:
    """Do it and take the next one, so that the page that follows has something to show."""
    room = room_asked(ask)
    try:
        given = act(ask)
    except RefusedError as error:
        # The terminal's advice is of no use here; what was typed stands below it, on the same page.
        raise RefusedError(error.what, where=error.where, problems=error.problems, next=f"Go on with the next question at {ask.request.url.path.rpartition('/')[0]}") from error
    following = room.take_dispute() if settle else room.take()
    return {**given, "next": following is not None}


def _kept(_: WebRequest, given: Any) -> str:
    return "Kept." if given["next"] else "Kept. There is nothing more for you in this round now."


def _over(_: WebRequest, given: Any) -> str:
    return "Passed over." if given["next"] else "Passed over. There is nothing more for you in this round now."


def _back(_: WebRequest, given: Any) -> str:
    return "Your last answer is taken back, and asked again." if given["question"] else "There is nothing to take back."


def _taken(_: WebRequest, given: Any) -> str:
    return "" if given["question"] else "There is nothing for you in this round now."


def _opened(_: WebRequest, given: Any) -> str:
    return f"Round {given['number']} is open: {given['progress'].items:,} items."


def _closed(_: WebRequest, given: Any) -> str:
    return "The round is closed" + (": names are shown." if getattr(given["outcome"], "arms", ()) else ".")


def _to_project(ask: WebRequest, _: Any) -> str:
    return f"/projects/{room_asked(ask).project.name}/review"


def _to_proposals(ask: WebRequest, _: Any) -> str:
    return f"/projects/{room_asked(ask).project.name}/data/proposals"


routes = [
    *page("/projects/{name}/review", of_project, "review.html.j2", title="Review", tab="review", cli="whytune review status {name}"),
    *form("/projects/{name}/review", review.opened, back="/projects/{name}/review", said=_opened),
    *page("/review", mine, "review_mine.html.j2", title="Review", cli="whytune review PROJECT"),
    *page(CARD, card, "review_card.html.j2", title="Review", cli="whytune review PROJECT"),
    *page(SETTLE, dispute, "review_card.html.j2", title="Decide where people differ", cli="whytune review adjudicate PROJECT"),
    *form(f"{CARD}/take", review.claimed, back=CARD, said=_taken),
    *form(f"{CARD}/ahead", ahead, back=CARD),
    *form(f"{CARD}/answer", answered, back=CARD, said=_kept),
    *form(f"{CARD}/skip", passed, back=CARD, said=_over),
    *form(f"{CARD}/undo", review.undone, back=CARD, said=_back),
    *form(f"{CARD}/release", stopped, back="/review", said="Given back. What you judged is kept."),
    *form(f"{CARD}/close", review.closed, back=_to_project, said=_closed),
    *form(f"{CARD}/corrections", review.proposed, back=_to_proposals, said="Proposed. Somebody else accepts them into the next version."),
    *form(f"{SETTLE}/take", review.disputed, back=SETTLE, said=_taken),
    *form(f"{SETTLE}/answer", decided, back=SETTLE, said=_kept),
    *form(f"{SETTLE}/skip", passed_dispute, back=SETTLE, said=_over),
    *form(f"{SETTLE}/undo", undecided, back=SETTLE, said=_back),
]

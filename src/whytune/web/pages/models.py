"""A model as those see it who ask it: what it is for, a box to try it, code that calls it, its limits, a way to say what was wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Generator
from typing import Any, Literal, cast
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from whytune.errors import UsageError, WhytuneError
from whytune.web import rendering
from whytune.web.frame import form, page
from whytune.web.handling import WebRequest, plain, route
from whytune.web.pages.registry import line
from whytune.web.rendering import Head
from whytune.web.showing import plain_text
from whytune.workspace import consumers, endpoints, pedigree, registering, releasing, trying
from whytune.workspace.feedback import Said
from whytune.workspace.permissions import may
from whytune.workspace.trying import Attempt, Tried

PLACE = "http://127.0.0.1:8000/v1"
"""Where an endpoint listens unless it is told otherwise."""
TEMPLATE, HEAD = "model.html.j2", Head("Model", cli="whytune release show {alias}")


def model(ask: WebRequest) -> Any:
    """What is live under this alias: what it is for, what was measured, its limits, where and how to ask it."""
    return {**_about(ask), "tried": None}


def tried(ask: WebRequest) -> Any:
    """Put one question to it, through a running endpoint, as an application would."""
    text, keep = ask.take(question=str, keep_=bool)
    answer = trying.ask(ask.workspace, Attempt(ask.path["alias"], text, keep))
    if not ask.form:
        return answer
    # Shown at once and not behind a redirect: what was asked and said is kept nowhere unless the person agreed.
    return rendering.html(_page_of(ask, answer))


def streamed(ask: WebRequest) -> StreamingResponse:
    """The same as server-sent events: `piece` with some more text, then `done` with the page as it would be, or `failed`. Leaving ends the work."""
    text, keep = ask.take(question=str, keep_=bool)
    going = trying.stream(ask.workspace, Attempt(ask.path["alias"], text, keep))
    return StreamingResponse(_flow(ask, going, next(going)), media_type="text/event-stream", headers={"cache-control": "no-store", "x-accel-buffering": "no"})


async def _flow(ask: WebRequest, going: Generator[str | Tried], told: str | Tried) -> AsyncIterator[str]:
    try:
        while isinstance(told, str):
            yield _event("piece", plain_text(told))
            told = await run_in_threadpool(next, going)
        yield _event("done", await run_in_threadpool(_page_of, ask, told))
    except WhytuneError as error:  # the answer has begun: only an event can still say that it ends here
        yield _event("failed", plain_text(f"{error.what}. {error.next}"))
    finally:
        going.close()


def _event(name: str, text: str) -> str:
    return f"event: {name}\ndata: {json.dumps(text)}\n\n"


def _page_of(ask: WebRequest, answer: Tried) -> str:
    return rendering.render(TEMPLATE, plain({**_about(ask), "tried": answer}), ask, HEAD)


def rated(ask: WebRequest) -> Any:
    """Say how good one's own answer was."""
    response, rating, correction, comment, question, consent = ask.take(response=str, rating=str, correction_=str, comment_=str, question_=str, consent_=bool)
    if rating not in ("up", "down"):
        raise UsageError(f"rating: {rating[:20]!r}", next="say up or down")
    said = Said(response, cast(Literal["up", "down"], rating), consent, correction, comment, question)
    return trying.rate(ask.workspace, ask.path["alias"], said)


def _about(ask: WebRequest) -> dict[str, Any]:
    name, room = ask.path["alias"], ask.workspace
    release = releasing.live(room, name)
    running = endpoints.serving(room, name)
    listed = next(each for each in registering.listed(room, release.project) if each.release.id == release.id)
    address = running.address if running else PLACE
    return {
        "alias": name, "release": line(listed), "card": pedigree.card(room, release), "endpoint": running, "address": address,
        "asks_key": room.store.traffic.any_key(), "curl": _curl(address, name), "python": _python(address, name),
        "limits": {"per_minute": consumers.TRY_RATE, "daily_tokens": consumers.TRY_TOKENS, "characters": trying.LONGEST}, "may": {"try": may(room, "model.tried")},
    }  # fmt: skip


def _curl(address: str, name: str) -> str:
    return (
        f'curl {address}/chat/completions \\\n  -H "Authorization: Bearer $WHYTUNE_KEY" -H "Content-Type: application/json" \\\n'
        f'  -d \'{{"model": "{name}", "messages": [{{"role": "user", "content": "Your question"}}]}}\''
    )


def _python(address: str, name: str) -> str:
    return (
        "import os\n\nfrom openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{address}", api_key=os.environ["WHYTUNE_KEY"])\n'
        f'answer = client.chat.completions.create(model="{name}", messages=[{{"role": "user", "content": "Your question"}}])\n'
        "print(answer.choices[0].message.content)\nprint(answer.id)  # feedback refers to the answer by this id"
    )


def _back(ask: WebRequest, _: Any) -> str:
    return f"/models/{quote(ask.path['alias'])}"


routes = [
    *page("/models/{alias:path}", model, TEMPLATE, title=HEAD.title, cli=HEAD.cli),
    *form("/models/try/{alias:path}", tried, back="/models"),
    *form("/models/stream/{alias:path}", streamed, back="/models"),
    *form("/models/feedback/{alias:path}", rated, back=_back, said="Thank you. It is in the inbox; somebody looks at it."),
    route("POST", "/api/v1/models/try/{alias:path}", tried),
    route("POST", "/api/v1/models/feedback/{alias:path}", rated, 201),
]

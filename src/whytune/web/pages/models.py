"""A model as those see it who ask it: what it is for, a box to try it, code that calls it, its limits, a way to say what was wrong."""

from __future__ import annotations

from typing import Any, Literal, cast
from urllib.parse import quote

from whytune.errors import UsageError
from whytune.web import rendering
from whytune.web.frame import form, page
from whytune.web.handling import WebRequest, plain, route
from whytune.web.pages.registry import line
from whytune.web.rendering import Head
from whytune.workspace import consumers, endpoints, pedigree, registering, releasing, trying
from whytune.workspace.feedback import Said
from whytune.workspace.permissions import may
from whytune.workspace.trying import Attempt

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
    text = rendering.render(TEMPLATE, plain({**_about(ask), "tried": answer}), ask, HEAD)
    return rendering.html(text)


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
    *form("/models/feedback/{alias:path}", rated, back=_back, said="Thank you. It is in the inbox; somebody looks at it."),
    route("POST", "/api/v1/models/try/{alias:path}", tried),
    route("POST", "/api/v1/models/feedback/{alias:path}", rated, 201),
]

"""The HTTP application: routes, and what every request goes through.

    /v1/chat/completions  /v1/completions  /v1/embeddings  /v1/models  /v1/feedback  /healthz  /readyz  /metrics

It answers no CORS preflight, so a foreign web page cannot use it. Nothing of what is asked or said is logged.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from whytune.errors import NotFoundError
from whytune.serve import asking, bodies, metrics
from whytune.serve.door import Door, DoorLimits
from whytune.serve.protocol import embedding_call, feedback_call
from whytune.serve.refusals import Refusal, of_any
from whytune.workspace import feedback as inbox
from whytune.workspace.serving import EMBEDDER, Gateway


def make_app(gateway: Gateway, limits: DoorLimits = DoorLimits(), beside: AbstractContextManager[None] = nullcontext()) -> ASGIApp:
    """The application over a gateway, which it closes when it ends. beside: is entered for as long as it answers."""
    door = Door(gateway, limits)

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        # Here and not around the server: what ends the server by a signal ends the process before anything around it runs.
        with beside:
            yield
        await asyncio.to_thread(door.close)

    asks = asking.routes(door)
    routes = [
        *(Route(path, ask, methods=["POST"]) for path, ask in asks.items()),
        Route("/v1/embeddings", embeddings, methods=["POST"]),
        Route("/v1/models", models, methods=["GET"]),
        Route("/v1/models/{name:path}", model, methods=["GET"]),
        Route("/v1/feedback", feedback, methods=["POST"]),
        Route("/healthz", health, methods=["GET"]),
        Route("/readyz", ready, methods=["GET"]),
        Route("/metrics", counters, methods=["GET"]),
    ]
    handlers = {Refusal: _told, HTTPException: _unknown, Exception: _told}
    app = Starlette(routes=routes, lifespan=life, exception_handlers=handlers)  # type: ignore[arg-type]
    app.state.door = door
    return _Front(app, asks, door)


async def embeddings(request: Request) -> Response:
    """POST /v1/embeddings."""
    door: Door = request.app.state.door
    body = await door.body(request)

    def work() -> Response:
        key = door.enter(request, "embeddings")
        call = embedding_call(body)
        if call.model != EMBEDDER:
            raise NotFoundError(f"There is no embedding model {call.model!r}", next=f"use {EMBEDDER}")
        made = door.gateway.embed(call.texts, key)
        return JSONResponse(bodies.embeddings(EMBEDDER, made.vectors, made.tokens, call.packed))

    return await door.run(work)


async def models(request: Request) -> Response:
    """GET /v1/models."""
    door: Door = request.app.state.door
    key = await door.run(door.enter, request, "models")
    data = [bodies.model(served) for served in await door.run(door.gateway.models, key)]
    if "embeddings" in key.scopes:
        data.append({"id": EMBEDDER, "object": "model", "created": 0, "owned_by": "whytune"})
    return JSONResponse({"object": "list", "data": data})


async def model(request: Request) -> Response:
    """GET /v1/models/NAME."""
    door: Door = request.app.state.door
    name = request.path_params["name"]
    key = await door.run(door.enter, request, "models")
    for served in await door.run(door.gateway.models, key):
        if name in (served.name, served.release):
            return JSONResponse(bodies.model(served))
    raise Refusal(404, "model_not_found", f"There is no model {name!r} for this key.", param="model")


async def feedback(request: Request) -> Response:
    """POST /v1/feedback."""
    door: Door = request.app.state.door
    body = await door.body(request)

    def work() -> Response:
        key = door.enter(request, "feedback")
        held = inbox.receive(door.gateway.workspace, key, feedback_call(body))
        return JSONResponse({"id": held.id, "object": "feedback", "response_id": held.response, "state": held.state, "consent": held.consent}, 201)

    return await door.run(work)


async def health(_: Request) -> Response:
    """GET /healthz: the process answers."""
    return PlainTextResponse("ok\n")


async def ready(request: Request) -> Response:
    """GET /readyz: every alias stands for a release that is loaded and verified."""
    door: Door = request.app.state.door
    problems = await door.run(door.gateway.problems)
    words = f"{len(problems)} of {len(door.gateway.aliases)} aliases cannot be served; `whytune serve` says why in its log\n"
    return PlainTextResponse(words if problems else "ready\n", 503 if problems else 200)


async def counters(request: Request) -> Response:
    """GET /metrics."""
    door: Door = request.app.state.door
    await door.run(door.enter, request, "metrics")
    return Response(door.metrics.text(), media_type=metrics.MEDIA_TYPE)


async def _told(_: Request, error: Exception) -> Response:
    return of_any(error).response()


async def _unknown(request: Request, error: HTTPException) -> Response:
    codes = {404: ("unknown_url", f"There is no {request.url.path} here."), 405: ("method_not_allowed", f"{request.method} is not taken here.")}
    code, words = codes.get(error.status_code, ("failed", str(error.detail)))
    return Refusal(error.status_code, code, words, headers=error.headers).response()


class _Front:
    """Counts and times every request; turns away what is too much at once. `asks`: what asks a model, by path."""

    def __init__(self, app: ASGIApp, asks: Mapping[str, ASGIApp], door: Door) -> None:
        self._app, self._asks, self._door = app, asks, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        counted, begun, status = self._door.metrics, time.perf_counter(), 499
        asks = scope["method"] == "POST"

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-content-type-options", b"nosniff")]
            await send(message)

        if asks and counted.under_way >= self._door.limits.at_once:
            busy = Refusal(503, "overloaded", "Too much is asked at once. Ask again.", headers={"retry-after": "1", "connection": "close"})
            await busy.response()(scope, receive, watched)
            counted.request("turned away", status, time.perf_counter() - begun)
            return
        counted.under_way += asks
        try:
            await (self._asks.get(scope["path"], self._app) if asks else self._app)(scope, receive, watched)
        finally:
            counted.under_way -= asks
            seconds = time.perf_counter() - begun
            counted.request(_route(scope["path"]), status, seconds)
            if asking.WITH_MODEL in scope:
                counted.overhead(seconds - scope[asking.WITH_MODEL])


def _route(path: str) -> str:
    """What is counted together: never a path that somebody made up."""
    if path.startswith("/v1/models"):
        return "/v1/models"
    known = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/feedback", "/healthz", "/readyz", "/metrics")
    return path if path in known else "unknown"

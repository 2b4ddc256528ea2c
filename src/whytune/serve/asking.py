"""The two routes that ask a model: /v1/chat/completions and /v1/completions, whole or as server-sent events.

Whoever leaves, or waits too long, ends the work at the model's next token. An answer's last byte is sent when the answer
is recorded, never before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from whytune.errors import WhytuneError
from whytune.serve import bodies
from whytune.serve.door import Door
from whytune.serve.protocol import Call, chat_call, completion_call
from whytune.serve.refusals import Refusal, of_any, of_error
from whytune.serve.stops import Stopper
from whytune.serve.under_way import UnderWay

if TYPE_CHECKING:
    from whytune.answering.backends.protocol import Completion
    from whytune.records import served
    from whytune.records.served import ConsumerKey
    from whytune.serve.bodies import HandedOut

Parse = Callable[[Any, str], Call]
WITH_MODEL = "whytune.with_model"
"""Seconds for which a model had the questions of a request; stands in its scope once it is answered whole."""


def route(door: Door, scope: str, parse: Parse) -> ASGIApp:
    """A route that asks, as an application of its own: the framework's layers around it would take a tenth of its time."""

    async def ask(connection: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await _answer(door, Request(connection, receive), scope, parse)
        except Exception as error:
            response = of_any(error).response()
        await response(connection, receive, send)

    return ask


def routes(door: Door) -> dict[str, ASGIApp]:
    """POST /v1/chat/completions and /v1/completions."""
    return {"/v1/chat/completions": route(door, "chat", chat_call), "/v1/completions": route(door, "completions", completion_call)}


async def _answer(door: Door, request: Request, scope: str, parse: Parse) -> Response:
    body = await door.body(request)
    conversation = request.headers.get("x-whytune-conversation", "")

    def read() -> tuple[Call, ConsumerKey]:
        key = door.enter(request, scope)
        return parse(body, conversation), key

    asked = UnderWay(door)
    door.later(lambda: asked.begin(read))
    left = asyncio.create_task(_left(request, asked))
    try:
        async with asyncio.timeout(door.limits.seconds):
            call, answers = await asked.over
            if not call.stream:
                reply = _reply(call, answers, scope)  # while they are being recorded
                await asked.kept
    except TimeoutError:
        asked.give_up("timeout")
        raise _too_slow(door) from None
    except (Refusal, asyncio.CancelledError):
        asked.give_up("cancelled")
        raise
    except Exception as error:
        asked.give_up("error")
        raise of_any(error) from error
    finally:
        left.cancel()
    if call.stream:
        return await _Stream(door, call, asked, scope).response()
    for answer in answers:
        door.count(answer.ended)
    request.scope[WITH_MODEL] = asked.with_model
    return reply


def _reply(call: Call, answers: Sequence[HandedOut], scope: str) -> Response:
    """The whole answer, or why there is none."""
    wrong = next((answer.said for answer in answers if answer.said.error), None)
    if wrong is not None:
        return _unanswered(wrong).response()
    made = bodies.chat(answers[0], call.ignored) if scope == "chat" else bodies.completion(answers, call.ignored)
    return JSONResponse(made, headers=bodies.headers(answers[0].going))


async def _left(request: Request, asked: UnderWay) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue
    asked.leave()


class _Stream:
    """One answer as it comes."""

    def __init__(self, door: Door, call: Call, asked: UnderWay, scope: str) -> None:
        self._door, self._call, self._going, self._pieces = door, call, asked.begun[0], asked.pieces
        self._chunks = bodies.Chunks(self._going, scope)
        self._stopper = Stopper(self._going.ask.stop)
        self._until = asyncio.get_running_loop().time() + door.limits.seconds
        self._over = False

    async def response(self) -> Response:
        """Begins when there is something to say: what fails before that is an ordinary error."""
        try:
            first = await self._next()
            if first is None:
                self._result()
        except BaseException:
            self._give_up("cancelled")
            raise
        return StreamingResponse(self._events(first), media_type="text/event-stream", headers={**bodies.headers(self._going), "cache-control": "no-store"})

    async def _next(self) -> str | None:
        try:
            async with asyncio.timeout_at(self._until):
                return await self._pieces.get()
        except TimeoutError:
            self._give_up("timeout")
            raise _too_slow(self._door) from None

    async def _events(self, piece: str | None) -> AsyncIterator[str]:
        try:
            if head := self._chunks.first():
                yield head
            while piece is not None:
                if text := self._stopper.feed(piece):
                    yield self._chunks.piece(text)
                if self._stopper.found:
                    break
                piece = await self._next()
            if not self._stopper.found and (text := self._stopper.rest(self._result().text)):
                yield self._chunks.piece(text)
            yield self._chunks.last(self._going, await self._end(), self._call.ignored, self._call.usage)
        except Refusal as refusal:
            yield bodies.error_event(refusal.body)
        except Exception as error:  # the answer has begun: only an event can still say that it ends here
            self._give_up("error")
            yield bodies.error_event(of_any(error).body)
        finally:
            self._give_up("cancelled")

    def _result(self) -> Completion:
        """The whole answer. Raises Refusal where it failed; then it is recorded as that."""
        try:
            said = self._going.answer.result()
        except Exception as error:
            self._give_up("error")
            raise of_any(error) from error
        if said.error:
            self._over = True
            ended = self._door.gateway.end(self._going, said)
            self._door.count(ended.response)
            raise _unanswered(said)
        return said

    async def _end(self) -> served.Response:
        gateway = self._door.gateway
        if self._stopper.found and not self._going.answer.done():
            ended = await self._door.run(gateway.drop, self._going, "stop", text=self._stopper.said)
        else:
            ended = gateway.end(self._going, self._going.answer.result(), text=self._stopper.said if self._stopper.found else None)
        self._over = True
        self._door.count(ended.response)
        await _written(ended.written)
        return ended.response

    def _give_up(self, outcome: str) -> None:
        if not self._over:
            self._over = True
            self._door.drop(self._going, outcome)


async def _written(written: Future[None]) -> None:
    try:
        await asyncio.wrap_future(written)
    except WhytuneError as error:
        raise of_error(error) from error


def _too_slow(door: Door) -> Refusal:
    return Refusal(504, "timeout", f"No answer within {door.limits.seconds:g} s. Ask for fewer tokens, or when less is going on.")


def _unanswered(said: Completion) -> Refusal:
    if said.error.startswith("too long"):
        return Refusal(400, "context_length_exceeded", f"The question is {said.error}.", param="messages")
    if "memory" in said.error:
        return Refusal(503, "overloaded", "Too much is asked at once. Ask again.", headers={"retry-after": "2"})
    return Refusal(400, "not_answered", f"There is no answer: {said.error}.")

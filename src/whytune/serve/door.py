"""Who may come in, and how much of it: keys, scopes, requests a minute, tokens a day, how many at once, how large.

Without any key in the workspace the door is open to this machine alone: the name in the request's Host must then be a
loopback name, so that a web page cannot reach it through a name of its own.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from starlette.requests import ClientDisconnect, Request

from whytune.errors import WhytuneError
from whytune.records.served import ConsumerKey, Response
from whytune.serve.metrics import Metrics
from whytune.serve.refusals import Refusal, client_left, of_error, tell_operator
from whytune.workspace.serving import LOCAL, Gateway, Going

P = ParamSpec("P")
T = TypeVar("T")
MINUTE = 60.0
NEAR = ("127.0.0.1", "localhost", "[::1]", "::1")


@dataclass(frozen=True)
class DoorLimits:
    """What the door bears. seconds: for one answer, and for a body to arrive; at_once: questions under way together."""

    body: int = 1 << 20
    seconds: float = 120.0
    at_once: int = 256


class Door:
    """One gateway's door."""

    def __init__(self, gateway: Gateway, limits: DoorLimits = DoorLimits()) -> None:
        self.gateway = gateway
        self.limits = limits
        self.metrics = Metrics()
        self._threads = ThreadPoolExecutor(16, thread_name_prefix="whytune-door")
        self._lock = threading.Lock()
        self._asked: dict[str, deque[float]] = {}

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something that blocks for a moment. Errors of ours come out as refusals."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(*args, **kwargs))
        except WhytuneError as error:
            raise of_error(error) from error

    def later(self, work: Callable[[], Any]) -> None:
        """Do something that nobody waits for; if it fails, the operator is told."""

        def job() -> None:
            try:
                work()
            except Exception as error:  # nobody is there to be told
                tell_operator(error)

        self._threads.submit(job)

    def drop(self, going: Going, outcome: str) -> None:
        """Give a question up: the model stops at its next token, what it took is counted. Call on the event loop."""
        going.answer.cancel()

        def record() -> None:
            self.gateway.drop(going, outcome).written.result()

        self.later(record)
        self.metrics.answer(going.response.release, outcome, 0, going.pieces)

    def count(self, ended: Response) -> None:
        """Count an answer that was recorded. Call on the event loop."""
        self.metrics.answer(ended.release, ended.outcome, ended.tokens_in, ended.tokens_out)

    def close(self) -> None:
        """Finish what is under way."""
        self._threads.shutdown(wait=True)
        self.gateway.close()

    async def body(self, request: Request) -> Any:
        """The JSON of a request. Raises Refusal."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            # Anything else could be sent by a form on a foreign web page.
            raise Refusal(415, "unsupported_media_type", "Send application/json.")
        try:
            async with asyncio.timeout(self.limits.seconds):
                held = bytearray()
                async for part in request.stream():
                    held += part
                    if len(held) > self.limits.body:
                        raise Refusal(413, "body_too_large", f"The body is larger than {self.limits.body:,} bytes.", headers={"connection": "close"})
        except TimeoutError:
            raise Refusal(408, "timeout", "The body did not arrive in time.", headers={"connection": "close"}) from None
        except ClientDisconnect:
            raise client_left() from None
        try:
            return json.loads(held)
        except (ValueError, RecursionError):
            raise Refusal(400, "invalid_json", "The body is not JSON.") from None

    def enter(self, request: Request, scope: str) -> ConsumerKey:
        """Who asks. Blocks for a moment. Raises Refusal: unknown, not permitted, too often, too much."""
        key = self.asker(request)
        if scope not in key.scopes:
            raise Refusal(403, "scope_missing", f"This key does not have the scope {scope!r}. Ask the operator for one that does.")
        self._often(key)
        if key.daily_tokens and self.gateway.spent_today(key) >= key.daily_tokens:
            raise Refusal(
                429, "insufficient_quota", f"The {key.daily_tokens:,} tokens of this key for today are used. They come back at midnight, UTC.",
                headers={"retry-after": str(_until_midnight())},
            )
        return key

    def asker(self, request: Request) -> ConsumerKey:
        """The key that a request brings."""
        if self.gateway.open:
            host = request.headers.get("host", "").lower()
            name = host if host.endswith("]") else host.rpartition(":")[0] or host
            if name not in NEAR:
                raise Refusal(403, "foreign_host", "Without keys this service answers this machine only, by a loopback name.")
            return LOCAL
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        key = self.gateway.key(secret.strip()) if kind.lower() == "bearer" and secret.strip() else None
        if key is None:
            raise Refusal(
                401, "invalid_api_key", "No valid key: send Authorization: Bearer KEY. Keys end, and can be taken back.",
                headers={"www-authenticate": "Bearer"},
            )
        return key

    def _often(self, key: ConsumerKey) -> None:
        """At most so many requests in any sixty seconds."""
        if not key.per_minute:
            return
        now = time.monotonic()
        with self._lock:
            asked = self._asked.setdefault(key.key, deque())
            while asked and asked[0] <= now - MINUTE:
                asked.popleft()
            if len(asked) >= key.per_minute:
                wait = max(1, round(asked[0] + MINUTE - now + 0.5))
                raise Refusal(
                    429, "rate_limit_exceeded", f"This key may ask {key.per_minute} times a minute. Ask again in {wait} s.", headers={"retry-after": str(wait)}
                )
            asked.append(now)


def _until_midnight() -> int:
    return 86_400 - int(time.time()) % 86_400

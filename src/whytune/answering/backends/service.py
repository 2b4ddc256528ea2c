"""One service that speaks the OpenAI protocol: its address and key, and how a request is sent, retried and read.

It says what went wrong as a `Failure`, with who is to blame: this request, or the service. The key is read from the
environment when a request is sent; it is kept nowhere and taken out of every message. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import random
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import httpx

from whytune.answering.backends.failures import (
    Failure,
    Stopped,
    failure_of_answer,
    failure_of_connection,
    failure_of_error,
    nonsense,
    objects_in,
)
from whytune.answering.backends.sse import Events
from whytune.answering.backends.throttle import Throttle
from whytune.errors import SettingsError, UnavailableError

LARGEST = 32 * 1024 * 1024
"""Bytes of a whole answer."""
DRIPPING = 10
"""Times the timeout that a whole answer may take when bytes keep coming."""
T = TypeVar("T")


@dataclass(frozen=True)
class Terms:
    """How a service is treated."""

    retries: int = 5
    """Tries after the first, for what may pass: too many requests, a failing or silent service."""
    backoff: float = 0.5
    """Seconds before the second try; each further wait is twice as long, less up to half of it by chance."""
    patience: float = 120.0
    """Longest single wait, in seconds; a service that asks for a longer one is called unavailable."""
    per_minute: int = 0
    """Most requests a minute; 0 for no limit of ours."""
    stream: bool = False
    """Ask for the answer piece by piece: then `timeout` is the longest silence instead of the whole answer's time."""
    schema: bool = True
    """Send label sets and JSON schemas as `response_format`; given up when the service refuses it."""
    context: int = 8192
    """Longest prompt and answer together, in tokens."""


@dataclass
class Run:
    """What requests sent together know of one another."""

    throttle: Throttle
    answered: int = 0
    failure: Failure | None = None

    def fail(self, failure: Failure) -> None:
        """The service as a whole is to blame: nothing new starts, what is under way may end."""
        self.failure = self.failure or failure
        self.throttle.stop.set()


@dataclass
class Reply:
    """What came back: one object, or the pieces of a stream. ended: it was not cut off."""

    objects: list[dict[str, Any]] = field(default_factory=list)
    streamed: bool = False
    ended: bool = False


class Service:
    """Raises SettingsError when address, key or limits cannot be; nothing is sent before `ask`."""

    def __init__(self, url: str, key_env: str, terms: Terms, concurrency: int, timeout: float) -> None:
        self.url = url.strip().removesuffix("/").removesuffix("/chat/completions").removesuffix("/embeddings")
        self.key_env = key_env
        self.terms = terms
        self.concurrency = concurrency
        self.timeout = timeout
        problems = [*_address_problems(self.url), *self._key_problems()]
        problems += [f"concurrency is {concurrency}: at least 1"] if concurrency < 1 else []
        problems += [f"timeout is {timeout}: more than 0 seconds"] if not timeout > 0 else []
        if problems:
            raise SettingsError(
                "The endpoint cannot be used as it is set",
                problems=problems,
                next="give an address such as http://localhost:8000/v1 and the name of the variable that holds the key",
            )
        self._parts = urlsplit(self.url)
        self.host = self._parts.hostname or ""

    @property
    def local(self) -> bool:
        """Whether the address is this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost" or self.host.endswith(".localhost")

    @property
    def notices(self) -> tuple[str, ...]:
        """What its user should be told before anything is sent."""
        if self.local:
            return ()
        said = [f"Prompts leave this machine: they are sent to {self.host}."]
        if self._parts.scheme == "http":
            said.append(
                f"They{' and the key' if self.key_env else ''} travel unencrypted: the address begins with http://."
            )
        return tuple(said)

    def address(self, path: str) -> str:
        """The address of one resource; a query in the base address stays."""
        return urlunsplit(self._parts._replace(path=self._parts.path.rstrip("/") + path))

    def client(self) -> httpx.AsyncClient:
        """A new client; use it in one event loop and close it."""
        headers = {"Authorization": f"Bearer {self._key()}"} if self.key_env else {}
        silence = httpx.Timeout(self.timeout, connect=min(self.timeout, 10.0), pool=None)
        limits = httpx.Limits(max_connections=self.concurrency, max_keepalive_connections=self.concurrency)
        # A proxy of the company is for other machines; what runs on this one is reached directly.
        # Reading all certificates takes a tenth of a second; without https there is nothing to verify.
        verify = self._parts.scheme == "https"
        return httpx.AsyncClient(
            headers=headers, timeout=silence, limits=limits, trust_env=not self.local, verify=verify
        )

    def run(self) -> Run:
        """What the requests of one call share."""
        return Run(Throttle(self.concurrency, self.terms.per_minute))

    async def ask(
        self,
        client: httpx.AsyncClient,
        run: Run,
        path: str,
        payload: dict[str, Any] | None,
        read: Callable[[Reply], T],
    ) -> T:
        """Send, retry, read. payload None is a GET. Raises Failure when it is of no use to go on, Stopped when all stops."""
        answered = run.answered
        for attempt in range(self.terms.retries + 1):
            async with run.throttle.slot() as began:
                if run.throttle.stop.is_set():
                    raise Stopped
                try:
                    result = read(await self._once(client, path, payload))
                except Failure as failure:
                    raised = failure
                else:
                    run.answered += 1
                    run.throttle.went_well()
                    return result
                wait = raised.wait if raised.wait is not None else self._backoff(attempt)
                if raised.busy:
                    run.throttle.slow_down(began, wait if raised.wait is not None else 0.0)
            raised.tries = attempt + 1
            raised.alone = run.answered > answered
            # Nobody is there: one more try is enough, unless somebody was there a moment ago.
            hopeless = raised.unreached and attempt >= 1 and not run.answered
            if not raised.retry or attempt == self.terms.retries or hopeless or wait > self.terms.patience:
                raise raised
            await run.throttle.pause(wait)
            if run.throttle.stop.is_set():
                raise raised
        raise AssertionError("the last try returns or raises")

    def unavailable(self, failure: Failure) -> UnavailableError:
        """The error a user sees."""
        tried = f" after {failure.tries} tries" if failure.tries > 1 else ""
        return UnavailableError(f"{failure.what}{tried}", where=self.url, next=failure.next)

    def _backoff(self, attempt: int) -> float:
        return float(min(self.terms.patience, self.terms.backoff * 2**attempt) * random.uniform(0.5, 1.0))

    async def _once(self, client: httpx.AsyncClient, path: str, payload: dict[str, Any] | None) -> Reply:
        method = "GET" if payload is None else "POST"
        try:
            # A service that sends a byte now and then is not silent, yet it may not take for ever.
            async with asyncio.timeout(DRIPPING * self.timeout):
                async with client.stream(method, self.address(path), json=payload) as response:
                    if response.status_code != 200:
                        body = await _body(response)
                        raise failure_of_answer(
                            response.status_code, response.headers, self._scrub(body), self.key_env
                        )
                    if response.headers.get("content-type", "").startswith("text/event-stream"):
                        return await self._events(response)
                    return Reply(objects_in([self._scrub(await _body(response))]), ended=True)
        except TimeoutError:
            raise Failure(
                f"The endpoint took longer than {DRIPPING * self.timeout:g} seconds", retry=True
            ) from None
        except httpx.HTTPError as error:
            raise failure_of_connection(error, self.host, self.timeout) from error

    async def _events(self, response: httpx.Response) -> Reply:
        reply, events = Reply(streamed=True), Events()
        try:
            async for chunk in response.aiter_bytes():
                if self._pieces(reply, events.feed(chunk)):
                    return reply
            self._pieces(reply, events.close())
        except ValueError as error:
            raise nonsense(f"a stream that cannot be read ({error.__class__.__name__})") from error
        return reply

    def _pieces(self, reply: Reply, data: list[str]) -> bool:
        """Whether the stream says that it is over."""
        for piece in data:
            if piece.strip() == "[DONE]":
                reply.ended = True
                return True
            for found in objects_in([self._scrub(piece)]):
                if found.get("error"):
                    raise failure_of_error(found, self.key_env)
                reply.objects.append(found)
        return False

    def _key(self) -> str:
        return os.environ.get(self.key_env, "").strip() if self.key_env else ""

    def _scrub(self, text: str) -> str:
        key = self._key()
        return text.replace(key, "***") if len(key) >= 8 else text

    def _key_problems(self) -> list[str]:
        if not self.key_env:
            return []
        key = self._key()
        if not key:
            return [
                f"the environment variable {self.key_env} is not set, or empty: export {self.key_env}=..."
            ]
        if not key.isascii() or not key.isprintable():
            return [f"the environment variable {self.key_env} holds characters that no key has"]
        return []


async def _body(response: httpx.Response) -> str:
    parts, size = [], 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > LARGEST:
            raise nonsense(f"more than {LARGEST // 1024 // 1024} MiB")
        parts.append(chunk)
    try:
        return b"".join(parts).decode("utf-8")
    except UnicodeDecodeError as error:
        raise nonsense("bytes that are not UTF-8") from error


def _address_problems(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return [f"the address cannot be read: {error}"]
    if parts.username or parts.password:
        return ["the address holds a name or password: put the key into an environment variable instead"]
    if parts.scheme not in ("http", "https") or not host:
        return [f"the address {url!r} does not begin with http:// or https:// and a host"]
    return []


def in_background(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine in a thread of its own, so that it also works where an event loop runs already (a notebook)."""
    results: list[T] = []
    errors: list[BaseException] = []

    def main() -> None:
        try:
            results.append(asyncio.run(work()))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=main, name="whytune-endpoint", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]

"""Answers from any service that speaks the OpenAI chat protocol, many at a time.

An item that only itself is to blame for (too long, refused) becomes a Completion with an error and is counted; when the
service is to blame, UnavailableError is raised after every answer that did come was handed to `on_batch`. Nothing is sent
before `complete` or `models` is called. It trains nothing and knows no task.

    EndpointBackend("http://localhost:8000/v1", "qwen3-8b", key_env="MY_KEY").complete(chats, decoding, None, on_batch)
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import queue
import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from whytune.answering.backends.failures import Failure, Stopped
from whytune.answering.backends.protocol import Chat, Completion, Constraint, Labels, OnBatch
from whytune.answering.backends.replies import (
    Estimated,
    completion_of,
    label_schema,
    model_names,
    tokens_in_chat,
    without_answer,
)
from whytune.answering.backends.service import Reply, Run, Service, Terms, in_background
from whytune.records.candidate import Decoding
from whytune.records.content import TextPart

BATCH = 16
"""Answers that are handed over together, at most."""
LINGER = 0.5
"""Seconds that an answer waits for others before it is handed over."""
WRAPPING = 16
"""Tokens for the JSON around a label."""
ODD_BEFORE_ANY = 4
"""Requests that may fail on their own before any is answered; after that the service is to blame."""
ODD_SHARE = 0.05
"""Share of all requests that may fail on their own; more, and the service is to blame."""


@dataclass
class _Dialect:
    """What this service turned out not to understand; learnt from its refusals and kept."""

    schema: bool
    max_tokens: str = "max_tokens"
    temperature: bool = True
    usage: bool = True
    refused: list[str] = field(default_factory=list)

    def learn(self, odd: str, payload: dict[str, Any]) -> bool:
        """Whether the refusal names something that can be left out of this payload."""
        if "response_format" in payload and re.search(
            r"response_?format|json_?schema|structured|guided|grammar", odd, re.I
        ):
            self.schema = False
        elif "stream_options" in payload and "stream_options" in odd:
            self.usage = False
        elif "max_tokens" in payload and "max_completion_tokens" in odd:
            self.max_tokens = "max_completion_tokens"
        elif "temperature" in payload and "temperature" in odd:
            self.temperature = False
        else:
            return False
        self.refused.append(odd)
        return True


class EndpointBackend:
    """A Backend over HTTP. key_env names the environment variable that holds the key; '' where none is needed."""

    def __init__(
        self,
        url: str,
        model: str,
        key_env: str = "",
        concurrency: int = 8,
        timeout: float = 60.0,
        *,
        terms: Terms = Terms(),
    ) -> None:
        self.model = model
        self.estimated = 0
        """Completions so far whose token counts are estimates."""
        self._service = Service(url, key_env, terms, concurrency, timeout)
        self._dialect = _Dialect(schema=terms.schema)

    def __repr__(self) -> str:
        return f"EndpointBackend({self.url!r}, {self.model!r}, key_env={self._service.key_env!r})"

    @property
    def url(self) -> str:
        """The base address, without a slash at its end."""
        return self._service.url

    @property
    def context(self) -> int:
        """Longest prompt and answer together, in tokens, as the terms say."""
        return self._service.terms.context

    @property
    def notices(self) -> tuple[str, ...]:
        """What its user should be told before anything is sent: that prompts leave this machine, and how."""
        return self._service.notices

    @property
    def refused(self) -> tuple[str, ...]:
        """The service's words about what was left out since, such as `response_format`."""
        return tuple(self._dialect.refused)

    def count_tokens(self, chat: Chat) -> int:
        """An estimate: four characters a token, and four tokens around each message."""
        return tokens_in_chat(chat)

    def models(self) -> tuple[str, ...]:
        """Names of the models there are. Raises UnavailableError."""

        async def ask() -> tuple[str, ...]:
            async with self._service.client() as client:
                return await self._service.ask(client, self._service.run(), "/models", None, model_names)

        try:
            return in_background(ask)
        except Failure as failure:
            raise self._service.unavailable(failure) from failure

    def complete(
        self, chats: Sequence[Chat], decoding: Decoding, constraint: Constraint, on_batch: OnBatch
    ) -> None:
        """Answer every chat; on_batch is called here, in the caller's thread. Raises UnavailableError."""
        if chats:
            Exchange(self._service, self._dialect, self.model).hold(
                chats, decoding, constraint, self._counted(on_batch)
            )

    def _counted(self, on_batch: OnBatch) -> OnBatch:
        def count(batch: list[tuple[int, Completion]]) -> None:
            self.estimated += sum(isinstance(completion, Estimated) for _, completion in batch)
            on_batch(batch)

        return count


class Exchange:
    """One call of `complete`: requests in a thread with an event loop, answers handed over in the caller's."""

    def __init__(self, service: Service, dialect: _Dialect, model: str) -> None:
        self._service = service
        self._dialect = dialect
        self._model = model
        self._done: queue.SimpleQueue[tuple[int, Completion] | BaseException | None] = queue.SimpleQueue()
        self._ready: list[tuple[int, Completion]] = []

    def hold(
        self, chats: Sequence[Chat], decoding: Decoding, constraint: Constraint, on_batch: OnBatch
    ) -> None:
        """Send all, hand over as answers come."""
        loop = asyncio.new_event_loop()
        task = loop.create_task(self._all(chats, decoding, constraint))

        def main() -> None:
            try:
                with contextlib.suppress(asyncio.CancelledError):
                    loop.run_until_complete(task)
                self._done.put(None)
            except BaseException as error:
                self._done.put(error)
            finally:
                loop.run_until_complete(loop.shutdown_asyncgens())
                loop.close()

        thread = threading.Thread(target=main, name="whytune-endpoint", daemon=True)
        thread.start()
        try:
            for batch in self._batches():
                on_batch(batch)
        except KeyboardInterrupt:
            self._cancel(loop, task, thread)
            for batch in self._batches():  # what was paid for before the interruption
                on_batch(batch)
            raise
        except BaseException:
            self._cancel(loop, task, thread)
            raise
        thread.join()

    @staticmethod
    def _cancel(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None], thread: threading.Thread) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may be closed already
            loop.call_soon_threadsafe(task.cancel)
        thread.join()

    def _batches(self) -> Iterator[list[tuple[int, Completion]]]:
        """Batches until the end is reached; raises the error that ended it. May be begun again after an interruption."""
        handed, until = time.perf_counter(), math.inf
        while True:
            end: BaseException | None = None
            over = False
            with contextlib.suppress(queue.Empty):
                item = self._done.get(timeout=min(1.0, max(0.0, until - time.perf_counter())))
                if item is None or isinstance(item, BaseException):
                    over, end = True, item
                else:
                    self._ready.append(item)
                    until = min(until, time.perf_counter() + LINGER)
            now = time.perf_counter()
            if self._ready and (over or len(self._ready) >= BATCH or now >= until):
                share = (now - handed) / len(self._ready)
                batch = [(index, replace(completion, seconds=share)) for index, completion in self._ready]
                handed, until, self._ready = now, math.inf, []
                yield batch
            if end is not None:
                raise end
            if over:
                return

    async def _all(self, chats: Sequence[Chat], decoding: Decoding, constraint: Constraint) -> None:
        service = self._service
        run = service.run()
        odd: list[tuple[int, Failure]] = []
        waiting = iter(enumerate(chats))
        async with service.client() as client:

            async def work() -> None:
                for index, chat in waiting:
                    if run.throttle.stop.is_set():
                        return
                    try:
                        self._done.put((index, await self._one(client, run, chat, decoding, constraint)))
                    except Stopped:
                        return
                    except Failure as failure:
                        if failure.item:
                            self._done.put((index, without_answer(chat, failure)))
                        elif failure.whole or not (failure.alone or failure.odd):
                            run.fail(failure)
                        else:
                            odd.append((index, failure))
                            if not run.answered and len(odd) >= ODD_BEFORE_ANY:
                                run.fail(failure)

            # What is under way when the service fails may still end: its answer is paid for.
            async with asyncio.TaskGroup() as group:
                for _ in range(min(service.concurrency, len(chats))):
                    group.create_task(work())
            if odd and (not run.answered or len(odd) > max(ODD_BEFORE_ANY - 1, ODD_SHARE * len(chats))):
                run.fail(odd[0][1])
            if run.failure is None:
                for index, failure in odd:
                    self._done.put((index, without_answer(chats[index], failure)))
                return
            if run.failure.model_missing:
                run.failure.what += await self._names_there(client)
            raise service.unavailable(run.failure) from run.failure

    async def _one(
        self, client: Any, run: Run, chat: Chat, decoding: Decoding, constraint: Constraint
    ) -> Completion:
        if not all(isinstance(part, TextPart) for message in chat for part in message.parts):
            raise Failure("only text can be sent to an endpoint", item=True)
        while True:
            payload, wrapped = self._payload(chat, decoding, constraint)

            def read(reply: Reply, wrapped: bool = wrapped) -> Completion:
                return completion_of(reply, chat, wrapped)

            try:
                return await self._service.ask(client, run, "/chat/completions", payload, read)
            except Failure as failure:
                # Each lesson takes something out of the payload, so this ends.
                if not failure.odd or not self._dialect.learn(failure.odd, payload):
                    raise

    def _payload(self, chat: Chat, decoding: Decoding, constraint: Constraint) -> tuple[dict[str, Any], bool]:
        """The request, and whether a label comes wrapped in JSON."""
        dialect, terms = self._dialect, self._service.terms
        wrapped = dialect.schema and isinstance(constraint, Labels)
        payload: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": message.role, "content": message.text} for message in chat],
            dialect.max_tokens: decoding.max_new_tokens + (WRAPPING if wrapped else 0),
        }
        if dialect.temperature:
            payload["temperature"] = 0
        if dialect.schema and constraint is not None:
            schema = label_schema(constraint) if isinstance(constraint, Labels) else constraint
            payload["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": dict(schema.schema)},
            }
        if terms.stream:
            payload["stream"] = True
            if dialect.usage:
                payload["stream_options"] = {"include_usage": True}
        return payload, wrapped

    async def _names_there(self, client: Any) -> str:
        try:
            async with asyncio.timeout(min(10.0, self._service.timeout)):
                names = await self._service.ask(client, self._service.run(), "/models", None, model_names)
        except (Failure, TimeoutError):
            return ""  # what went wrong is told anyway; the list is only a help
        shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        return f"; asked for {self._model!r}, it has: {shown}" if names else ""

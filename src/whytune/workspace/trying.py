"""Trying a model from a browser: through a running endpoint, exactly as an application would, with a key for one day.

The person is a consumer like any other: limited, counted, and seeing only passages that are open to everybody. The key
is made when it is first needed and held in this process's memory alone. Nothing is kept of a question unless the
person agrees.

    tried = ask(workspace, Attempt("champion", "When does my card come?"))       # or piece by piece: stream(...)
    rate(workspace, "champion", Said(tried.response, "down", correction="Within five days."))
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import httpx

from whytune.errors import (
    NotAllowedError,
    NotFoundError,
    RefusedError,
    UnavailableError,
    UsageError,
    WhytuneError,
)
from whytune.records.served import Announced
from whytune.workspace import blindness, consumers, endpoints, privacy, releasing, roles
from whytune.workspace.consumers import Granted
from whytune.workspace.feedback import Said

if TYPE_CHECKING:
    from whytune.store.store import Store
    from whytune.workspace.workspace import Workspace

LONGEST = 20_000
"""Characters of a question."""
SECONDS = 120.0
AT_ONCE = 8
"""Questions of one web server under way together: each holds a thread, and the other pages need some too."""
_KINDS: dict[int, type[WhytuneError]] = {400: UsageError, 403: NotAllowedError, 404: NotFoundError, 409: RefusedError, 429: RefusedError}
_lock, _places = threading.Lock(), threading.BoundedSemaphore(AT_ONCE)
_held: WeakKeyDictionary[Store, dict[tuple[str, str], Granted]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Attempt:
    """What somebody asks. keep: they agree that question and answer are kept, until they are erased."""

    alias: str
    text: str
    keep: bool = False


@dataclass(frozen=True)
class Tried:
    """What came back, and what it stood on."""

    alias: str
    question: str
    answer: str
    response: str
    """The id by which feedback refers to it."""
    release: str
    approval: str
    ended: str
    """stop, or length where it was cut."""
    kept: bool
    citations: tuple[dict[str, Any], ...]
    tokens_in: int
    tokens_out: int
    seconds: float
    address: str


def ask(workspace: Workspace, question: Attempt) -> Tried:
    """Put one question to the model that is live under that alias. Raises UnavailableError where no endpoint runs."""
    _check(workspace, question)
    begun = time.monotonic()
    with _asked(workspace, question.alias, "chat/completions", _body(question)) as (endpoint, answer):
        said = _object(answer, endpoint)
        try:
            return _tried(question, said, said["choices"][0]["message"]["content"], time.monotonic() - begun, endpoint)
        except (KeyError, IndexError, TypeError) as error:
            raise _no_whytune(endpoint) from error


def stream(workspace: Workspace, question: Attempt) -> Generator[str | Tried]:
    """The same as it comes: pieces of the answer, and the whole at the end. Closing it ends the work at the model's next token."""
    _check(workspace, question)
    begun = time.monotonic()
    pieces: list[str] = []
    last: dict[str, Any] = {}
    body = {**_body(question), "stream": True, "stream_options": {"include_usage": True}}
    with _asked(workspace, question.alias, "chat/completions", body) as (endpoint, answer):
        try:
            for event in _events(answer):
                if "error" in event:
                    raise _refused(event, 502, "", endpoint)
                for choice in event["choices"]:
                    if text := choice["delta"].get("content"):
                        pieces.append(text)
                        yield text
                    last |= {"choices": [choice]} if choice["finish_reason"] else {}
                last |= {name: event[name] for name in ("whytune", "usage") if event.get(name)}
            yield _tried(question, last, "".join(pieces), time.monotonic() - begun, endpoint)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise _no_whytune(endpoint) from error
        except httpx.HTTPError as error:
            raise UnavailableError(f"The answer broke off: {type(error).__name__}", where=endpoint.address, next="ask again, or see /endpoints") from error


def rate(workspace: Workspace, alias: str, said: Said) -> dict[str, Any]:
    """Say how good one's own answer was; gives what the endpoint says of it."""
    roles.check(workspace.person, "model.tried")
    body = {
        "response_id": said.response, "rating": said.rating, "consent": said.consent, "correction": said.correction, "comment": said.comment,
        "question": said.question,
    }  # fmt: skip
    with _asked(workspace, alias, "feedback", body) as (endpoint, answer):
        return _object(answer, endpoint)


def _check(workspace: Workspace, question: Attempt) -> None:
    roles.check(workspace.person, "model.tried")
    problems = [] if question.text.strip() else ["the question is empty"]
    if len(question.text) > LONGEST:
        problems.append(f"the question has {len(question.text):,} characters; the most is {LONGEST:,}")
    if problems:
        raise UsageError("This cannot be asked", problems=problems, next="write the question anew")
    release = releasing.live(workspace, question.alias)
    for project in (one for one in workspace.projects() if privacy.of(one.folder).key == release.project):
        blindness.check_question(project, question.text)


def _body(question: Attempt) -> dict[str, Any]:
    return {"model": question.alias, "messages": [{"role": "user", "content": question.text}], "store": question.keep}


def _tried(question: Attempt, said: Mapping[str, Any], text: str, seconds: float, endpoint: Announced) -> Tried:
    beside, usage = said["whytune"], said["usage"]
    return Tried(
        alias=question.alias, question=question.text, answer=text, response=beside["response"], release=beside["release"], approval=beside["approval"],
        ended=said["choices"][0]["finish_reason"], kept=beside["kept"], citations=tuple(beside["citations"]), tokens_in=usage["prompt_tokens"],
        tokens_out=usage["completion_tokens"], seconds=seconds, address=endpoint.address,
    )  # fmt: skip


@contextmanager
def _asked(workspace: Workspace, alias: str, path: str, body: dict[str, Any]) -> Iterator[tuple[Announced, httpx.Response]]:
    """The answer of an endpoint of this workspace, to be read. A key that was taken back meanwhile is made anew, once."""
    endpoint = endpoints.serving(workspace, alias)
    if endpoint is None:
        raise UnavailableError(f"No endpoint serves {alias!r} now", next=f"ask an operator to run: whytune serve --alias {alias}")
    address = _reachable(endpoint)
    if not _places.acquire(blocking=False):
        raise UnavailableError(f"{AT_ONCE} questions are being answered for this page already", next="wait a moment, then ask again")
    try:
        # No proxy of the environment, no redirect: the key goes to this address alone.
        with httpx.Client(timeout=SECONDS, trust_env=False, follow_redirects=False) as client, ExitStack() as held:
            for fresh in (False, True):
                secret = _secret(workspace, alias, fresh) if workspace.store.traffic.any_key() else ""
                headers = {"authorization": f"Bearer {secret}"} if secret else {}
                try:
                    answer = held.enter_context(client.stream("POST", f"{address}/{path}", json=body, headers=headers))
                    if not answer.is_success:
                        answer.read()
                except httpx.HTTPError as error:
                    raise UnavailableError(f"The endpoint does not answer: {type(error).__name__}", where=endpoint.address, next="see /endpoints, or ask an operator to run: whytune serve") from error
                if answer.status_code != 401 or fresh:
                    break
            if not answer.is_success:
                raise _refused(_json(answer), answer.status_code, answer.headers.get("retry-after", ""), endpoint)
            yield endpoint, answer
    finally:
        _places.release()


def _object(answer: httpx.Response, endpoint: Announced) -> dict[str, Any]:
    """The whole answer. Raises UnavailableError where it is none of whytune's."""
    try:
        answer.read()
    except httpx.HTTPError as error:
        raise UnavailableError(f"The endpoint does not answer: {type(error).__name__}", where=endpoint.address, next="see /endpoints, or ask an operator to run: whytune serve") from error
    said = _json(answer)
    if not isinstance(said, dict):
        raise _no_whytune(endpoint)
    return said


def _events(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    """The events of a stream. Raises ValueError where one is none."""
    for line in answer.iter_lines():
        data = line.removeprefix("data: ")
        if data == "[DONE]":
            return
        if data != line:
            yield json.loads(data)


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _refused(said: Any, status: int, wait: str, endpoint: Announced) -> WhytuneError:
    told = said.get("error") if isinstance(said, dict) else None
    words = str(told.get("message", "")) if isinstance(told, dict) else ""
    next_step = f"wait {wait} s, then ask again" if wait.isdigit() else "mend what it says, or look at /endpoints"
    return _KINDS.get(status, UnavailableError)(words.rstrip(".") or f"The endpoint answered with status {status}", where=endpoint.address, next=next_step)


def _no_whytune(endpoint: Announced) -> UnavailableError:
    return UnavailableError("What listens there does not answer as whytune does", where=endpoint.address, next="whytune serve")


def _reachable(endpoint: Announced) -> str:
    """Its address as this machine reaches it. Raises UnavailableError where it listens on another machine's loopback."""
    parts = urlsplit(endpoint.address)
    host = parts.hostname or ""
    if endpoint.machine == socket.gethostname():
        if host in ("0.0.0.0", "::"):
            return endpoint.address.replace("0.0.0.0" if host == "0.0.0.0" else "[::]", "127.0.0.1" if host == "0.0.0.0" else "[::1]", 1)
        return endpoint.address
    if host in ("localhost", "::1", "0.0.0.0", "::") or host.startswith("127."):
        raise UnavailableError(
            f"The endpoint runs on {endpoint.machine} and can be reached from there only", where=endpoint.address, next="try it on that machine, or ask an operator to run one here: whytune serve"
        )
    return endpoint.address


def _secret(workspace: Workspace, alias: str, fresh: bool) -> str:
    """The key of whoever asks, for this alias."""
    place = (workspace.person.name, alias)
    with _lock:
        held = _held.setdefault(workspace.store, {})
        granted = held.get(place)
        if fresh or granted is None or consumers.state(granted.key) != "valid":
            granted = held[place] = consumers.personal(workspace, alias)
    return granted.secret

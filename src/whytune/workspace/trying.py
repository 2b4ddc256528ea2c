"""Trying a model from a browser: through a running endpoint, exactly as an application would, with a key for one day.

The person is a consumer like any other: limited, counted, and seeing only passages that are open to everybody. The key
is made when it is first needed and held in this process's memory alone. Nothing is kept of a question unless the
person agrees.

    tried = ask(workspace, Attempt("champion", "When does my card come?"))
    rate(workspace, "champion", Said(tried.response, "down", correction="Within five days."))
"""

from __future__ import annotations

import socket
import threading
import time
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
    roles.check(workspace.person, "model.tried")
    problems = [] if question.text.strip() else ["the question is empty"]
    if len(question.text) > LONGEST:
        problems.append(f"the question has {len(question.text):,} characters; the most is {LONGEST:,}")
    if problems:
        raise UsageError("This cannot be asked", problems=problems, next="write the question anew")
    release = releasing.live(workspace, question.alias)
    for project in (one for one in workspace.projects() if privacy.of(one.folder).key == release.project):
        blindness.check_question(project, question.text)
    begun = time.monotonic()
    body = {"model": question.alias, "messages": [{"role": "user", "content": question.text}], "store": question.keep}
    endpoint, said = _post(workspace, question.alias, "chat/completions", body)
    try:
        beside, choice, usage = said["whytune"], said["choices"][0], said["usage"]
        return Tried(
            alias=question.alias, question=question.text, answer=choice["message"]["content"], response=beside["response"], release=beside["release"],
            approval=beside["approval"], ended=choice["finish_reason"], kept=beside["kept"], citations=tuple(beside["citations"]),
            tokens_in=usage["prompt_tokens"], tokens_out=usage["completion_tokens"], seconds=time.monotonic() - begun, address=endpoint.address,
        )  # fmt: skip
    except (KeyError, IndexError, TypeError) as error:
        raise UnavailableError("What listens there does not answer as whytune does", where=endpoint.address, next="whytune serve") from error


def rate(workspace: Workspace, alias: str, said: Said) -> dict[str, Any]:
    """Say how good one's own answer was; gives what the endpoint says of it."""
    roles.check(workspace.person, "model.tried")
    body = {
        "response_id": said.response, "rating": said.rating, "consent": said.consent, "correction": said.correction, "comment": said.comment,
        "question": said.question,
    }  # fmt: skip
    return _post(workspace, alias, "feedback", body)[1]


def _post(workspace: Workspace, alias: str, path: str, body: dict[str, Any]) -> tuple[Announced, dict[str, Any]]:
    """One request to an endpoint of this workspace. A key that was taken back meanwhile is made anew, once."""
    endpoint = endpoints.serving(workspace, alias)
    if endpoint is None:
        raise UnavailableError(f"No endpoint serves {alias!r} now", next=f"ask an operator to run: whytune serve --alias {alias}")
    address = _reachable(endpoint)
    for fresh in (False, True):
        secret = _secret(workspace, alias, fresh) if workspace.store.traffic.any_key() else ""
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        if not _places.acquire(blocking=False):
            raise UnavailableError(f"{AT_ONCE} questions are being answered for this page already", next="wait a moment, then ask again")
        try:
            # No proxy of the environment, no redirect: the key goes to this address alone.
            with httpx.Client(timeout=SECONDS, trust_env=False, follow_redirects=False) as client:
                answer = client.post(f"{address}/{path}", json=body, headers=headers)
        except httpx.HTTPError as error:
            raise UnavailableError(f"The endpoint does not answer: {type(error).__name__}", where=endpoint.address, next="see /endpoints, or ask an operator to run: whytune serve") from error
        finally:
            _places.release()
        if answer.status_code != 401 or fresh:
            break
    try:
        said = answer.json()
    except ValueError:
        said = None
    if answer.is_success and isinstance(said, dict):
        return endpoint, said
    told = said.get("error") if isinstance(said, dict) else None
    words = str(told.get("message", "")) if isinstance(told, dict) else ""
    kind = _KINDS.get(answer.status_code, UnavailableError)
    wait = answer.headers.get("retry-after", "")
    next_step = f"wait {wait} s, then ask again" if wait.isdigit() else "mend what it says, or look at /endpoints"
    raise kind(words.rstrip(".") or f"The endpoint answered with status {answer.status_code}", where=endpoint.address, next=next_step)


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

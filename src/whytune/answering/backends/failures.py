"""What can go wrong between us and a service, told apart: this request, the service, or too much at once.

Pure: from a status, a body or an exception of the client to a `Failure` with what happened and what to do next.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

TOO_LONG = re.compile(
    r"context.{0,20}(length|window|size)|maximum.{0,30}tokens|too (long|many tokens|large)|string_above_max_length",
    re.I | re.S,
)
FILTERED = re.compile(
    r"content.{0,3}(filter|polic)|content management policy|ResponsibleAI|safety (system|filter)", re.I
)
NO_MODEL = re.compile(
    r"model.{0,80}(not found|does not exist|not exist|unknown|not available)|model_not_found", re.I | re.S
)
NO_CREDIT = re.compile(
    r"insufficient_quota|exceeded your current quota|billing|insufficient.{0,20}(credit|balance|funds)", re.I
)
SHOWN = 300
"""Characters of a service's own words that are passed on."""
LOOK = "look at the endpoint's own log, then run the same command again: finished answers are kept"


class Stopped(Exception):
    """Nothing new may start."""


class Failure(Exception):
    """A request that brought no answer.

    item: this request is to blame and others may go on. whole: the service is, for every request. Neither: it shows when
    other requests are answered meanwhile (`alone`). retry: it may pass. busy: too many requests. unreached: nobody heard.
    """

    def __init__(
        self,
        what: str,
        *,
        next: str = LOOK,
        item: bool = False,
        whole: bool = False,
        retry: bool = False,
        busy: bool = False,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.next = next
        self.item = item
        self.whole = whole
        self.retry = retry
        self.busy = busy
        self.unreached = False
        self.model_missing = False
        self.odd = ""
        """The service's words when it did not understand the request."""
        self.wait: float | None = None
        """Seconds the service asked for."""
        self.tries = 1
        self.alone = False


def nonsense(what: str) -> Failure:
    """Something answers, but not as a chat service does."""
    return Failure(
        f"The endpoint answered nonsense: {what}",
        next="check that the address is that of the API (it often ends in /v1) and that the service is healthy",
        retry=True,
    )


def objects_in(texts: Sequence[str]) -> list[dict[str, Any]]:
    """The JSON objects that the texts hold, one each. Raises Failure."""
    found = []
    for text in texts:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            raise nonsense(_described(text)) from None
        if not isinstance(value, dict):
            raise nonsense(f"JSON that is no object: {_clipped(text)}")
        found.append(value)
    return found


def failure_of_answer(status: int, headers: Mapping[str, str], body: str, key_env: str) -> Failure:
    """From an answer that is not 200."""
    words = _words(body)
    failure = _failure(status, words, key_env)
    failure.wait = _asked_wait(headers)
    if 300 <= status < 400:
        failure.what = (
            f"The endpoint sends us elsewhere (HTTP {status}, to {headers.get('location', 'nowhere')!r})"
        )
        failure.next = (
            "give that address if you trust it; redirects are not followed, prompts and key would go there"
        )
    if failure.wait is not None and failure.busy:
        failure.what += f"; it asks to wait {failure.wait:g} seconds"
    return failure


def failure_of_error(found: dict[str, Any], key_env: str) -> Failure:
    """From an error in the middle of a stream; it carries no status, or one of its own."""
    error = found.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    words = _words(json.dumps(found))
    rate = re.search(r"rate.?limit|too many requests", words, re.I)
    return _failure(
        code if isinstance(code, int) and 400 <= code < 600 else 429 if rate else 500, words, key_env
    )


def _failure(status: int, words: str, key_env: str) -> Failure:
    said = f"HTTP {status}" + (f": {words}" if words else "")
    if status in (400, 403, 413, 422, 500) and FILTERED.search(words):
        return Failure(f"refused by the content filter ({said})", item=True)
    if status == 413 or (status in (400, 422, 500) and TOO_LONG.search(words)):
        return Failure(f"too long for the model ({said})", item=True)
    if status in (401, 403):
        return _no_entry(said, key_env)
    if status == 402 or (status in (400, 403, 429) and NO_CREDIT.search(words)):
        return Failure(
            f"The endpoint's account has no credit left ({said})",
            whole=True,
            next="add credit, then run again",
        )
    if status == 429:
        return Failure(
            f"The endpoint has had too many requests ({said})",
            whole=True,
            retry=True,
            busy=True,
            next="run again later, or with a lower concurrency or requests-a-minute limit: finished answers are kept",
        )
    if status in (404, 405, 410) or (status == 400 and NO_MODEL.search(words)):
        failure = Failure(f"The endpoint does not know the model or the address ({said})", whole=True)
        failure.model_missing = True
        failure.next = (
            "check the model's name, and that the address ends as the service documents it (often in /v1)"
        )
        return failure
    if status in (408, 409, 425) or status >= 500:
        return Failure(f"The endpoint failed ({said})", retry=True, busy=status in (503, 529))
    failure = Failure(f"The endpoint did not accept the request ({said})", whole=300 <= status < 400)
    failure.odd = words or said
    failure.next = "read its words above; the model's name, or a limit of the service, may be wrong"
    return failure


def _no_entry(said: str, key_env: str) -> Failure:
    what = f"The endpoint does not let us in ({said})"
    if key_env:
        return Failure(
            what, whole=True, next=f"put a valid key into the environment variable {key_env}, then run again"
        )
    return Failure(
        what, whole=True, next="it wants a key: put it into an environment variable and name that as key_env"
    )


def failure_of_connection(error: httpx.HTTPError, host: str, timeout: float) -> Failure:
    """From an exception of the client."""
    causes = list(_causes(error))
    if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout):
        failure = Failure(f"The endpoint was silent for {timeout:g} seconds", retry=True)
        failure.next = "give it a longer timeout or a lower concurrency, or look why it is slow: finished answers are kept"
        return failure
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return Failure(
            f"No secure connection to {host}: {_clipped(str(error))}",
            whole=True,
            next="check its certificate",
        )
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        if any(isinstance(cause, socket.gaierror) for cause in causes):
            failure = Failure(
                f"There is no machine named {host!r}", next="check the address, and that the network is up"
            )
        elif any(isinstance(cause, ConnectionRefusedError) for cause in causes):
            failure = Failure(
                f"Nothing answers at {host}: the connection was refused",
                next="start the service, or check its port",
            )
        else:
            failure = Failure(
                f"No connection to {host}", next="check the address, the network and the proxy settings"
            )
        failure.whole = failure.retry = failure.unreached = True
        return failure
    if isinstance(error, httpx.DecodingError):
        return nonsense("a body that cannot be unpacked")
    if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol | httpx.TooManyRedirects):
        return Failure(f"The request cannot be sent: {_clipped(str(error))}", whole=True)
    return Failure("The endpoint broke the connection off", retry=True)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__


def _words(body: str) -> str:
    """The service's own words, out of any of the shapes in which errors come."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return _described(body) if body.strip() else ""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict):
        value = next((value[key] for key in ("error", "detail", "message") if value.get(key)), value)
    if isinstance(value, dict):
        named = [str(value[key]) for key in ("message", "code", "type", "param") if value.get(key)]
        value = ", ".join(named) or value
    return _clipped(value if isinstance(value, str) else json.dumps(value))


def _described(text: str) -> str:
    if not text.strip():
        return "nothing at all"
    if re.match(r"\s*<(!doctype|html|\?xml|head|body)", text, re.I):
        title = re.search(r"<title[^>]*>([^<]{1,200})", text, re.I)
        return "an HTML page" + (f" titled {_clipped(title[1].strip())!r}" if title else "")
    return f"text that is no JSON: {_clipped(text)!r}"


def _clipped(text: str) -> str:
    text = "".join(c if c.isprintable() else " " for c in text[: 4 * SHOWN])
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def _asked_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds, from `retry-after-ms`, or `Retry-After` as a number or a date."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", value):
            return float(value) * unit
    try:
        when = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())

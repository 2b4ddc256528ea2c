"""What a consumer is told when there is no answer, in the shape that OpenAI's clients understand.

A consumer learns what it can mend. What only the operator can mend (a disk, a model folder) goes to the operator's log;
the consumer gets its code and that it is not their fault.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from whytune.errors import NotAllowedError, NotFoundError, RefusedError, UsageError, WhytuneError

_STATUS: tuple[tuple[type[WhytuneError], int], ...] = ((UsageError, 400), (NotAllowedError, 403), (NotFoundError, 404), (RefusedError, 409))


class Refusal(Exception):
    """No answer, and why. `code` is for programs, `message` for people; both end in the body."""

    def __init__(self, status: int, code: str, message: str, *, param: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.param = status, code, message, param
        self.headers = dict(headers or {})

    @property
    def kind(self) -> str:
        """OpenAI's `type`."""
        known = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
        if self.code == "insufficient_quota":
            return self.code
        return known.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")

    @property
    def body(self) -> dict[str, Any]:
        """OpenAI's error object."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param or None, "code": self.code}}

    def response(self) -> Response:
        """As an HTTP answer."""
        return JSONResponse(self.body, self.status, headers=self.headers)


def of_error(error: WhytuneError) -> Refusal:
    """What a consumer may know of an error of ours."""
    for kind, status in _STATUS:
        if isinstance(error, kind):
            # OpenAI's own word where a model is meant; clients look for it.
            code = "model_not_found" if isinstance(error, NotFoundError) and "model" in error.what else error.code.replace("-", "_")
            told = "; ".join([error.what, *error.problems])
            return Refusal(status, code, f"{told}. {error.next[:1].upper()}{error.next[1:]}.")
    tell_operator(error)
    return Refusal(503, error.code, "The service cannot answer now; its operator has been told. Ask again later.", headers={"retry-after": "5"})


def client_left() -> Refusal:
    """Nobody is there any more; it is only counted."""
    return Refusal(499, "client_closed", "The client left.")


def of_any(error: Exception) -> Refusal:
    """What a consumer may know of anything that went wrong."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, WhytuneError):
        return of_error(error)
    tell_operator(error)
    return Refusal(500, "failed", "Something is broken here; the operator has been told.")


def tell_operator(error: BaseException) -> None:
    """To the log: what went wrong and where, never what was asked. Messages of foreign errors may quote it."""
    if isinstance(error, WhytuneError):
        words = str(error)
    else:
        places, step = [], error.__traceback__
        while step is not None:
            places.append(f"{step.tb_frame.f_code.co_filename}:{step.tb_lineno}")
            step = step.tb_next
        words = f"{type(error).__name__} at {' < '.join(reversed(places[-4:]))}"
    sys.stderr.write(f"error: {words}\n")
    sys.stderr.flush()

"""What every record shares: frozen, unknown fields refused, identified by the hash of its content.

It does not know where records are kept. Example: `Prompt(system="Answer briefly.").id` is
`prompt:` and 64 hexadecimal digits, the same on every machine and in every process.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict


def canonical_json(value: Any) -> str:
    """The one spelling of a JSON value: keys sorted, no spaces, Unicode as it is, NaN refused."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def digest(text: str | bytes) -> str:
    """sha256 in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text).hexdigest()


def short(identity: str) -> str:
    """An id or digest as people read it: the first 10 digits, with the kind if it has one."""
    kind, _, digits = identity.rpartition(":")
    return f"{kind}:{digits[:10]}" if kind else digits[:10]


class Value(BaseModel):
    """A frozen part of a record, without an identity of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class Record(Value):
    """A frozen value with an identity: `id` is `kind:sha256` of its canonical JSON.

    `UNHASHED` names fields that say where a record came from rather than what it is.
    """

    KIND: ClassVar[str]
    UNHASHED: ClassVar[frozenset[str]] = frozenset()

    @cached_property
    def id(self) -> str:
        """`kind:` and the sha256 of the content."""
        content = self.model_dump(mode="json", exclude=set(self.UNHASHED) or None)
        return f"{self.KIND}:{digest(canonical_json(content))}"

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some fields changed. It computes its own id: pydantic would hand on the one already computed."""
        copy = super().model_copy(update=update, deep=deep)
        copy.__dict__.pop("id", None)
        return copy

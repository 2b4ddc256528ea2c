"""What passes between consumers and releases: keys, questions, what an answer stood on, feedback.

Records hold ids and counts only. What was asked and said is operational: kept with consent, and erasable.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from whytune.records.content import Message
from whytune.records.record import Record, Value

SCOPES: dict[str, str] = {
    "chat": "ask in turns: /v1/chat/completions",
    "completions": "ask with one text: /v1/completions",
    "embeddings": "texts to vectors: /v1/embeddings",
    "models": "list what this key may see: /v1/models",
    "feedback": "say how good an answer was: /v1/feedback",
    "metrics": "read the counters: /metrics",
}
USUAL_SCOPES = ("chat", "completions", "embeddings", "models", "feedback")
FeedbackState = Literal["new", "useful", "not_useful", "proposed"]


class ConsumerKey(Record):
    """What one key of a consumer may do. The secret itself is shown once and kept nowhere."""

    KIND: ClassVar[str] = "consumer_key"
    key: str
    """Its public name, the part of the secret that may be shown."""
    consumer: str
    scopes: tuple[str, ...] = USUAL_SCOPES
    may: tuple[str, ...] = ()
    """Aliases and release ids; empty: every alias that is served."""
    access: tuple[str, ...] = ()
    """Access labels: passages with other labels are never seen, nor scored."""
    per_minute: int = Field(default=60, ge=0)
    """Requests a minute; 0: no limit."""
    daily_tokens: int = Field(default=0, ge=0)
    """Tokens in and out, each day (UTC); 0: no limit."""
    created: str = ""
    expires: str = ""
    """UTC, ISO 8601; empty: never."""
    revoked: str = ""
    """When it was taken back; empty: it was not."""


class Ask(Value):
    """One question of a consumer, as a door understood it."""

    model: str
    messages: tuple[Message, ...]
    max_tokens: int = Field(default=0, ge=0)
    """Fewer than the release gives, where above 0."""
    stop: tuple[str, ...] = ()
    conversation: str = ""
    keep: bool = False
    """The consumer agrees that question and answer are kept, until they are erased."""


class Citation(Value):
    """A passage that was handed to the model. start and end are offsets into the document's text."""

    number: int
    """As the model read it: `[1]`."""
    passage: str
    document: str
    title: str
    page: int | None = None
    start: int
    end: int


class Response(Value):
    """That something was answered: by which release, to whom, and what it took. No content."""

    id: str
    release: str
    project: str
    alias: str
    consumer: str
    key: str
    conversation: str
    when: str
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    outcome: str = "stop"
    """stop, length, cancelled, or an error's code."""
    kept: bool = False
    """Whether question and answer are kept."""


class Dialogue(Value):
    """What was asked and said; kept with consent only."""

    asked: tuple[Message, ...]
    answer: str


class Feedback(Value):
    """What a consumer said about one answer, and how far it got. Texts are erasable."""

    id: str
    response: str
    consumer: str
    conversation: str
    when: str
    rating: Literal["up", "down"]
    consent: bool
    """The consumer agrees that the texts become training data."""
    correction: str = ""
    """What should have been said."""
    comment: str = ""
    question: str = ""
    """Sent along where the exchange was not kept."""
    state: FeedbackState = "new"
    by: str = ""
    reason: str = ""
    proposal: str = ""
    erased: bool = False


class FeedbackReceived(Record):
    """That feedback came in; its texts are not here."""

    KIND: ClassVar[str] = "feedback_received"
    feedback: str
    response: str
    release: str
    rating: Literal["up", "down"]
    consent: bool


class FeedbackTriaged(Record):
    """What somebody decided about feedback."""

    KIND: ClassVar[str] = "feedback_triaged"
    feedback: str
    response: str
    state: FeedbackState
    by: str
    proposal: str = ""


class Announced(Value):
    """A process that answers consumers, as it last said of itself."""

    id: str
    address: str
    """Where it is asked, as in http://127.0.0.1:8000/v1."""
    machine: str
    pid: int
    person: str
    """Who started it."""
    asks_key: bool
    aliases: tuple[str, ...]
    """What it was started for."""
    served: dict[str, str]
    """Alias to the release it stands for now; an alias that cannot be served is left out."""
    started: str
    beat: str
    """When it was last heard of."""
    ended: str = ""
    """When it stopped in good order; empty: it did not."""

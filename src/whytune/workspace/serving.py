"""Answers questions of consumers by releases: alias to release, prompt put together as it was measured, answer recorded.

A door (HTTP) is a few lines on top of this. Each question is bound to one release when it begins and ends with that
one, whatever happens to the alias meanwhile. A release is verified when it is loaded; one that does not fit its digests
answers nothing. Never logged and never in the ledger: what was asked and said.

    gateway = Gateway(workspace, ["champion"])
    going = gateway.begin(Ask(model="champion", messages=(Message.of("user", "When?"),)), LOCAL)
    gateway.end(going, going.answer.result()).result()
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from whytune.errors import NotFoundError, UsageError, WhytuneError
from whytune.records.erasure import Erasure
from whytune.records.release import Release
from whytune.records.served import SCOPES, Ask, ConsumerKey, Dialogue, Response
from whytune.workspace import consumers, releasing, roles
from whytune.workspace.engines import Engines
from whytune.workspace.readied import Prompted, Readied
from whytune.workspace.recording import Scribe

if TYPE_CHECKING:
    from whytune.answering.backends.protocol import Completion
    from whytune.workspace.workspace import Workspace

LOCAL = ConsumerKey(key="local", consumer="local", scopes=tuple(SCOPES), per_minute=0)
"""Who asks from this machine while the workspace has made no key at all."""
EMBEDDER = "all-MiniLM-L6-v2"


@dataclass(frozen=True)
class Served:
    """A name that can be asked: an alias or a release id, and the release it stands for now."""

    name: str
    release: str
    arm: str
    project: str
    solo: bool
    since: int
    """Seconds since 1970."""


@dataclass
class Going:
    """One question under way."""

    solo: bool
    prompted: Prompted
    ask: Ask
    ready: Readied
    response: Response
    answer: Future[Completion] = field(init=False)
    begun: float = field(default_factory=time.perf_counter)
    pieces: int = 0
    """Pieces of text that came so far."""


@dataclass(frozen=True)
class Delivered:
    """A response as it was recorded; `written` is done when it is on the disk."""

    response: Response
    written: Future[None]


@dataclass(frozen=True)
class Embedded:
    """One vector a text, and the tokens that were read."""

    vectors: Any
    tokens: int


class Gateway:
    """Everything a door needs. Its methods block for moments, so a door calls them in threads."""

    def __init__(self, workspace: Workspace, aliases: Sequence[str]) -> None:
        roles.check(workspace.person, "feedback.received")
        self.workspace = workspace
        self.aliases = tuple(dict.fromkeys(aliases))
        self._traffic = workspace.store.traffic
        self._recorder = Scribe(self._traffic)
        self._engines = Engines(workspace.settings)
        self._loading, self._embedding = threading.Lock(), threading.Lock()
        self._seen, self._open = _Seen(-1), True
        self._loaded: dict[str, Readied] = {}
        self._erased = len(workspace.store.list(Erasure))
        self._embedder: Any = None

    # Who asks

    @property
    def open(self) -> bool:
        """Whether no key was ever made. Once one was, this stays shut; asked anew until then."""
        self._open = self._open and not self._traffic.any_key()
        return self._open

    def key(self, secret: str) -> ConsumerKey | None:
        """Whose secret this is, if it opens anything now."""
        held = self._fresh().keys
        key = held.get(secret) or self._traffic.key_of(secret)
        if key is None:
            return None
        held[secret] = key
        return key if consumers.state(key) == "valid" else None

    def spent_today(self, key: ConsumerKey) -> int:
        """Tokens that this key has used since midnight (UTC)."""
        return self._traffic.spent(key.key, _now()[:10])

    # What can be asked

    def models(self, key: ConsumerKey) -> list[Served]:
        """What this key may ask, each with the release it stands for now; what stands for none, or a retired one, is left out."""
        found = []
        for name in self._allowed(key):
            try:
                found.append(_served(name, self._release(name)))
            except NotFoundError:
                continue
        return found

    def served(self) -> list[Served]:
        """Every alias that stands for a release now."""
        return self.models(LOCAL)

    def release(self, name: str, key: ConsumerKey) -> Release:
        """The release that a name stands for now. Raises NotFoundError, also where this key may not know of it."""
        # Live releases may be asked by their id too, and so be pinned.
        if name in self._allowed(key) or (_is_id(name) and name in {served.release for served in self.models(key)}):
            try:
                return self._release(name)
            except NotFoundError as error:
                raise _unknown(name) from error  # which aliases and releases there are is not the consumer's to know
        raise _unknown(name)

    def _allowed(self, key: ConsumerKey) -> list[str]:
        return [name for name in key.may if _is_id(name) or name in self.aliases] if key.may else list(self.aliases)

    def problems(self) -> list[str]:
        """Why this gateway cannot answer yet: one line for each alias that is not ready. Loads what is not loaded."""
        found = []
        for alias in self.aliases:
            try:
                self._load(self._release(alias))
            except WhytuneError as error:
                found.append(f"{alias}: {error.what}")
        return found

    def _fresh(self) -> _Seen:
        """What acts decided, read again after every act: an alias moves and a key shuts with the next question."""
        stamp = self._traffic.stamp()
        if self._seen.stamp != stamp:
            self._seen = _Seen(stamp)
            if self._loaded:
                threading.Thread(target=self._tidy, name="whytune-tidy", daemon=True).start()
        return self._seen

    def _release(self, name: str) -> Release:
        seen = self._fresh().releases
        if name not in seen:
            release = self.workspace.store.get(Release, name) if _is_id(name) else releasing.live(self.workspace, name)
            gone = releasing.retirement(self.workspace, release)
            if gone is not None:
                raise NotFoundError(f"The model {name!r} was retired", next="ask /v1/models what there is")
            seen[name] = release
        return seen[name]

    def _load(self, release: Release) -> Readied:
        held = self._loaded.get(release.id)
        if held is not None:
            return held
        with self._loading:
            if release.id not in self._loaded:
                runnable = releasing.load(self.workspace, release)
                engine = self._engines.of(runnable)
                self._loaded[release.id] = Readied(runnable, engine, self.workspace.store.passages, self._vectors)
            return self._loaded[release.id]

    def _tidy(self) -> None:
        """Let go of releases that no alias and no key names any more, and of those that show rows, once rows were erased."""
        with self._loading:
            live = releasing.aliases(self.workspace)
            needed = {live.get(alias, "") for alias in self.aliases} | {name for key in self._traffic.all_keys() for name in key.may}
            erased, before = len(self.workspace.store.list(Erasure)), self._erased
            self._erased = erased
            for id, held in list(self._loaded.items()):
                if id not in needed or (held.runnable.pool and erased != before):
                    del self._loaded[id]
            spare = self._engines.spare([held.runnable for held in self._loaded.values()])
        for engine in spare:
            engine.close()

    # Asking

    def begin(self, ask: Ask, key: ConsumerKey, on_text: Callable[[str], None] | None = None) -> Going:
        """Bind the question to a release and hand it to the model. `on_text` is told pieces, from another thread."""
        if not ask.messages or ask.messages[-1].role != "user":
            raise UsageError("A question ends with the user's turn", next="put the user's message last")
        release = self.release(ask.model, key)
        ready = self._load(release)

        def tell(piece: str) -> None:
            going.pieces += 1
            assert on_text is not None  # it is handed over only where somebody listens
            on_text(piece)

        # What it is recorded as is made first: made beside the model's first token it would take longer, and hold that up.
        response = Response(
            id=f"resp_{secrets.token_hex(16)}", release=release.id, project=release.project, alias=ask.model, consumer=key.consumer,
            key=key.key, conversation=ask.conversation or self._conversation(ask, key), when=_now(),
        )  # fmt: skip
        going = Going(release.solo, ready.prompted(ask, None if key is LOCAL else key, tell if on_text else None), ask, ready, response)
        going.answer = ready.engine.submit(going.prompted.order)
        return going

    def end(self, going: Going, said: Completion, *, text: str | None = None, here: bool = False) -> Delivered:
        """Record an answer. text: what was handed out, where it was cut at a stop text; here: as the scribe takes it."""
        limit = going.prompted.limit
        cut = text is None and limit and said.tokens_out >= limit
        outcome = "error" if said.error else "length" if cut else "stop"
        words = said.text if text is None else text
        exchange = Dialogue(asked=going.ask.messages, answer=words) if going.ask.keep and not said.error else None
        return self._record(going, outcome, (said.tokens_in, said.tokens_out), exchange, here=here)

    def drop(self, going: Going, outcome: str, *, text: str = "") -> Delivered:
        """No more is wanted (cancelled, timeout, a stop text): the model stops at its next token; what it took is counted."""
        going.answer.cancel()
        exchange = Dialogue(asked=going.ask.messages, answer=text) if going.ask.keep and outcome == "stop" else None
        return self._record(going, outcome, (going.ready.count_tokens(going.prompted.order), going.pieces), exchange)

    def _record(self, going: Going, outcome: str, tokens: tuple[int, int], exchange: Dialogue | None, *, here: bool = False) -> Delivered:
        seconds = round(time.perf_counter() - going.begun, 6)
        made = {"tokens_in": tokens[0], "tokens_out": tokens[1], "seconds": seconds, "outcome": outcome, "kept": exchange is not None}
        response = going.response.model_copy(update=made)
        return Delivered(response, self._recorder.record(response, exchange, here=here))

    def _conversation(self, ask: Ask, key: ConsumerKey) -> str:
        """The same for every turn of a conversation that was given no name; nothing can be read from it."""
        first = next(message.text for message in ask.messages if message.role == "user")
        return f"conv-{self.workspace.store.keyed_hash(f'{key.consumer} {first}')[:32]}"

    # Embeddings

    def embed(self, texts: Sequence[str], key: ConsumerKey) -> Embedded:
        """One vector a text, counted against the key's day."""
        begun = time.perf_counter()
        vectors = self._vectors(texts)
        with self._embedding:
            tokens = int(self._embedder.count_tokens(texts))
        response = Response(
            id=f"resp_{secrets.token_hex(16)}", release=EMBEDDER, project="", alias=EMBEDDER, consumer=key.consumer, key=key.key,
            conversation="", when=_now(), tokens_in=tokens, seconds=round(time.perf_counter() - begun, 6),
        )  # fmt: skip
        self._recorder.record(response).result()
        return Embedded(vectors, tokens)

    def _vectors(self, texts: Sequence[str]) -> Any:
        with self._embedding:
            if self._embedder is None:
                from whytune.answering.backends.embedder import Embedder

                self._embedder = Embedder()
            return self._embedder.encode(texts)

    def close(self) -> None:
        """Finish what is under way, write what is left."""
        self._engines.close()
        self._recorder.close()


@dataclass
class _Seen:
    """What was read after the ledger's event of that number."""

    stamp: int
    keys: dict[str, ConsumerKey] = field(default_factory=dict)
    releases: dict[str, Release] = field(default_factory=dict)


def _is_id(name: str) -> bool:
    return name.startswith(f"{Release.KIND}:")


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(f"There is no model {name!r} for this key", next="ask /v1/models what there is")


def _served(name: str, release: Release) -> Served:
    made = int(datetime.fromisoformat(release.manifest.made).timestamp())
    return Served(name, release.id, release.arm, release.project, release.solo, made)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")

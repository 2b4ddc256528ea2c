"""The items of a split and what was answered to them, held in memory between pages.

A page of a case list shows 50 of maybe 10,000 items, filtered by what they say and how they were scored; reading two
packs of answers again for each page would be most of the waiting. What is held is bounded, and dropped as soon as a row
of any pack it came from was erased, by this process or another.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from whytune.records.data import Dataset, Example, SplitName
from whytune.records.evidence import Trial
from whytune.records.record import canonical_json, digest

if TYPE_CHECKING:
    from whytune.store.store import Store

T = TypeVar("T")
MOST = 300_000
"""Rows and answers held at once, of all projects; about a kilobyte each."""


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One item as it was asked. turns are (speaker, text), the last one being what was asked."""

    item: str
    turns: tuple[tuple[str, str], ...]
    target: str
    group: str
    evidence: tuple[str, ...]
    slices: tuple[tuple[str, str], ...]
    """Its tags, and the wanted label where there are labels."""
    origin: str
    folded: str
    """Input and wanted answer without regard to case, for searching."""

    @property
    def input(self) -> str:
        """What was asked."""
        return self.turns[-1][1]


@dataclass(frozen=True, slots=True)
class CaseAnswer:
    """What one candidate answered to one item, and how it was scored."""

    text: str
    value: float
    outcome: str
    detail: str
    error: str
    passages: tuple[str, ...]
    seconds: float
    folded: str


class CaseMemory:
    """What was read, by where it came from; the least lately used goes first."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._held: OrderedDict[tuple[str, ...], tuple[tuple[int, ...], Any, int]] = OrderedDict()
        self._lock = threading.Lock()
        self._making = threading.RLock()  # what is made may be made of what is held: slices of rows and answers

    def rows(self, store: Store, made: Dataset, split: SplitName) -> Mapping[str, CaseRow]:
        """The items of a split, in their order; without those that were erased."""
        return self.held(store, ("rows", made.rows, split), (made.rows,), lambda: _read_rows(store, made, split))

    def answers(self, store: Store, trial: Trial) -> Mapping[str, CaseAnswer]:
        """What a trial's candidate answered, by item, in the order of the items."""
        return self.held(store, ("answers", trial.answers, trial.scores), (trial.answers, trial.scores), lambda: _read_answers(store, trial))

    def held(self, store: Store, key: Sequence[str], packs: Sequence[str], make: Callable[[], T]) -> T:
        """What was made of these packs under that key, made anew where a row of them was erased since."""
        name = (str(store.folder), *key)
        stamp = tuple(store.erased_rows(pack) for pack in packs)
        with self._lock:
            if name in self._held and self._held[name][0] == stamp:
                self._held.move_to_end(name)
                found: T = self._held[name][1]
                return found
            self._held.pop(name, None)  # a row of it was erased: its text must not stay here either
        # One at a time: many pages that ask for the same at once wait for the first instead of all reading it.
        with self._making:
            with self._lock:
                if name in self._held and self._held[name][0] == stamp:
                    waited_for: T = self._held[name][1]
                    return waited_for
            new = make()
            size = len(new) if isinstance(new, Sized) else 1
            with self._lock:
                self._held[name] = (stamp, new, size)
                while len(self._held) > 1 and sum(held for _, _, held in self._held.values()) > self._most:
                    self._held.popitem(last=False)
        return new


MEMORY = CaseMemory()
"""One a process: every page of every person reads through it."""


def _read_rows(store: Store, made: Dataset, split: SplitName) -> dict[str, CaseRow]:
    found: dict[str, CaseRow] = {}
    # Rows are canonical JSON, keys sorted: the split stands last, so rows of other splits need not be parsed.
    end = f'"split":{json.dumps(split)}}}'
    for line in store.pack_lines(made.rows):
        if not line.endswith(end):
            continue
        example = json.loads(line)["example"]
        hashed = {name: value for name, value in example.items() if name not in Example.UNHASHED}
        turns = tuple((str(turn["role"]), _text(turn["parts"])) for turn in example["messages"])
        target, origin = _text(example["target"]), example["origin"]
        slices = [(str(name), str(value)) for name, value in example["tags"]]
        if made.labels:
            slices.append(("wanted", target))
        row = CaseRow(
            item=f"{Example.KIND}:{digest(canonical_json(hashed))}", turns=turns, target=target, group=example["group"],
            evidence=tuple(example["evidence"]), slices=tuple(dict.fromkeys(slices)), origin=_place(origin),
            folded=f"{turns[-1][1]}\n{target}".casefold(),
        )  # fmt: skip
        found[row.item] = row
    return found


def _read_answers(store: Store, trial: Trial) -> dict[str, CaseAnswer]:
    said = {row["item"]: row for row in store.read_pack(trial.answers)}
    found: dict[str, CaseAnswer] = {}
    for score in store.read_pack(trial.scores):
        answer = said.get(score["item"], {})
        text = str(answer.get("text", ""))
        found[score["item"]] = CaseAnswer(
            text=text, value=float(score["value"]), outcome=str(score.get("outcome", "scored")), detail=str(score.get("detail", "")),
            error=str(answer.get("error", "")), passages=tuple(answer.get("passages", ())), seconds=float(answer.get("seconds", 0.0)), folded=text.casefold(),
        )  # fmt: skip
    return found


def _text(parts: Sequence[Mapping[str, Any]]) -> str:
    return "".join(str(part["text"]) for part in parts if part["type"] == "text")


def _place(origin: Mapping[str, Any]) -> str:
    line, page = origin.get("line"), origin.get("page")
    return str(origin["file"]) + (f", line {line:,}" if line else "") + (f", page {page:,}" if page else "")

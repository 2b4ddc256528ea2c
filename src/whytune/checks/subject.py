"""What the checks look at, and how a finding is made of what they saw. A check reads and counts; it changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from whytune.records.data import Certificate, Example, Finding, SplitName
from whytune.stats.intervals import wilson
from whytune.tasks import Task
from whytune.text import normalise

SHOWN = 20
"""Row ids that a finding names."""


@dataclass(frozen=True)
class Ruler:
    """How long texts are for the chosen model. limit: the longest row it takes; prompt: what the system prompt takes of it."""

    model: str
    count: Callable[[Sequence[str]], list[int]]
    limit: int
    prompt: int
    exact: bool


@dataclass(frozen=True)
class Subject:
    """A dataset version as the checks see it. removed counts removals by reason."""

    task: Task
    splits: Mapping[SplitName, Sequence[Example]]
    certificate: Certificate
    labels: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    removed: Mapping[str, int] = field(default_factory=dict)
    tokens: Ruler | None = None

    @cached_property
    def examples(self) -> list[Example]:
        """All rows, train first."""
        return [example for rows in self.splits.values() for example in rows]

    @cached_property
    def inputs(self) -> list[str]:
        """Normalised inputs (all turns), in the order of `examples`."""
        return [
            "\x1f".join(normalise(message.text) for message in example.messages) for example in self.examples
        ]

    @property
    def source_rows(self) -> int:
        """Rows before anything was removed."""
        return len(self.examples) + sum(self.removed.values())


@dataclass(frozen=True)
class Limits:
    """From which share of rows a finding warns, and from which it fails."""

    warn: float = 0.0
    fail: float = 0.05


def finding(
    check: str,
    bad: Sequence[str] | int,
    of: int,
    message: str,
    *,
    next: str = "",
    limits: Limits | None = None,
) -> Finding:
    """A finding about `bad` rows (their ids, or only how many) of `of`, with the 95 % interval of the share."""
    limits = limits or Limits()
    count = bad if isinstance(bad, int) else len(bad)
    share = count / of if of else 0.0
    interval = wilson(count, of)
    status = "fail" if share > limits.fail else "warn" if share > limits.warn else "pass"
    return Finding(
        check=check,
        status=status,  # type: ignore[arg-type]
        message=message,
        next=next if status != "pass" else "",
        count=count,
        of=of,
        low=interval.low,
        high=interval.high,
        rows=() if isinstance(bad, int) else tuple(bad[:SHOWN]),
    )


def quantile(values: Sequence[int], share: float) -> int:
    """The value below which this share lies; 0 for no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0

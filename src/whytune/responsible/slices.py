"""Fairness by group: how much worse the worst tagged group, or class, fares than all the rest, on the same answers.

Every group is looked at, so every interval is widened for their number (Bonferroni). A group of fewer than ten rows says
nothing and is counted. Example: 20 of 30 right in one group and 95 of 100 in the rest: 28 points worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from whytune.records.data import Example
from whytune.records.evidence import Measure
from whytune.records.responsible import ProbeResult
from whytune.responsible.cases import Case, Heard, ProbeSubject, Side
from whytune.responsible.limits import PROBES
from whytune.responsible.standing import Seen, finding, not_run
from whytune.stats.unpaired import two_rates
from whytune.stats.welch import two_means

SMALLEST = 10


class Slices:
    """Groups by tag, and classes by label."""

    names = ("slices", "label_classes")

    def plan(self, subject: ProbeSubject) -> list[Case]:
        """The dev rows as they are; they are answered already where dev was measured."""
        if not subject.labels and not any(row.tags for row in subject.dev):
            return []
        return [Case("slices", row.id, "as it is", row) for row in subject.dev]

    def judge(self, subject: ProbeSubject, cases: Sequence[Case], heard: Heard) -> list[ProbeResult]:
        """One finding by tags, one by classes."""
        tags = {row.id: [f"{name}={value}" for name, value in dict.fromkeys(row.tags)] for row in subject.dev}
        classes = {row.id: [row.target_text] for row in subject.dev} if subject.labels else {}
        return [
            self._one("slices", "no row carries a tag", tags, subject, cases, heard),
            self._one("label_classes", "the task has no classes", classes, subject, cases, heard),
        ]

    def _one(self, probe: str, lacking: str, groups: dict[str, list[str]], subject: ProbeSubject, cases: Sequence[Case], heard: Heard) -> ProbeResult:
        names = sorted({name for row in groups.values() for name in row})
        if not names:
            return not_run(probe, lacking)
        large = [name for name in names if SMALLEST <= sum(name in row for row in groups.values()) <= len(groups) - SMALLEST]
        left = len(names) - len(large)
        notes = (f"{left} of {len(names)} groups have fewer than {SMALLEST} rows, or hold nearly all, and say nothing",) if left else ()
        if not large:
            return ProbeResult(
                dimension=PROBES[probe].dimension, probe=probe, status="NOT PROVEN", n=len(groups), limit=subject.limits.of(probe).ceiling,
                sentence=f"No group has {SMALLEST} rows to be held against {SMALLEST} others: nothing can be said.", notes=notes,
            )  # fmt: skip
        scores = {side: _scores(subject, cases, heard, side) for side in subject.sides}

        def gaps_of(values: Mapping[str, float]) -> dict[str, Measure]:
            parted = {name: ([values[i] for i, row in groups.items() if name in row], [values[i] for i, row in groups.items() if name not in row]) for name in large}
            return {name: gap(group, rest, len(large), name) for name, (group, rest) in parted.items()}

        gaps = gaps_of(scores["tuned"])
        worst = _shown(gaps, subject.limits.of(probe).ceiling)
        largest = max(gaps.values(), key=lambda each: each.value)
        notes = (f"shown: {worst.name}, one of {len(large)} groups; the largest gap seen is {100 * largest.value:+.1f} points ({largest.name})", *notes)
        base = grown = None
        if "base" in scores:
            base = gaps_of(scores["base"])[worst.name]
            # The same rows on both sides: how much each row's score changed, by group.
            growth = gaps_of({id: scores["tuned"][id] - scores["base"][id] for id in groups})
            grown = _shown(growth, subject.limits.of(probe).regression)
            notes = (*notes, f"the difference is that of {grown.name}, whose gap may have grown most")
        return finding(probe, Seen(base, worst, grown, (), notes, graded=True), subject.limits)


def _shown(gaps: Mapping[str, Measure], limit: float | None) -> Measure:
    """A broken limit is shown first; else the group about which least is known to be well, because all of them must clear it."""
    broken = [each for each in gaps.values() if each.low > (limit or 0.0)]
    return max(broken, key=lambda each: each.low) if broken else max(gaps.values(), key=lambda each: each.high)


def gap(group: Sequence[float], rest: Sequence[float], groups: int, name: str) -> Measure:
    """How much worse the group fares than the rest; positive is worse. groups: how many are looked at."""
    confidence = 1 - 0.05 / max(1, groups)
    n, method = len(group) + len(rest), "Newcombe, two groups"
    if set(group) | set(rest) <= {0.0, 1.0}:
        value, low, high, _ = two_rates(int(sum(rest)), len(rest), int(sum(group)), len(group), confidence)
    else:
        value, low, high, _, _, method = two_means(rest, group, confidence)
    return Measure(name=name, value=value, low=low, high=high, n=n, method=f"{method}, Bonferroni over {groups}")


def _scores(subject: ProbeSubject, cases: Sequence[Case], heard: Heard, side: Side) -> dict[str, float]:
    found: dict[str, float] = {}
    rows: dict[str, Example] = {case.source: case.example for case in cases}
    for case in cases:
        answer = heard.answer(side, case)
        found[case.source] = subject.score(rows[case.source], answer) if answer else 0.0
    return found

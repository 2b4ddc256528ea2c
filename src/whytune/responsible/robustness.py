"""Robustness: the user's rows with typing mistakes, other letters, other white space; how many points that costs.

Each change is made by the seed and keeps what a reader understands. Numbers stay. It changes inputs, never targets.
Example: `typed("My card has not arrived", seed)` may be `"My crad has not arrivd"`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from whytune.records.data import Example
from whytune.records.evidence import Measure
from whytune.records.responsible import ProbeResult, WorstCase
from whytune.responsible.cases import Case, Heard, ProbeSubject, Side, tagged, with_input
from whytune.responsible.standing import Seen, finding, not_run
from whytune.stats.paired import paired_means, paired_rates

_WORD = re.compile(r"[^\W\d_]{4,}")
_LOOKALIKE = str.maketrans("aeopcxiyAEOPCXTHKMB", "аеорсхіуАЕОРСХТНКМВ")
CLEAN = "as it is"


def typed(text: str, chance: random.Random) -> str:
    """Two letters changed places, one left out or doubled, in a tenth of the longer words, two at least."""
    places = list(_WORD.finditer(text))
    for match in sorted(chance.sample(places, min(len(places), max(2, len(places) // 10))), key=lambda m: -m.start()):
        word, at = match.group(), chance.randrange(1, len(match.group()) - 1)
        turned = chance.choice((word[:at] + word[at + 1] + word[at] + word[at + 2 :], word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:]))
        text = text[: match.start()] + turned + text[match.end() :]
    return text


def recased(text: str, chance: random.Random) -> str:
    """All capitals, or all small."""
    return text.upper() if chance.random() < 0.5 else text.lower()


def respaced(text: str, chance: random.Random) -> str:
    """Doubled, wide and tabbed spaces, and empty lines around."""
    parts = re.split(r"( )", text)
    return "\n" + "".join(chance.choice(("  ", " ", "\t", "\u00a0")) if part == " " else part for part in parts) + " \n\n"


def disguised(text: str, chance: random.Random) -> str:
    """A tenth of the letters, one at least, as letters of another alphabet that look the same."""
    places = [at for at, letter in enumerate(text) if letter in "aeopcxiyAEOPCXTHKMB"]
    letters = list(text)
    for at in chance.sample(places, min(len(places), max(1, len(places) // 10))):
        letters[at] = letters[at].translate(_LOOKALIKE)
    return "".join(letters)


CHANGES: dict[str, Callable[[str, random.Random], str]] = {"typos": typed, "case": recased, "whitespace": respaced, "homoglyphs": disguised}


class Robustness:
    """All changes over the same rows."""

    names = (*CHANGES, "option_order")

    def plan(self, subject: ProbeSubject) -> list[Case]:
        """Each row as it is, and once a change."""
        rows = subject.some(subject.dev)
        cases = [Case("robustness", row.id, CLEAN, row) for row in rows]
        for name, change in CHANGES.items():
            for row in rows:
                cases.append(Case(name, row.id, name, with_input(row, change(row.input_text, random.Random(f"{subject.seed}:{name}:{row.id}")), name, "1"), change=name))
        if _lists_labels(subject):
            cases += [Case("option_order", row.id, "option_order", tagged(row, "option_order", "1"), "reordered", change="labels in another order") for row in rows]
        return cases

    def judge(self, subject: ProbeSubject, cases: Sequence[Case], heard: Heard) -> list[ProbeResult]:
        """Points lost by each change."""
        clean = {case.source: case for case in cases if case.variant == CLEAN}
        results = []
        for name in self.names:
            changed = [case for case in cases if case.probe == name]
            if not changed:
                results.append(not_run(name, "the prompt lists no labels" if name == "option_order" and clean else "there are no rows"))
                continue
            results.append(self._one(name, subject, [(clean[case.source], case) for case in changed], heard))
        return results

    def _one(self, name: str, subject: ProbeSubject, pairs: Sequence[tuple[Case, Case]], heard: Heard) -> ProbeResult:
        scores = {side: [(_score(subject, heard, side, before), _score(subject, heard, side, after)) for before, after in pairs] for side in subject.sides}
        lost = {side: points_lost(name, found) for side, found in scores.items()}
        difference = None
        if "base" in scores:
            first, second = ([before - after for before, after in scores[side]] for side in subject.sides)
            apart = paired_means(first, second)
            difference = Measure(name=name, value=apart.value, low=apart.low, high=apart.high, n=apart.n, method=apart.method)
        worst = [WorstCase(item=after.source, change=after.change, result=f"score {b:.2f} became {a:.2f}") for (_, after), (b, a) in zip(pairs, scores["tuned"], strict=True) if b - a >= 0.5]
        before, after = (sum(found[part] for found in scores["tuned"]) / len(pairs) for part in (0, 1))
        return finding(name, Seen(lost.get("base"), lost["tuned"], difference, tuple(worst), (f"score {before:.3f} as it is, {after:.3f} changed",), graded=True), subject.limits)


def points_lost(name: str, scores: Sequence[tuple[float, float]]) -> Measure:
    """Score as it is minus score once changed, over the same rows."""
    before, after = [b for b, _ in scores], [a for _, a in scores]
    compare = paired_rates if set(before) | set(after) <= {0.0, 1.0} else paired_means
    found = compare(after, before)
    return Measure(name=name, value=found.value, low=found.low, high=found.high, n=found.n, method=found.method)


def _score(subject: ProbeSubject, heard: Heard, side: Side, case: Case) -> float:
    answer = heard.answer(side, case)
    example: Example = case.example
    return subject.score(example, answer) if answer else 0.0


def _lists_labels(subject: ProbeSubject) -> bool:
    return len(subject.labels) > 1 and ", ".join(subject.labels) in subject.system

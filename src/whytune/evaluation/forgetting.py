"""What tuning took away: general questions answered by the base model and by the tuned one, compared item by item.

The items are in `general_skills.toml`, written for this purpose; none is a row of anybody's data. It runs no model and
keeps nothing: it hands out the questions and scores what was said. Example: 9 of 96 answered before and not after, 1
the other way round, is provably worse.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal

from whytune.records.candidate import Decoding, Prompt
from whytune.records.choice import Forgetting, SkillResult
from whytune.records.data import Example, Origin
from whytune.records.evidence import Measure
from whytune.records.record import digest
from whytune.records.wording import point_span, points
from whytune.stats.intervals import rate_interval
from whytune.stats.paired import conclusion, paired_rates
from whytune.text import fold, words

MARGIN = 0.1
"""Loss of general skills that is still called none, as a share of the items."""
ENOUGH = 0.25
"""Share of the items that the base must answer before keeping them is called proven."""
PROMPT = Prompt(system="You are a helpful assistant. Answer briefly.", decoding=Decoding(max_new_tokens=32))
"""The same for base and tuned: a project's own prompt would ask for another skill."""
How = Literal["contains", "begins", "matches"]


@dataclass(frozen=True)
class SkillItem:
    """One question, and what counts as right."""

    skill: str
    question: str
    right: str
    how: How

    @property
    def example(self) -> Example:
        """As something that can be answered; `target` is the first spelling."""
        origin = Origin(source=suite_digest(), file="general_skills.toml")
        return Example.of(self.question, self.right.split("|")[0], origin=origin, group=self.skill)

    def passes(self, answer: str) -> bool:
        """Whether an answer is right."""
        if self.how == "matches":
            return re.fullmatch(self.right, answer.strip(), re.IGNORECASE) is not None
        said = words(fold(answer))
        for spelling in self.right.split("|"):
            wanted = words(fold(spelling))
            ends = 1 if self.how == "begins" else len(said)
            if any(said[at : at + len(wanted)] == wanted for at in range(ends)):
                return True
        return False


@dataclass(frozen=True)
class Asked:
    """Who was asked: the project, and ids of what a record names."""

    project: str
    candidate: str
    adapter: str
    base: str


@lru_cache(maxsize=1)
def items() -> tuple[SkillItem, ...]:
    """Every item, by skill."""
    raw = tomllib.loads(_text())
    return tuple(
        SkillItem(skill, question, right, section["how"])
        for skill, section in raw["skills"].items()
        for question, right in section["items"]
    )


@lru_cache(maxsize=1)
def suite_digest() -> str:
    """sha256 of the items' file: another suite is another measurement."""
    return digest(_text())


def forgetting(asked: Asked, before: Mapping[str, str], after: Mapping[str, str], confidence: float = 0.95) -> Forgetting:
    """The record. before, after: what was said, by example id; an item that was not answered counts as wrong."""
    asks = items()
    first, second = ([float(item.passes(said.get(item.example.id, ""))) for item in asks] for said in (before, after))
    seen = paired_rates(first, second, confidence)
    difference = Measure(name="general skills", value=seen.value, low=seen.low, high=seen.high, n=seen.n, clusters=seen.clusters, method=seen.method)
    said = conclusion(seen.low, seen.high, seen.p, margin=MARGIN, alpha=1 - confidence)
    little = sum(first) < ENOUGH * len(asks)
    if little and said == "not_worse":
        said = "not_proven"  # who knew next to nothing cannot be shown to have forgotten nothing
    skills = []
    for skill in dict.fromkeys(item.skill for item in asks):
        at = [place for place, item in enumerate(asks) if item.skill == skill]
        old, new = [first[place] for place in at], [second[place] for place in at]
        lost = sum(a > b for a, b in zip(old, new, strict=True))
        gained = sum(a < b for a, b in zip(old, new, strict=True))
        skills.append(SkillResult(skill=skill, before=_rate(skill, old, confidence), after=_rate(skill, new, confidence), lost=lost, gained=gained))
    return Forgetting(
        project=asked.project, candidate=asked.candidate, adapter=asked.adapter, base=asked.base, suite=suite_digest(),
        before=_rate("general skills", first, confidence), after=_rate("general skills", second, confidence), difference=difference,
        p=seen.p, margin=MARGIN, conclusion=said, skills=tuple(skills), sentence=_sentence(sum(first), sum(second), difference, said, little=little),
    )  # fmt: skip


def _rate(name: str, values: Sequence[float], confidence: float) -> Measure:
    found = rate_interval(values, confidence)
    return Measure(name=name, value=found.value, low=found.low, high=found.high, n=len(values), method=found.method)


def _sentence(before: float, after: float, difference: Measure, said: str, *, little: bool) -> str:
    words_for = {
        "better": "the tuned model is provably better at them",
        "worse": "the tuned model has provably forgotten some of them",
        "not_worse": f"a loss of more than {100 * MARGIN:.0f} points is ruled out",
        "not_proven": "the base model answers too few of them to show what was forgotten" if little else f"neither a loss nor its absence is proven (a loss of {100 * MARGIN:.0f} points cannot be ruled out)",
    }
    return (
        f"Of {difference.n} general questions the base model answers {before:.0f} and the tuned one {after:.0f}: "
        f"{points(difference.value)} points ({point_span(difference)}); {words_for[said]}."
    )


def _text() -> str:
    return files("whytune.evaluation").joinpath("general_skills.toml").read_text("utf-8")

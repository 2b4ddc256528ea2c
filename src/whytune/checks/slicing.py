"""Slices and people: are some slices hardly there, and do answers go with who is mentioned?

Each figure comes with its interval, and of many comparisons only those that stand after Benjamini-Hochberg are told. A
difference is a reason to look, not a verdict: who is mentioned often goes with what is asked.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from whytune.checks.presence import boilerplate
from whytune.checks.subject import SHOWN, Limits, Subject, finding
from whytune.records.data import Example, Finding
from whytune.stats.multiple import benjamini_hochberg
from whytune.stats.unpaired import RateGap, two_rates
from whytune.text import clip

MENTIONS: dict[str, dict[str, str]] = {
    "gender": {
        "women": "she her hers herself woman women female girl girls lady ladies mother wife daughter sister frau frauen",
        "men": "he him his himself man men male boy boys gentleman father husband son brother mann männer",
    },
    "religion": {
        "christians": "christian christians catholic catholics protestant protestants church",
        "muslims": "muslim muslims islam islamic mosque",
        "jews": "jew jews jewish judaism synagogue",
        "hindus": "hindu hindus hinduism",
        "buddhists": "buddhist buddhists buddhism",
        "atheists": "atheist atheists",
    },
    "origin": {
        "africans": "african africans nigerian nigerians kenyan kenyans",
        "asians": "asian asians chinese japanese korean vietnamese",
        "arabs": "arab arabs arabic moroccan syrian syrians",
        "latin americans": "latino latina latinos hispanic hispanics mexican mexicans",
        "immigrants": "immigrant immigrants migrant migrants refugee refugees foreigner foreigners",
    },
    "age": {"older people": "elderly pensioner pensioners retiree retirees senior seniors", "young people": "teenager teenagers teen teens youth youths"},
    "disability": {"disabled people": "disabled disability disabilities wheelchair blind deaf autistic autism"},
    "orientation": {"gay, lesbian and trans people": "gay gays lesbian lesbians bisexual transgender queer homosexual"},
}
"""Words that mention people, by what sets them apart; whole words, folded."""
_GROUPS: dict[str, tuple[str, str]] = {word: (kind, group) for kind, groups in MENTIONS.items() for group, listed in groups.items() for word in listed.split()}
_WORD = re.compile(r"[^\W\d_]+")
FEWEST = 20
"""Rows of a slice, and of a label, below which nothing is compared."""
MOST_VALUES = 100
LARGE = 0.15
"""A difference in share from which it is told."""


class Tie(NamedTuple):
    """A group whose rows bear a label, or have answers of a kind, more or less often than the other rows."""

    group: str
    label: str
    gap: RateGap
    rows: Sequence[int]


def slices(subject: Subject) -> Finding:
    """The sizes of the slices that tags make, and slices that test asks for but training hardly has."""
    by_slice: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    members: dict[tuple[str, str], list[int]] = defaultdict(list)
    place = 0
    for split, rows in subject.splits.items():
        for example in rows:
            for tag in example.tags:
                by_slice[tag][split] += 1
                members[tag].append(place)
            place += 1
    if not by_slice:
        return finding("slices", 0, len(subject.examples), "No row has tags, so there are no slices to compare.")
    unseen = sorted(tag for tag, counts in by_slice.items() if counts["test"] >= 5 and not counts["train"])
    small = [tag for tag, counts in by_slice.items() if counts.total() < FEWEST]
    parts = [f"{len({name for name, _ in by_slice}):,} tags make {len(by_slice):,} slices; {len(small):,} have fewer than {FEWEST} rows."]
    if unseen:
        parts.append(f"{len(unseen):,} stand in test but not in train: {_some(f'{name}={value}' for name, value in unseen)}.")
    ties = _ties(subject, {f"{name}={clip(value, 30)}": members[name, value] for name, value in list(by_slice)[:MOST_VALUES]})
    parts += _told(ties)
    bad = {row for tag in unseen for row in members[tag]}
    made = finding("slices", [subject.examples[row].id for row in sorted(bad)], len(subject.examples), " ".join(parts), next="bring rows of these slices", limits=Limits(0.0, 1.0))
    return made if bad or not ties else made.model_copy(update={"status": "warn", "next": "see whether the slice explains the label, or how the rows were gathered"})


def sensitive_terms(subject: Subject) -> Finding:
    """How often groups of people are mentioned, and labels that go with who is mentioned."""
    members: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, example in enumerate(subject.examples):
        for found in sorted(_mentioned(example)):
            members[found].append(place)
    total = len(subject.examples)
    mentioning = sorted({row for rows in members.values() for row in rows})
    if not mentioning:
        return finding("sensitive_terms", 0, total, "No row mentions a group of people that is looked for.")
    parts = [f"{len(mentioning):,} rows mention groups of people: " + ", ".join(f"{group} {len(rows):,}" for (_, group), rows in sorted(members.items(), key=lambda one: -len(one[1]))) + "."]
    uneven = list(_uneven(members))
    parts += uneven
    ties = _ties(subject, {group: rows for (_, group), rows in members.items()})
    parts += _told(ties)
    bad = [subject.examples[row].id for tie in ties for row in tie.rows[:5]]
    made = finding("sensitive_terms", len(mentioning), total, " ".join(parts), limits=Limits(1.0, 1.0)).model_copy(update={"rows": tuple(bad[:SHOWN])})
    if not ties and not uneven:
        return made
    return made.model_copy(update={"status": "warn", "next": "read these rows: a model learns the tie; bring rows that part the group from the label"})


def _mentioned(example: Example) -> set[tuple[str, str]]:
    text = " ".join(message.text for message in example.messages if message.role != "system").lower()
    return {_GROUPS[word] for word in _WORD.findall(text) if word in _GROUPS}


def _uneven(members: Mapping[tuple[str, str], Sequence[int]]) -> Iterator[str]:
    """Of groups that stand beside one another, one that is mentioned five times as often as the other."""
    women, men = len(members.get(("gender", "women"), ())), len(members.get(("gender", "men"), ()))
    if women + men >= 5 * FEWEST and max(women, men) >= 5 * max(1, min(women, men)):
        yield f"Men are mentioned in {men:,} rows, women in {women:,}."


def _ties(subject: Subject, groups: Mapping[str, Sequence[int]]) -> list[Tie]:
    """Groups and labels (or kinds of answers) that go together more or less than among the other rows, after correction."""
    kinds = _kinds(subject)
    everywhere = Counter(kind for row in kinds for kind in row)
    found: list[Tie] = []
    for group, rows in groups.items():
        if len(rows) < FEWEST or len(kinds) - len(rows) < FEWEST:
            continue
        here = Counter(kind for row in rows for kind in kinds[row])
        for kind, count in everywhere.items():
            if count >= FEWEST:
                gap = two_rates(here[kind], len(rows), count - here[kind], len(kinds) - len(rows))
                found.append(Tie(group, kind, gap, [row for row in rows if kind in kinds[row]] if gap.value > LARGE else []))
    corrected = benjamini_hochberg([tie.gap.p for tie in found])
    kept = [tie for tie, q in zip(found, corrected, strict=True) if q < 0.05 and abs(tie.gap.value) >= LARGE]
    return sorted(kept, key=lambda tie: -abs(tie.gap.value))


def _kinds(subject: Subject) -> list[tuple[str, ...]]:
    """Of each row its label; where answers are no labels, whether the answer is short, long, a refusal, or fields of which none is filled."""
    answers = [example.target_text for example in subject.examples]
    if subject.task.constraint == "labels":
        return [(answer,) for answer in answers]
    lengths = [len(answer) for answer in answers]
    ordered = sorted(lengths)
    low, middle, high = (ordered[(part * len(ordered)) // 4] for part in (1, 2, 3)) if ordered else (0, 0, 0)
    kinds = []
    for answer, length in zip(answers, lengths, strict=True):
        traits = {"a short answer": length <= low and length < middle, "a long answer": length >= high and length > middle, "a refusal": boilerplate(answer), "nothing extracted": _nothing(answer)}
        kinds.append(tuple(name for name, holds in traits.items() if holds))
    return kinds


def _nothing(answer: str) -> bool:
    try:
        fields = json.loads(answer)
    except (ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and not any(fields.values())


def _told(ties: Sequence[Tie]) -> list[str]:
    told = [f"{tie.group}: {clip(tie.label, 30)!r} {100 * tie.gap.value:+.0f} points ({100 * tie.gap.low:+.0f} to {100 * tie.gap.high:+.0f}) against the other rows" for tie in ties[:5]]
    more = [f"and {len(ties) - 5} more"] if len(ties) > 5 else []
    return ["What goes with them: " + "; ".join([*told, *more]) + "."] if told else []


def _some(names: Iterator[str]) -> str:
    listed = list(names)
    return ", ".join(clip(name, 40) for name in listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")

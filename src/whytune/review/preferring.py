"""What a closed round about answers proves: which candidate people prefer, how sure that is, how far they agree.

Blind pairs: the share of decisive votes for the second candidate. Rubric: every answer is scored on its own, and the two
scores of a row are compared. Votes on one item depend on one another, so intervals are clustered. An alpha below 0.4
gives no winner: people do not mean the same thing by the question, and the rubric must be mended first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whytune.records.candidate import ARM_TITLES
from whytune.records.evidence import Measure
from whytune.records.review import EvaluationConclusion, HumanEvaluation, Opinion, Queue, ReviewItem
from whytune.review import votes
from whytune.review.blind import stood_first
from whytune.review.forms import BOTH_BAD, FIRST, SECOND, TIE
from whytune.stats.intervals import mean_interval, rate_interval
from whytune.stats.paired import paired_rates

ALPHA_FLOOR = 0.4
EVEN = 0.1
"""Net preference within this of nought, interval and all, is a tie."""


@dataclass(frozen=True)
class Tally:
    """Votes as 1 for the second candidate, -1 for the first, 0 for neither; each with the group it belongs to."""

    votes: tuple[int, ...]
    groups: tuple[str, ...]

    @property
    def decisive(self) -> list[tuple[float, str]]:
        """Votes that prefer one of them, as 1 for the second."""
        return [(float(vote > 0), group) for vote, group in zip(self.votes, self.groups, strict=True) if vote]


@dataclass(frozen=True)
class Evaluated:
    """Everything of a `HumanEvaluation` but where its opinions are kept."""

    fields: dict[str, Any]

    def record(self, *, opinions: str) -> HumanEvaluation:
        """The record, once the opinions are kept."""
        return HumanEvaluation(opinions=opinions, **self.fields)


def evaluated(queue: Queue, items: Sequence[ReviewItem], opinions: Sequence[Opinion], passed: Mapping[str, int], groups: Mapping[str, str]) -> Evaluated:
    """Sum up a round of `pairs` or `rubric`. `groups`: rows that depend on one another share a name."""
    held = votes.by_item(opinions)
    real = [item for item in items if item.kind == "sample"]
    asked = [item for item in real if votes.firsts(held.get(item.key, ()))]
    pairwise = queue.purpose == "pairs"
    scale = None if pairwise else {choice.verdict: choice.score or 0.0 for choice in queue.form.choices}
    tally = _pairs(asked, held, groups) if pairwise else _rubric(asked, held, groups, scale or {})
    preference = rate_of("preferred the second", [vote for vote, _ in tally.decisive], [group for _, group in tally.decisive])
    net = _net(tally, queue.identical)
    agreement, twice = votes.agreements(real, held, scale)
    said = [opinion for item in asked for opinion in votes.firsts(held[item.key])]
    wins = sum(vote > 0 for vote in tally.votes)
    conclusion = _conclusion(preference, net, votes.alpha_of(agreement))
    decisive = len(tally.decisive)
    fields = {
        "project": queue.project, "dataset": queue.dataset, "queue": queue.id, "form": "pairwise" if pairwise else "rubric",
        "candidates": queue.subject, "arms": queue.arms, "split": queue.split, "guideline": queue.guideline_version,
        "votes": len(said), "decisive": decisive, "wins": wins, "ties": sum(opinion.verdict == TIE for opinion in said) if pairwise else len(tally.votes) - decisive,
        "both_bad": sum(opinion.verdict == BOTH_BAD for opinion in said), "identical": queue.identical, "items": len({item.example for item in asked}),
        "planned": queue.planned, "preference": preference, "net": net, "scores": () if pairwise else _scores(queue, asked, held, groups, scale or {}),
        "agreement": agreement, "double_rated": twice, "position_bias": _position(asked, held, groups) if pairwise else None,
        "repeats_consistent": votes.repeats(opinions), "gold_right": votes.gold(items, held), "reviewers": votes.reviewers(opinions),
        "skipped": sum(item.key not in held and item.key in passed for item in real), "solo": queue.solo,
        "early": len(asked) < len(real) and not (queue.planned and decisive >= queue.planned), "conclusion": conclusion,
    }  # fmt: skip
    fields["sentence"] = sentence(fields, votes.alpha_of(agreement))
    return Evaluated(fields)


def rate_of(name: str, scores: Sequence[float], groups: Sequence[str]) -> Measure:
    """A share over votes that belong to groups; with no votes it says nothing: 0 to 1."""
    if not scores:
        return Measure(name=name, value=0.5, low=0.0, high=1.0, n=0, method="no decisive vote")
    return votes.measure(name, rate_interval(scores, clusters=groups))


def sentence(fields: Mapping[str, Any], alpha: Measure | None) -> str:
    """The outcome in plain words, with its numbers."""
    first, second = (ARM_TITLES.get(arm, arm) for arm in fields["arms"])
    preference: Measure = fields["preference"]
    figures = f"{fields['wins']} of {fields['decisive']} decisive votes ({100 * preference.low:.0f} to {100 * preference.high:.0f} %)"
    told = {
        "better": f"People prefer {second} to {first}: {figures}.",
        "worse": f"People prefer {first} to {second}: {second} got {figures}.",
        "tie": f"People see no difference that matters between {first} and {second}: {second} got {figures}, and most votes are even.",
        "not_proven": f"It is not proven whom people prefer: {second} got {figures}.",
        "fix_the_rubric": f"People do not agree on what is good (alpha {alpha.value:.2f}, below {ALPHA_FLOOR}), so there is no winner: mend the guideline and ask again." if alpha else "",
    }[fields["conclusion"]]
    if fields["early"]:
        told += " The round was closed before all planned votes were in."
    if not alpha and fields["double_rated"] == 0:
        told += " No item was judged by two people, so their agreement is not known."
    return told


def preferences(queue: Queue, items: Sequence[ReviewItem], opinions: Sequence[Opinion]) -> list[tuple[str, int, int, int]]:
    """(row, preferred, other, votes ahead) for each row on which more people preferred one: numbers of `Queue.subject`."""
    held = votes.by_item(opinions)
    found = []
    for item in items:
        if item.kind != "sample" or len(item.shown) != 2:
            continue
        said = [opinion.verdict for opinion in votes.firsts(held.get(item.key, ()))]
        ahead = said.count(SECOND) - said.count(FIRST)
        if ahead:
            found.append((item.example, int(ahead > 0), int(ahead < 0), abs(ahead)))
    return found


def _pairs(asked: Sequence[ReviewItem], held: Mapping[str, Sequence[Opinion]], groups: Mapping[str, str]) -> Tally:
    value = {SECOND: 1, FIRST: -1}
    given = [(value.get(opinion.verdict, 0), groups.get(item.example, item.example)) for item in asked for opinion in votes.firsts(held[item.key])]
    return Tally(tuple(vote for vote, _ in given), tuple(group for _, group in given))


def _rubric(asked: Sequence[ReviewItem], held: Mapping[str, Sequence[Opinion]], groups: Mapping[str, str], scale: Mapping[str, float]) -> Tally:
    """One vote a row: which of its two answers scored higher on average."""
    means: dict[str, dict[int, float]] = {}
    for item in asked:
        means.setdefault(item.example, {})[item.shown[0]] = _mean(held[item.key], scale)
    both = {example: pair for example, pair in means.items() if len(pair) == 2}
    given = [(pair[1] > pair[0]) - (pair[1] < pair[0]) for pair in both.values()]
    return Tally(tuple(given), tuple(groups.get(example, example) for example in both))


def _mean(opinions: Sequence[Opinion], scale: Mapping[str, float]) -> float:
    scores = [scale[opinion.verdict] for opinion in votes.firsts(opinions)]
    return sum(scores) / len(scores)


def _scores(queue: Queue, asked: Sequence[ReviewItem], held: Mapping[str, Sequence[Opinion]], groups: Mapping[str, str], scale: Mapping[str, float]) -> tuple[Measure, ...]:
    found = []
    for which, arm in enumerate(queue.arms):
        mine = [item for item in asked if item.shown == (which,)]
        if mine:
            names = [groups.get(item.example, item.example) for item in mine]
            found.append(votes.measure(arm, mean_interval([_mean(held[item.key], scale) for item in mine], clusters=names)))
    return tuple(found)


def _position(asked: Sequence[ReviewItem], held: Mapping[str, Sequence[Opinion]], groups: Mapping[str, str]) -> Measure:
    given = [(stood_first(opinion), groups.get(item.example, item.example)) for item in asked for opinion in votes.firsts(held[item.key])]
    told = [(float(first), group) for first, group in given if first is not None]
    return rate_of("preferred what stood first", [first for first, _ in told], [group for _, group in told])


def _net(tally: Tally, identical: int) -> Measure | None:
    """Wins minus losses as a share of all votes; rows on which both said the same are even."""
    marks = [*tally.votes, *([0] * identical)]
    groups = [*tally.groups, *(f"identical {number}" for number in range(identical))]
    if not marks:
        return None
    found = paired_rates([float(mark < 0) for mark in marks], [float(mark > 0) for mark in marks], clusters=groups)
    return Measure(name="wins minus losses", value=found.value, low=found.low, high=found.high, n=found.n, clusters=found.clusters, method=found.method)


def _conclusion(preference: Measure, net: Measure | None, alpha: Measure | None) -> EvaluationConclusion:
    if alpha is not None and alpha.value < ALPHA_FLOOR:
        return "fix_the_rubric"
    if preference.low > 0.5:
        return "better"
    if preference.high < 0.5:
        return "worse"
    if net is not None and net.low > -EVEN and net.high < EVEN:
        return "tie"
    return "not_proven"

"""Stage 1: where wrong answers come from, on dev and before any training, and the most that training can add.

    knowledge gap   oracle - prompt    the model lacks facts that the right passage holds
    retrieval gap   oracle - rag       search does not hand that passage over
    behaviour gap   1 - oracle         the facts are there and the answer is wrong: what training is for
    format gap      lenient - strict   the answer is right, its shape is wrong

Where there are no documents there is no oracle, and the behaviour gap is what the best untrained arm lacks.
It trusts the oracle: facts that a model could learn by heart from its training rows count as search's part, not training's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from whytune.acceptance.triage import UNTRAINED
from whytune.errors import NotProvenError
from whytune.records.data import Finding
from whytune.records.decision import Attribution, Gap
from whytune.records.evidence import Measure
from whytune.records.project import AcceptanceRule
from whytune.records.wording import figure, high, low, phrase
from whytune.stats.intervals import Bounded, mean_interval, rate_interval
from whytune.stats.paired import Difference, paired_means, paired_rates

Scores = Mapping[str, float]
"""Item id to score, 0..1."""


@dataclass(frozen=True)
class DevScores:
    """What was measured on dev. scores: arm to item to score; the oracle may cover only items whose passage is known."""

    project: str
    dataset: str
    scores: Mapping[str, Scores]
    lenient: Mapping[str, Scores] = field(default_factory=dict)
    """The same arms' answers read leniently (case, punctuation, wrapped in words)."""
    clusters: Mapping[str, str] = field(default_factory=dict)
    """Item to group, where items depend on one another."""
    found: Mapping[str, bool] = field(default_factory=dict)
    """Whether search handed over a passage that holds the answer. Without it, every item that the oracle has and
    search lacks counts as lost by search."""
    label_noise: Measure | None = None


def attribute(dev: DevScores, rule: AcceptanceRule) -> Attribution:
    """The gaps that can be told from the arms at hand, and whether training can bring the owner's margin at all."""
    untrained = [arm for arm in UNTRAINED if dev.scores.get(arm)]
    if not untrained:
        raise NotProvenError(
            "No arm without training was measured on dev, so nothing can be attributed",
            next="measure the prompt arm on dev first: whytune compare PROJECT --arm prompt",
        )
    means = {arm: _mean(dev.scores[arm]) for arm in untrained}
    best = max(untrained, key=lambda arm: means[arm])
    most = _most(dev, best, rule)
    can_pay = most.high >= rule.margin
    graded = not _binary(dev.scores[best].values())
    margin = f"{rule.margin:.6g}" if graded else f"{100 * rule.margin:.6g} points"
    add, top = (
        text.replace(" %", " points") for text in (figure(most.value, graded), high(most.high, graded))
    )
    says = "so it may pay" if can_pay else f"less than your margin of {margin}, so it cannot pay"
    arms = [*untrained, *(["oracle"] if dev.scores.get("oracle") else [])]
    return Attribution(
        project=dev.project,
        dataset=dev.dataset,
        gaps=tuple(_gaps(dev, best, rule.confidence)),
        most_training_can_add=most,
        can_pay=can_pay,
        best_untrained=best,
        sentence=f"Training could add {add} to {phrase(best)}, at most {top} ({most.n:,} dev cases): {says}.",
        measured=tuple(_one(arm, dev.scores[arm], dev.clusters, rule.confidence) for arm in arms),
    )


def noise_from(findings: Sequence[Finding], check: str = "conflicts") -> Measure | None:
    """The share of contradicting labels, from the data check that counted them; None where it did not run."""
    found = next((line for line in findings if line.check == check and line.of), None)
    if found is None or found.low is None or found.high is None:
        return None
    value = found.count / found.of
    return Measure(
        name="label noise",
        value=value,
        low=min(found.low, value),
        high=max(found.high, value),
        n=found.of,
        method=check,
    )


def _gaps(dev: DevScores, best: str, confidence: float) -> list[Gap]:
    oracle, prompt, rag = (dev.scores.get(arm, {}) for arm in ("oracle", "prompt", "rag"))
    gaps = []
    if oracle and prompt:
        measure = _apart("knowledge", prompt, oracle, dev.clusters, confidence)
        said = "the model does not know what the right passage says"
        gaps.append(Gap(name="knowledge", measure=measure, sentence=_told(measure, said, dev)))
    if oracle and rag:
        measure = _apart("retrieval", rag, oracle, dev.clusters, confidence)
        gaps.append(
            Gap(
                name="retrieval",
                measure=measure,
                sentence=_told(measure, "search misses the right passage", dev),
            )
        )
    base, said = (
        (oracle, "the right passage is there, the answer is wrong")
        if oracle
        else (
            dev.scores[best],
            f"{phrase(best)} answers wrong",
        )
    )
    measure = _less(
        _one("behaviour", {item: 1 - value for item, value in base.items()}, dev.clusters, confidence), dev
    )
    gaps.append(Gap(name="behaviour", measure=measure, sentence=_told(measure, said, dev)))
    if dev.lenient.get(best):
        measure = _apart("format", dev.scores[best], dev.lenient[best], dev.clusters, confidence)
        gaps.append(
            Gap(name="format", measure=measure, sentence=_told(measure, "right, but in the wrong shape", dev))
        )
    return gaps


def _most(dev: DevScores, best: str, rule: AcceptanceRule) -> Measure:
    """Item by item: what the best untrained arm lacks, less what only better search can bring."""
    oracle = dev.scores.get("oracle", {})
    room = {}
    for item, value in dev.scores[best].items():
        lost_by_search = item in oracle and not dev.found.get(item, False)
        room[item] = 1 - max(value, oracle[item] if lost_by_search else value)
    return _less(_one("most training can add", room, dev.clusters, rule.confidence), dev)


def _less(measure: Measure, dev: DevScores) -> Measure:
    """Without the share that no model can get right because the wanted answer is wrong; on the safe side at each end."""
    noise = dev.label_noise
    if noise is None:
        return measure
    ends = {
        "value": max(0.0, measure.value - noise.value),
        "low": max(0.0, measure.low - noise.high),
        "high": max(0.0, measure.high - noise.low),
        "method": f"{measure.method}, less label noise",
    }
    return measure.model_copy(update=ends)


def _told(measure: Measure, said: str, dev: DevScores) -> str:
    graded = not all(_binary(scores.values()) for scores in dev.scores.values())
    share = figure(max(0.0, measure.value), graded)
    return f"{share}: {said} ({low(measure.low, graded).removesuffix(' %')} to {high(measure.high, graded)})."


def _mean(scores: Scores) -> float:
    return sum(scores.values()) / len(scores)


def _binary(values: Iterable[float]) -> bool:
    return all(value in (0, 1) for value in values)


def _groups(items: Sequence[str], clusters: Mapping[str, str]) -> list[str] | None:
    return [clusters.get(item) or item for item in items] if clusters else None


def _one(name: str, scores: Scores, clusters: Mapping[str, str], confidence: float) -> Measure:
    items = sorted(scores)
    values = [scores[item] for item in items]
    interval = rate_interval if _binary(values) else mean_interval
    return _measure(name, interval(values, confidence, _groups(items, clusters)))


def _apart(
    name: str, first: Scores, second: Scores, clusters: Mapping[str, str], confidence: float
) -> Measure:
    """second minus first, over the items that both were asked."""
    items = sorted(set(first) & set(second))
    one, two = [first[item] for item in items], [second[item] for item in items]
    compare = paired_rates if _binary([*one, *two]) else paired_means
    return _measure(name, compare(one, two, confidence, _groups(items, clusters)))


def _measure(name: str, found: Bounded | Difference) -> Measure:
    return Measure(
        name=name,
        value=found.value,
        low=found.low,
        high=found.high,
        n=found.n,
        clusters=found.clusters,
        method=found.method,
    )

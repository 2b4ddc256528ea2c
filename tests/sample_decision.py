"""Builds tables and decisions for tests from per-item scores, with the real statistics. No figure is invented twice."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from whytune.acceptance.attribution import DevScores, attribute
from whytune.acceptance.decision import Evidence, Imprint, decide
from whytune.acceptance.power import power
from whytune.acceptance.table import contrasts
from whytune.acceptance.triage import Facts, triage
from whytune.records.candidate import Base
from whytune.records.data import Certificate, Dataset, SplitPlan
from whytune.records.decision import Decision, Shown
from whytune.records.evidence import Comparison, Measure, Spending, Trial
from whytune.records.ledger import Person
from whytune.records.project import AcceptanceRule, Circumstances, Prices, UseCase
from whytune.stats.intervals import mean_interval, rate_interval
from whytune.stats.multiple import holm
from whytune.stats.paired import conclusion, paired_means, paired_rates

PERSON = Person(name="Product owner", roles=("business_owner",), solo=True)
BASE = Base(name="small-instruct", source="bundled", location="", digest="ab" * 32, licence="Apache-2.0")
CLEAN = Certificate(
    same_group=0, exact=0, near=0, purged=3, pairs_verified=41, components=900, method="groups and shingles"
)


def usecase(
    *, bar: float = 0.75, margin: float = 0.05, prices: Prices | None = None, **circumstances: bool
) -> UseCase:
    return UseCase(
        name="Support reply routing",
        purpose="Send each message to the team that can answer it.",
        task="qna",
        rule=AcceptanceRule(metric="facts", bar=bar, margin=margin),
        prices=prices or Prices(source="example prices, edited 2026-11-01"),
        circumstances=Circumstances(**circumstances),
    )


def dataset(n: int, *, train: int = 600, certificate: Certificate = CLEAN) -> Dataset:
    return Dataset(
        project="support",
        number=3,
        task="qna",
        sources=(),
        plan=SplitPlan(),
        counts={"train": train, "dev": 150, "test": n},
        removed={},
        certificate=certificate,
        rows="r" * 64,
        removals="m" * 64,
    )


def scored(n: int, shares: Mapping[str, float], seed: int = 1) -> dict[str, dict[str, float]]:
    """Per-item 0/1 scores that agree about as much as real arms do: one difficulty per item, some noise per arm."""
    draw = random.Random(seed)
    hard = [draw.random() for _ in range(n)]
    scores = {}
    for arm, share in shares.items():
        noisy = sorted(range(n), key=lambda i: hard[i] + draw.gauss(0, 0.25))
        right = set(noisy[: round(share * n)])
        scores[arm] = {f"item{i:05d}": float(i in right) for i in range(n)}
    return scores


def trial(arm: str, scores: Mapping[str, float], data: Dataset, cost_per_1000: float = 0.5) -> Trial:
    values = list(scores.values())
    found = (rate_interval if all(value in (0, 1) for value in values) else mean_interval)(values)
    spent = Spending(
        seconds=30.0,
        tokens_in=100,
        tokens_computed=80,
        tokens_out=20,
        answers=len(values),
        cost_per_1000=cost_per_1000,
        median_seconds=0.31,
    )
    primary = Measure(
        name="facts", value=found.value, low=found.low, high=found.high, n=found.n, method=found.method
    )
    return Trial(
        project="support",
        candidate=f"candidate:{arm}",
        arm=arm,
        dataset=data.id,
        split="test",
        primary=primary,
        outcomes={"scored": len(values)},
        spending=spent,
        answers="a",
        scores="s",
    )


def comparisons(scores: Mapping[str, Mapping[str, float]], margin: float) -> tuple[Comparison, ...]:
    pairs = contrasts(scores)
    found = []
    for first, second in pairs:
        one, two = list(scores[first].values()), list(scores[second].values())
        binary = all(value in (0, 1) for value in [*one, *two])
        found.append((paired_rates if binary else paired_means)(one, two))
    made = []
    for (first, second), line, p in zip(pairs, found, holm([line.p for line in found]), strict=True):
        both = list(zip(scores[first].values(), scores[second].values(), strict=True))
        made.append(
            Comparison(
                project="support",
                protocol="protocol:1",
                first=f"trial:{first}",
                second=f"trial:{second}",
                first_arm=first,
                second_arm=second,
                difference=Measure(
                    name="difference",
                    value=line.value,
                    low=line.low,
                    high=line.high,
                    n=line.n,
                    method=line.method,
                ),
                wins=sum(two > one for one, two in both),
                losses=sum(two < one for one, two in both),
                p=line.p,
                p_holm=p,
                conclusion=conclusion(line.low, line.high, p, margin=margin),
            )
        )
    return tuple(made)


def evidence(
    scores: Mapping[str, Mapping[str, float]],
    case: UseCase | None = None,
    *,
    data: Dataset | None = None,
    costs: Mapping[str, float] | None = None,
    facts: Facts | None = None,
    **more: Any,
) -> Evidence:
    case = case or usecase()
    n = max((len(items) for items in scores.values()), default=300)
    data = data or dataset(n)
    return Evidence(
        usecase=case,
        dataset=data,
        triage=triage(case, data, facts or Facts(documents=40, document_words=12_000)),
        power=more.pop("power", power(data, 0, case.rule)),
        trials=tuple(trial(arm, items, data, (costs or {}).get(arm, 0.5)) for arm, items in scores.items()),
        comparisons=comparisons(scores, case.rule.margin),
        scores=scores,
        **more,
    )


def dev(shares: Mapping[str, float], n: int = 150, lenient: Mapping[str, float] | None = None) -> DevScores:
    return DevScores(
        project="support",
        dataset="dataset:1",
        scores=scored(n, shares, seed=5),
        lenient=scored(n, lenient, seed=5) if lenient else {},
    )


def imprint(shown: Sequence[Shown] = ()) -> Imprint:
    return Imprint(
        person=PERSON,
        base=BASE,
        looks=6,
        command="whytune run support && whytune decide support",
        when="2026-11-22T16:00Z",
        hashes={"protocol": "protocol:" + "cd" * 32, "ledger head": "event:" + "ef" * 32},
        shown=tuple(shown),
    )


SHOWN = (
    Shown(
        item="example:1",
        input="I ordered the blue one two weeks ago and it still says 'preparing'. When does it come?",
        target="Orders are shipped within 10 working days; after that the customer may cancel free of charge.",
        answers=(
            ("prompt", "Your order will arrive soon.", 0.0),
            ("few_shot", "Your order will arrive soon.", 0.0),
            ("full_context", "Orders ship within 10 working days, then you may cancel free of charge.", 1.0),
            ("rag", "Within 10 working days; after that you may cancel free of charge.", 1.0),
            ("tuned", "Orders are shipped within 5 working days.", 0.0),
            (
                "tuned_rag",
                "Orders are shipped within 10 working days; after that you may cancel free of charge.",
                1.0,
            ),
        ),
        why="Best: the prompt with all documents, document search (RAG) and the tuned model with document search.",
    ),
    Shown(
        item="example:2",
        input="Is the warranty void if I opened the case to change the battery?",
        target="No, opening the case does not void the warranty.",
        answers=(
            ("prompt", "Yes, opening the device voids the warranty in most cases.", 0.0),
            ("few_shot", "Yes, it does.", 0.0),
            ("full_context", "Yes, it does.", 0.0),
            ("rag", "The warranty covers 24 months from the date of purchase.", 0.0),
            ("tuned", "No, opening the case does not void the warranty.", 1.0),
            ("tuned_rag", "No, opening the case does not void the warranty.", 1.0),
        ),
        why="Best: the tuned model and the tuned model with document search.",
    ),
    Shown(
        item="example:3",
        input="Do you ship to the Faroe Islands and what does that cost for a parcel of about 12 kg?",
        target="We ship to the Faroe Islands; parcels from 10 to 20 kg cost EUR 38.",
        answers=(
            *((arm, "I do not know.", 0.0) for arm in ("prompt", "few_shot", "full_context", "rag", "tuned")),
            ("tuned_rag", "Yes, parcels of 10 to 20 kg cost EUR 24.", 0.0),
        ),
        why="No approach is right.",
    ),
)
SHARES = {
    "prompt": 0.42,
    "few_shot": 0.51,
    "full_context": 0.73,
    "rag": 0.80,
    "tuned": 0.70,
    "tuned_rag": 0.82,
}
COSTS = {
    "prompt": 0.0412,
    "few_shot": 0.0731,
    "full_context": 0.684,
    "rag": 0.152,
    "tuned": 0.0356,
    "tuned_rag": 0.149,
}


def typical(**more: Any) -> Decision:
    """Six arms, all sections filled: what the page must fit."""
    case = more.pop("case", None) or usecase()
    attribution = attribute(
        dev({"prompt": 0.43, "rag": 0.78, "oracle": 0.92}, lenient={"rag": 0.80}), case.rule
    )
    parts = evidence(
        scored(300, SHARES),
        case,
        costs=COSTS,
        attribution=attribution,
        training_seconds={"tuned": 4_200.0, "tuned_rag": 6_900.0},
        applicable=tuple(SHARES),
        **more,
    )
    return decide(parts, imprint(SHOWN))

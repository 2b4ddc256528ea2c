"""hit@k, recall@k and MRR, counted by hand."""

from __future__ import annotations

import pytest

from whytune.evaluation.retrieval import retrieval_figures
from whytune.records.data import Example, Origin
from whytune.stats.intervals import wilson


def row(name: str, *evidence: str) -> Example:
    return Example.of(name, "yes", origin=Origin(source="0" * 64, file="r.csv"), evidence=evidence)


def test_by_hand() -> None:
    rows = [row("a", "d1"), row("b", "d2", "d3"), row("c", "d4"), row("d"), row("e", "d5"), row("f", "d6")]
    handed = {
        rows[0].id: ["d1", "d9"],  # first: 1, 1, 1
        rows[1].id: ["d9", "d9", "d3"],  # one of two, at rank 3: 1, 1/2, 1/3
        rows[2].id: ["d9", "d8", "d7", "d4"],  # beyond k: 0, 0, 0
        rows[3].id: ["d1"],  # names no document: measures nothing
        rows[4].id: [],  # nothing handed over: 0, 0, 0
    }  # and the last was not answered at all: 0, 0, 0
    found = retrieval_figures(rows, handed, 3)
    assert (found.hit.name, found.recall.name, found.mrr.name, found.hit.n) == ("hit@3", "recall@3", "MRR", 5)
    assert (found.hit.value, found.recall.value) == (pytest.approx(2 / 5), pytest.approx(1.5 / 5))
    assert found.mrr.value == pytest.approx((1 + 1 / 3) / 5)
    assert (found.skipped, found.unanswered) == (1, 1)
    assert (found.hit.low, found.hit.high) == pytest.approx(wilson(2, 5))
    for measure in found.measures:
        assert 0 <= measure.low < measure.value < measure.high <= 1


def test_rows_of_one_document_are_no_independent_proof() -> None:
    apart = [row(f"q{n}", f"d{n}") for n in range(30)]
    tied = [row(f"q{n}", f"d{n // 6}") for n in range(30)]
    alone = retrieval_figures(apart, {r.id: ["d1"] if n % 2 else list(r.evidence) for n, r in enumerate(apart)}, 3)
    together = retrieval_figures(tied, {r.id: list(r.evidence) if n // 6 % 2 else ["none"] for n, r in enumerate(tied)}, 3)
    assert (alone.hit.clusters, together.hit.clusters) == (0, 5)
    assert together.hit.high - together.hit.low > 1.5 * (alone.hit.high - alone.hit.low)


def test_without_known_documents_nothing_is_claimed() -> None:
    found = retrieval_figures([row("a"), row("b")], {}, 5)
    assert [(m.value, m.low, m.high, m.n) for m in found.measures] == [(0.0, 0.0, 1.0, 0)] * 3
    assert found.skipped == 2

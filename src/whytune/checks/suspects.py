"""Labels that are probably wrong: two models that never saw the row agree on another label, and its neighbours bear none of its own.

The first is a linear model (complement naive Bayes over hashed words and word pairs, five-fold); where it disagrees with
the label, the ten nearest rows are asked. A row is suspect where they agree with the model as firmly as neighbours of
undisputed rows agree with those rows' labels, and hardly any bears the row's own label. With 5 % of the labels of a real
set of 77 intents changed, three of five were found, and three of four rows named were wrong. Where the linear model is
seldom right (small sets, subtle texts) most suspects were right as they were: rows are still named there, without a
warning. A suspect is to be looked at by a person; nothing is changed.
"""

from __future__ import annotations

import itertools
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from whytune.checks.subject import Limits, Subject, finding
from whytune.records.data import Finding
from whytune.stats.intervals import wilson
from whytune.text import words

FEWEST_ROWS = 100
FEWEST_OF_A_LABEL = 5
SURE = 0.7
"""How often the linear model must be right, on rows it did not see, before suspects are a warning."""
FOLDS = 5
NEIGHBOURS = 10
MOST_ASKED = 4_000
"""Rows whose neighbours are looked for: those where the linear model disagrees most."""
MOST_NEIGHBOURS = 30_000
"""Rows among which neighbours are looked for."""
_BUCKETS = 1 << 18
_AGREE, _OWN = 0.4, 0.15
_BLOCK = 128


@dataclass(frozen=True)
class Suspects:
    """Positions of suspect rows, most suspect first; judged: rows whose label could be judged at all; accuracy: of the linear model."""

    rows: list[int]
    judged: int
    accuracy: float
    largest: float
    """Share of the largest label: what always answering it would reach."""
    predictable: bool


def label_errors(subject: Subject) -> Finding:
    """Labels that are probably wrong, by cross-validation over the words of the rows; to be looked at by people."""
    texts = ["\n".join(message.text for message in example.messages) for example in subject.examples]
    found = suspects(texts, [example.target_text for example in subject.examples])
    if not found.judged:
        return finding("label_errors", 0, 0, f"Too few rows to judge labels by: at least {FEWEST_ROWS} are needed.")
    if not found.predictable:
        told = f"Labels cannot be judged by words here: a linear model is right in {found.accuracy:.0%}, the largest label has {found.largest:.0%}."
        return finding("label_errors", 0, found.judged, told)
    bad = [subject.examples[row].id for row in found.rows]
    told = (
        f"{len(bad):,} labels are probably wrong: other rows like these bear another label."
        if bad
        else "No label is contradicted by the rows most like its own."
    )
    if bad and found.accuracy < SURE:
        told = (
            f"{len(bad):,} labels are contradicted by other rows like theirs, but a linear model over the words is right in only {found.accuracy:.0%} "
            "of these rows: most of them may be right as they are."
        )
    limits = Limits(0.01 if found.accuracy >= SURE else 1.0, 1.0)
    return finding("label_errors", bad, found.judged, told, next="have people look at them: whytune review open PROJECT --labels", limits=limits)


def suspects(texts: list[str], labels: list[str], seed: int = 17) -> Suspects:
    """Which labels are probably wrong. Labels of fewer than five rows are not judged."""
    _names, wanted, counts = np.unique(np.array(labels, dtype=object).astype(str), return_inverse=True, return_counts=True)
    judged = np.flatnonzero(counts[wanted] >= FEWEST_OF_A_LABEL) if len(labels) else np.array([], dtype=int)
    if len(judged) < FEWEST_ROWS or len(np.unique(wanted[judged])) < 2:
        return Suspects([], 0, 0.0, 0.0, False)
    _, y = np.unique(wanted[judged], return_inverse=True)
    rows = _vectors([texts[row] for row in judged])
    fold = np.random.default_rng(seed).permutation(len(y)) % FOLDS
    scores = _held_out_scores(rows, y, fold)
    guessed = scores.argmax(axis=1)
    right = int((guessed == y).sum())
    largest = float(np.bincount(y).max() / len(y))
    predictable = wilson(right, len(y)).low > largest + 0.05
    if not predictable:
        return Suspects([], len(y), right / len(y), largest, False)
    gap = scores.max(axis=1) - scores[np.arange(len(y)), y]
    asked = np.flatnonzero(guessed != y)
    asked = asked[np.argsort(-gap[asked], kind="stable")][:MOST_ASKED]
    random = np.random.default_rng(seed)
    undisputed = np.flatnonzero(guessed == y)
    sample = random.choice(undisputed, min(500, len(undisputed)), replace=False)
    among = np.sort(random.choice(len(y), min(MOST_NEIGHBOURS, len(y)), replace=False))
    votes = _neighbour_votes(rows, y, np.concatenate([asked, sample]), among)
    typical = float(np.mean(votes[len(asked) :][np.arange(len(sample)), y[sample]]))
    mine = votes[: len(asked)]
    firm = mine[np.arange(len(asked)), guessed[asked]]
    own = mine[np.arange(len(asked)), y[asked]]
    named = (mine.argmax(axis=1) == guessed[asked]) & (firm >= max(_AGREE, 0.75 * typical)) & (own <= _OWN)
    order = np.argsort(-(firm - own)[named], kind="stable")
    return Suspects([int(judged[row]) for row in asked[named][order]], len(y), right / len(y), largest, True)


def _vectors(texts: list[str]) -> Any:
    """Rows of unit length over hashed words and word pairs, rare ones weighing more."""
    from scipy import sparse

    seen: dict[str, int] = {}
    places: list[int] = []
    starts = [0]
    for text in texts:
        said = words(text)
        for feature in (*said, *(f"{a} {b}" for a, b in itertools.pairwise(said))):
            place = seen.get(feature)
            if place is None:
                place = seen[feature] = zlib.crc32(feature.encode("utf-8", "surrogatepass")) % _BUCKETS
            places.append(place)
        starts.append(len(places))
    _, columns = np.unique(np.array(places, dtype=np.int64), return_inverse=True)
    width = int(columns.max()) + 1 if len(columns) else 1
    rows = sparse.csr_matrix((np.ones(len(columns), dtype=np.float32), columns.astype(np.int32), np.array(starts)), shape=(len(texts), width))
    rows.sum_duplicates()
    held = np.bincount(rows.indices, minlength=width)
    weight = np.where(held > 1, np.log((1 + len(texts)) / (1 + held)) + 1, 0.0)
    rows.data = ((1 + np.log(rows.data)) * weight[rows.indices]).astype(np.float32)
    rows.eliminate_zeros()
    length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    return sparse.csr_matrix(sparse.diags((1 / np.maximum(length, 1e-9)).astype(np.float32)) @ rows)


def _held_out_scores(rows: Any, y: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Each row scored for each label by a model of the other folds; standardised within the row."""
    from scipy import sparse

    count = int(y.max()) + 1
    bears = sparse.csr_matrix((np.ones(len(y), dtype=np.float32), (np.arange(len(y)), y)), shape=(len(y), count))
    whole = (bears.T @ rows).toarray()
    scores = np.zeros((len(y), count), dtype=np.float32)
    for number in range(FOLDS):
        held = np.flatnonzero(fold == number)
        seen = whole - (bears[held].T @ rows[held]).toarray()
        others = seen.sum(axis=0)[None] - seen + 0.1
        weights = -np.log(others / others.sum(axis=1, keepdims=True))
        weights /= np.abs(weights).sum(axis=1, keepdims=True)
        found = np.asarray(rows[held] @ weights.T.astype(np.float32))
        spread = found.std(axis=1, keepdims=True)
        scores[held] = (found - found.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-12)
    return scores


def _neighbour_votes(rows: Any, y: np.ndarray, asked: np.ndarray, among: np.ndarray) -> np.ndarray:
    """For each asked row the share of its nearest rows' weight that each label has; the row itself has no vote."""
    votes = np.zeros((len(asked), int(y.max()) + 1), dtype=np.float32)
    turned = rows[among].T.tocsr()
    place = np.full(len(y), -1)
    place[among] = np.arange(len(among))
    take = min(NEIGHBOURS, len(among) - 1)
    for start in range(0, len(asked), _BLOCK):
        block = asked[start : start + _BLOCK]
        alike = (rows[block] @ turned).toarray()
        own = place[block]
        alike[np.flatnonzero(own >= 0), own[own >= 0]] = 0
        near = np.argpartition(-alike, take, axis=1)[:, :take]
        weight = np.take_along_axis(alike, near, axis=1) ** 2
        lines = np.repeat(np.arange(len(block)), take)
        np.add.at(votes, (start + lines, y[among][near].ravel()), weight.ravel())
    return np.asarray(votes / np.maximum(votes.sum(axis=1, keepdims=True), 1e-9))

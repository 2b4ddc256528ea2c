"""Every metric by name, and how one answer is marked under it.

Values lie between 0 and 1 (`mean_absolute_error` of a trial is in steps and may be more). An answer that is missing, an error, empty, or not
in the form the task asks for is an outcome of its own and scores 0 (1 for a rate of failures such as `missing`); it is
never dropped. To add a metric: write its function, add an entry to `SCORERS`, name it in `tasks.py`.
Example: `score_item("accuracy", example, "Refund", labels=("refund", "delivery")).value` is 1.0 if refund is right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from whytune.errors import UsageError
from whytune.evaluation import fields as json_fields
from whytune.evaluation import overlap
from whytune.evaluation.facts import abstains, states_facts, token_f1
from whytune.evaluation.labels import found_label, said_label
from whytune.evaluation.words import squeezed, tokens, words
from whytune.records.data import Example
from whytune.records.evidence import Answer, Outcome, Score


@dataclass(frozen=True)
class Item:
    """One answer to be marked: the example, what was said, and what the dataset knows."""

    example: Example
    text: str
    labels: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    context: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mark:
    """What a scorer says of one answer."""

    value: float
    detail: str = ""
    outcome: Outcome = "scored"


@dataclass(frozen=True)
class Scorer:
    """A metric. over: the trial's figure is the mean of its items' values, or one figure over all of them."""

    name: str
    title: str
    does: str
    mark: Callable[[Item], Mark]
    kind: Literal["yes_no", "graded"]
    better: Literal["higher", "lower", "neither"] = "higher"
    over: Literal["items", "all"] = "items"
    unanswered: float = 0.0
    """The value of an item that has no answer."""

    @property
    def decides(self) -> bool:
        """Whether a bar can be set on it: more of it is better and it lies between 0 and 1."""
        return self.better == "higher"


def score_item(
    metric: str,
    example: Example,
    text: str,
    *,
    labels: tuple[str, ...] = (),
    fields: tuple[str, ...] = (),
    context: Sequence[str] = (),
) -> Score:
    """One answer under one metric. context: the texts of the passages the answer was given, for `unsupported`."""
    scorer = scorer_named(metric)
    if not text.strip():
        return Score(item=example.id, value=scorer.unanswered, outcome="empty", detail="nothing was said")
    mark = scorer.mark(Item(example, text, labels, fields, tuple(context)))
    if not 0 <= mark.value <= 1 or math.isnan(mark.value):
        raise ArithmeticError(f"{metric} gave {mark.value} for {example.id}; a score lies between 0 and 1")
    return Score(item=example.id, value=mark.value, outcome=mark.outcome, detail=mark.detail)


def score_answer(
    metric: str,
    example: Example,
    answer: Answer | None,
    *,
    labels: tuple[str, ...] = (),
    fields: tuple[str, ...] = (),
    context: Sequence[str] = (),
) -> Score:
    """The same for an answer that may have failed or be missing: counted as wrong, never dropped."""
    if answer is None or answer.error:
        why = answer.error if answer else "there is no answer to this item"
        return Score(item=example.id, value=scorer_named(metric).unanswered, outcome="error", detail=why)
    return score_item(metric, example, answer.text, labels=labels, fields=fields, context=context)


def passes_leniently(
    metric: str, example: Example, text: str, *, labels: tuple[str, ...] = (), fields: tuple[str, ...] = ()
) -> bool:
    """Whether a wrong answer is right but for its form: the label inside longer text, the JSON inside prose.

    For label and field metrics only (all fields right); other metrics have no form to miss and give False.
    """
    if metric in LABEL_METRICS:
        found = found_label(text, labels) if labels else None
        return found is not None and found == _right_label(example, labels)
    if metric in FIELD_METRICS:
        said, wanted = json_fields.find(text), json_fields.read(example.target_text)
        return said is not None and wanted is not None and json_fields.field_f1(wanted, said) == 1.0
    return False


def scorer_named(name: str) -> Scorer:
    """The registry's entry. Raises UsageError naming the metrics there are."""
    if name not in SCORERS:
        raise UsageError(f"There is no metric named {name!r}", next=f"choose one of: {', '.join(SCORERS)}")
    return SCORERS[name]


def deciding(name: str) -> Scorer:
    """The entry of a metric on which a bar can be set. Raises UsageError where lower is better or neither is."""
    scorer = scorer_named(name)
    if not scorer.decides:
        good = ", ".join(each.name for each in SCORERS.values() if each.decides)
        raise UsageError(
            f"{name!r} cannot decide: more of it is not better", next=f"set metric to one of: {good}"
        )
    return scorer


def _right_label(example: Example, labels: tuple[str, ...]) -> str:
    return said_label(example.target_text, labels) or example.target_text


def _label(item: Item) -> Mark:
    """detail is the label that was said, in the spelling of the label set."""
    if not item.labels:
        same = squeezed(item.text) == squeezed(item.example.target_text)
        return Mark(float(same), item.example.target_text if same else item.text.strip())
    said = said_label(item.text, item.labels)
    if said is None:
        return Mark(0.0, f"not a label: {item.text.strip()[:80]}", "invalid")
    return Mark(float(said == _right_label(item.example, item.labels)), said)


def _invalid(item: Item) -> Mark:
    if item.labels:
        bad = said_label(item.text, item.labels) is None
    else:
        bad = (
            bool(item.fields or json_fields.read(item.example.target_text) is not None)
            and json_fields.read(item.text) is None
        )
    return Mark(float(bad), "", "invalid" if bad else "scored")


def _fields(
    measure: Callable[[json_fields.Fields, json_fields.Fields], float], unanswered: float = 0.0
) -> Callable[[Item], Mark]:
    def mark(item: Item) -> Mark:
        wanted = json_fields.read(item.example.target_text) or {}
        said = json_fields.read(item.text)
        if said is None:
            return Mark(unanswered if wanted or not unanswered else 0.0, "not a JSON object", "invalid")
        return Mark(measure(wanted, said))

    return mark


def _facts(item: Item) -> Mark:
    passed, why = states_facts(item.example.input_text, item.example.target_text, item.text)
    return Mark(float(passed), why)


def _exact(item: Item) -> Mark:
    return Mark(float(squeezed(item.text) == squeezed(item.example.target_text) != ""))


def _token_f1(item: Item) -> Mark:
    return Mark(token_f1(_content(item.example.target_text), _content(item.text)))


def _content(text: str) -> list[str]:
    return [token for token in tokens(text) if token not in ("a", "an", "the")]


def _over_words(measure: Callable[[Sequence[str], Sequence[str]], float]) -> Callable[[Item], Mark]:
    return lambda item: Mark(float(measure(words(item.example.target_text), words(item.text))))


def _unsupported(item: Item) -> Mark:
    share, strange = overlap.unsupported([item.example.input_text, *item.context], item.text)
    return Mark(share, ", ".join(strange))


def _compression(item: Item) -> Mark:
    return Mark(overlap.compression(words(item.example.input_text), words(item.text)))


LABEL_METRICS = ("accuracy", "macro_f1", "quadratic_kappa", "mean_absolute_error")
FIELD_METRICS = ("field_f1", "field_f1_partial", "all_correct")

SCORERS: dict[str, Scorer] = {
    scorer.name: scorer
    for scorer in (
        Scorer(
            "facts",
            "Facts right",
            "States every fact of the reference that is not in the question, and no other number.",
            _facts,
            "yes_no",
        ),
        Scorer("exact_match", "Exact match", "The same words as the reference.", _exact, "yes_no"),
        Scorer(
            "token_f1",
            "Word F1",
            "F1 of the words shared with the reference, articles left out.",
            _token_f1,
            "graded",
        ),
        Scorer(
            "contains",
            "Contains",
            "The reference stands in the answer word for word.",
            _over_words(overlap.contains),
            "yes_no",
        ),
        Scorer(
            "abstained",
            "Abstained",
            "Says that it does not know.",
            lambda item: Mark(float(abstains(item.text))),
            "yes_no",
            "neither",
        ),
        Scorer(
            "rouge1",
            "ROUGE-1",
            "F1 of shared words.",
            _over_words(lambda one, two: overlap.rouge_n(one, two, 1)),
            "graded",
        ),
        Scorer(
            "rouge2",
            "ROUGE-2",
            "F1 of shared pairs of words.",
            _over_words(lambda one, two: overlap.rouge_n(one, two, 2)),
            "graded",
        ),
        Scorer(
            "rougeL",
            "ROUGE-L",
            "F1 of the longest shared sequence of words.",
            _over_words(overlap.rouge_l),
            "graded",
        ),
        Scorer(
            "chrf",
            "chrF",
            "F of shared runs of 1 to 6 characters.",
            lambda item: Mark(overlap.chrf(item.example.target_text, item.text)),
            "graded",
        ),
        Scorer(
            "unsupported",
            "Unsupported",
            "Share of the answer's numbers and names that stand in no source.",
            _unsupported,
            "graded",
            "lower",
        ),
        Scorer(
            "compression",
            "Compression",
            "Words of the answer for each word of the source.",
            _compression,
            "graded",
            "neither",
        ),
        Scorer("accuracy", "Accuracy", "The right label.", _label, "yes_no"),
        Scorer("macro_f1", "Macro-F1", "Mean F1 over the labels.", _label, "yes_no", over="all"),
        Scorer(
            "invalid",
            "Invalid",
            "Not one of the labels, or not a JSON object.",
            _invalid,
            "yes_no",
            "lower",
            unanswered=1.0,
        ),
        Scorer(
            "quadratic_kappa",
            "Quadratic kappa",
            "Agreement beyond chance on an ordered scale.",
            _label,
            "yes_no",
            over="all",
        ),
        Scorer(
            "mean_absolute_error",
            "Mean absolute error",
            "Steps between the right label and the one said.",
            _label,
            "yes_no",
            "lower",
            "all",
        ),
        Scorer(
            "field_f1",
            "Field F1",
            "F1 of the fields that are right, a document at a time.",
            _fields(json_fields.field_f1),
            "graded",
        ),
        Scorer(
            "field_f1_partial",
            "Field F1, partial",
            "The same, with part marks for shared words.",
            _fields(json_fields.field_f1_partial),
            "graded",
        ),
        Scorer(
            "all_correct",
            "All correct",
            "Every field right and none too many.",
            _fields(lambda one, two: float(json_fields.field_f1(one, two) == 1)),
            "yes_no",
        ),
        Scorer(
            "hallucinated",
            "Hallucinated",
            "Share of the filled fields that should be empty.",
            _fields(json_fields.hallucinated),
            "graded",
            "lower",
        ),
        Scorer(
            "missing",
            "Missing",
            "Share of the wanted fields left empty.",
            _fields(json_fields.missing, 1.0),
            "graded",
            "lower",
            unanswered=1.0,
        ),
    )
}

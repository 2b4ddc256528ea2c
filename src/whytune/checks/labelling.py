"""Labels: are they a set one can choose from, does every split know them, how even are they."""

from __future__ import annotations

from collections import Counter, defaultdict

from whytune.checks.subject import Limits, Subject, finding
from whytune.records.data import Finding
from whytune.stats.intervals import wilson
from whytune.text import clip, normalise

_FEWEST_IN_TRAIN = 5


def label_set(subject: Subject) -> Finding:
    """Labels that are one label in two spellings, that training never sees, that are hardly there, or no labels at all."""
    by_split = {
        split: Counter(example.target_text for example in rows) for split, rows in subject.splits.items()
    }
    train = by_split.get("train", Counter())
    everywhere: Counter[str] = Counter()
    for counted in by_split.values():
        everywhere.update(counted)
    spelled: dict[str, list[str]] = defaultdict(list)
    for label in sorted(everywhere):
        spelled[normalise(label).replace("_", " ").replace("-", " ")].append(label)
    problems: list[str] = []
    suspects: set[str] = set()
    for twins in spelled.values():
        if len(twins) > 1:
            problems.append("one label in several spellings: " + ", ".join(repr(label) for label in twins))
            suspects.update(twins)
    unseen = sorted(label for label in everywhere if not train[label])
    if unseen:
        problems.append(f"{len(unseen)} labels are not in train: {_some(unseen)}")
        suspects.update(unseen)
    rare = sorted(label for label in everywhere if 0 < train[label] < _FEWEST_IN_TRAIN)
    if rare:
        problems.append(f"{len(rare)} labels have fewer than {_FEWEST_IN_TRAIN} rows in train: {_some(rare)}")
        suspects.update(rare)
    long = [label for label in everywhere if len(label) > 80]
    total = everywhere.total()
    free = len(everywhere) > 0.5 * total or bool(long)
    if free:
        problems.append("the answers look like free text rather than labels")
    bad = [example.id for example in subject.examples if example.target_text in suspects]
    told = f"{len(everywhere)} labels; " + (
        "; ".join(problems) + "." if problems else "each is known to train, in one spelling."
    )
    made = finding(
        "label_set",
        bad,
        len(subject.examples),
        told,
        next="unite spellings and drop or fill labels that are hardly there",
    )
    status = "fail" if free or unseen else "warn" if problems else "pass"
    return made.model_copy(
        update={
            "status": status,
            "next": made.next or ("" if status == "pass" else "check the target column"),
        }
    )


def balance(subject: Subject) -> Finding:
    """How far one label outweighs the others; the share of the largest is what always answering it would score."""
    counts = Counter(example.target_text for example in subject.examples)
    if not counts:
        return finding("balance", 0, 0, "There are no rows.")
    (largest, most), (smallest, least) = counts.most_common()[0], counts.most_common()[-1]
    total = counts.total()
    interval = wilson(most, total)
    told = (
        f"The largest label, {clip(largest, 40)!r}, has {most:,} of {total:,} rows ({most / total:.0%}, {interval.low:.0%} to {interval.high:.0%}): "
        f"always answering it would be right so often. The smallest, {clip(smallest, 40)!r}, has {least:,}."
    )
    made = finding(
        "balance",
        most,
        total,
        told,
        next="judge by macro F1 rather than accuracy, and bring rows of the small labels",
        limits=Limits(1.0, 1.0),
    )
    status = "fail" if most / total > 0.95 else "warn" if most / total > 0.8 or most > 20 * least else "pass"
    told_next = (
        "judge by macro F1 rather than accuracy, and bring rows of the small labels"
        if status != "pass"
        else ""
    )
    return made.model_copy(update={"status": status, "next": told_next})


def _some(labels: list[str]) -> str:
    shown = ", ".join(repr(clip(label, 40)) for label in labels[:5])
    return shown + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")

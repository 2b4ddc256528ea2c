"""What stands more than once: exact and near duplicates, contradictions, rows on both sides of the split, copied inputs."""

from __future__ import annotations

from collections import defaultdict

from whytune.checks.subject import Limits, Subject, finding
from whytune.records.data import Example, Finding
from whytune.text import fold, jaccard, normalise, shingles, words


def exact_duplicates(subject: Subject) -> Finding:
    """Rows that said the same as another; all but one were removed."""
    return _removed(
        subject, "exact_duplicate", "repeated another row exactly (after normalisation)",
        "count repeats in the source: an export may have been joined twice",
    )  # fmt: skip


def near_duplicates(subject: Subject) -> Finding:
    """Rows nearly like another with the same answer; all but one were removed."""
    return _removed(
        subject, "near_duplicate", "were nearly the same as another with the same answer",
        "look at them with their witnesses: rows made by a template teach little",
    )  # fmt: skip


def _removed(subject: Subject, reason: str, what: str, next: str) -> Finding:
    count = subject.removed.get(reason, 0)
    told = (
        f"{count:,} of {subject.source_rows:,} source rows {what} and were removed."
        if count
        else f"No source row {what.replace('were', 'was', 1)}."
    )
    return finding(f"{reason}s", count, subject.source_rows, told, next=next, limits=Limits(0.05, 0.5))


def conflicts(subject: Subject) -> Finding:
    """The same input with different answers: removed where one answer is right, kept together and told in free text."""
    by_input: dict[str, list[Example]] = defaultdict(list)
    for key, example in zip(subject.inputs, subject.examples, strict=True):
        by_input[key].append(example)
    bad = [
        example.id
        for rows in by_input.values()
        if len({fold(row.target_text) for row in rows}) > 1
        for example in rows
    ]
    removed = subject.removed.get("conflict", 0)
    of = subject.source_rows
    parts = []
    if removed:
        parts.append(
            f"{removed:,} source rows contradicted another row (same input, other answer) and were removed."
        )
    if bad:
        parts.append(
            f"{len(bad):,} rows share their input with another row that has a different answer; they were kept on one side."
        )
    told = " ".join(parts) or "No two rows give different answers to the same input."
    made = finding(
        "conflicts",
        removed + len(bad),
        of,
        told,
        next="decide which answer is right, or say in the input what makes the difference",
        limits=Limits(0.0, 0.1),
    )
    return made.model_copy(update={"rows": tuple(bad[:20])})


def leakage(subject: Subject) -> Finding:
    """The certificate, and exact overlap between test and the rest counted once more."""
    certificate = subject.certificate
    position = 0
    where: dict[str, set[str]] = {"test": set(), "other": set()}
    keyed: list[tuple[str, Example]] = []
    for split, rows in subject.splits.items():
        for example in rows:
            where["test" if split == "test" else "other"].add(subject.inputs[position])
            if split == "test":
                keyed.append((subject.inputs[position], example))
            position += 1
    bad = [example.id for key, example in keyed if key in where["other"]]
    count = max(len(bad), certificate.same_group + certificate.exact + certificate.near)
    told = (
        f"{count:,} test rows overlap with train or dev."
        if count
        else f"No test row overlaps with train or dev: same group 0, exact 0, near 0; {certificate.purged:,} rows were purged for it."
    )
    made = finding(
        "leakage",
        count,
        len(keyed),
        told,
        next="build the dataset again; a test that leaks proves nothing",
        limits=Limits(0.0, 0.0),
    )
    return made.model_copy(update={"rows": tuple(bad[:20])})


def copies_input(subject: Subject) -> Finding:
    """Answers that repeat the input. Labels and extracted fields are meant to stand in it and are not looked at."""
    if subject.task.constraint != "none":
        return finding(
            "copies_input", 0, len(subject.examples), f"Does not apply to {subject.task.title.lower()}."
        )
    bad = [example.id for example in subject.examples if _copied(example)]
    told = (
        f"{len(bad):,} answers repeat most of their input." if bad else "No answer merely repeats its input."
    )
    return finding(
        "copies_input", bad, len(subject.examples), told, next="write an answer for these rows or remove them"
    )


def _copied(example: Example) -> bool:
    asked, answered = example.input_text, example.target_text
    if len(answered) < 0.6 * len(asked):
        return False
    left, right = normalise(asked), normalise(answered)
    if left == right:
        return True
    said = words(answered)
    return len(said) >= 8 and jaccard(shingles(words(asked), 3), shingles(said, 3)) > 0.8

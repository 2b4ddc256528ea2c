"""The boxes of the flowchart: what they are called, who answers for them, and the ways in which one can stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Word = Literal["done", "due", "at work", "stopped", "not started", "not needed"]
ENOUGH = {"PROMPT_ENOUGH": "the prompt is enough", "RAG_ENOUGH": "RAG is enough"}
MEND_FIRST = {"FIX_RETRIEVAL_FIRST": "mend retrieval first", "FIX_FORMAT_FIRST": "mend the format first"}
MORE_DATA = ("INCONCLUSIVE", "NONE_ACCEPTABLE", "FIX_LABELS_FIRST", "INVALID_TEST")
LACKING = {"row_review": "a review of its rows", "dataset_approval": "its approval"}
OPEN_CODES = frozenset({"unsigned", "missing", "stale", "too_few"})
"""Objections that more work or a signature answers, rather than better data."""


@dataclass(frozen=True)
class BoxPlace:
    """A box as the flowchart has it. roles: who answers for it."""

    title: str
    roles: tuple[str, ...]
    cli: str


PLACES: dict[str, BoxPlace] = {
    "usecase": BoxPlace("Use case", ("business_owner",), "whytune status {name}"),
    "task": BoxPlace("Task, sealed test", ("tester",), "whytune status {name}"),
    "rag": BoxPlace("RAG enough?", ("data_scientist", "architect"), "whytune compare {name}"),
    "find": BoxPlace("Find data", ("data_creator",), "whytune data show {name}"),
    "create": BoxPlace("Create dataset", ("data_creator",), "whytune data versions {name}"),
    "validate": BoxPlace("Validate dataset", ("data_creator", "tester"), "whytune data check {name}"),
    "train": BoxPlace("Fine-tune", ("data_scientist", "architect"), "whytune train {name}"),
    "test": BoxPlace("Test, evaluate", ("tester",), "whytune compare {name}"),
    "review": BoxPlace("Human evaluation", ("business_owner", "data_creator", "tester", "responsible_ai", "legal", "customer_success"), "whytune review status {name}"),
    "responsible": BoxPlace("Responsible AI", ("responsible_ai",), "whytune responsible show {name}"),
    "board": BoxPlace("Leaderboard", ("tester", "business_owner"), "whytune leaderboard {name}"),
    "accepted": BoxPlace("Accepted?", ("business_owner",), "whytune accept {name} --dry-run"),
    "registry": BoxPlace("Registry, serve", ("operator",), "whytune release list {name}"),
    "enough": BoxPlace("Done: no fine-tuning", ("business_owner",), "whytune report {name}"),
    "feedback": BoxPlace("Consumer feedback", ("customer_success",), "whytune feedback list"),
}  # fmt: skip
"""Every box in the order in which the list of them is read."""


@dataclass(frozen=True)
class BoxFace:
    """How one box stands. who: None where everybody may who holds the act's role."""

    word: Word
    short: str
    detail: str
    act: str = ""
    evidence: tuple[str, ...] = ()
    who: tuple[str, ...] | None = None
    roles: tuple[str, ...] = ()
    since: str = ""
    cli: str = ""


@dataclass(frozen=True)
class GateView:
    """What stands between the measured candidate and a yes: the objections that are not signatures, and who may still sign."""

    open: tuple[str, ...] = ()
    asked: tuple[tuple[str, tuple[str, ...]], ...] = ()
    trouble: str = ""


NOT_YET = BoxFace("not started", "not started", "Not started")

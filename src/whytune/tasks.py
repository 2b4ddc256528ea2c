"""What each task means: its fields, default prompt, scorers, checks and constraint; one table entry a task.

It knows no model and computes nothing: scorers and checks are named here and live in `evaluation` and `checks`.
To add a task, add an entry to `TASKS`; `tests/test_tasks.py` then asks for its scorers, its checks and its page in the docs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from whytune.errors import NotFoundError
from whytune.records.candidate import Decoding, Prompt

Constraint = Literal["none", "labels", "schema"]


@dataclass(frozen=True)
class Task:
    """One kind of work. `metric` decides unless the use case names another; `beside` is shown next to it."""

    name: str
    title: str
    input_field: str
    target_field: str
    system: str
    """`{labels}` and `{fields}` are filled from the dataset."""
    tuned_system: str
    """What a tuned model is told: training carries the rest."""
    constraint: Constraint
    max_new_tokens: int
    metric: str
    beside: tuple[str, ...]
    checks: tuple[str, ...]
    guesses: tuple[tuple[str, str], ...]
    """Column pairs that import tries in order, (input, target)."""
    modality: str = "text"

    def prompt(self, *, labels: tuple[str, ...] = (), fields: tuple[str, ...] = (), tuned: bool = False) -> Prompt:
        """The default prompt, with the label set or the fields of the dataset filled in."""
        words = self.tuned_system if tuned else self.system
        system = words.replace("{labels}", ", ".join(labels)).replace("{fields}", ", ".join(fields))
        decoding = Decoding(max_new_tokens=self.max_new_tokens, constrained=self.constraint != "none")
        return Prompt(system=system, decoding=decoding)


COMMON_CHECKS = ("empty", "exact_duplicates", "near_duplicates", "conflicts", "leakage", "template_leakage", "copies_input", "length", "token_length", "slices", "sensitive_terms")
TEXT_CHECKS = (*COMMON_CHECKS, "refusals", "truncated", "language", "repeated_text")
LABEL_CHECKS = (*COMMON_CHECKS, "label_set", "balance", "label_errors")

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="qna",
            title="Question answering",
            input_field="question",
            target_field="answer",
            system="Answer the question in one short sentence.",
            tuned_system="Answer the question in one short sentence.",
            constraint="none",
            max_new_tokens=48,
            metric="facts",
            beside=("exact_match", "token_f1", "contains", "abstained"),
            checks=TEXT_CHECKS,
            guesses=(("question", "answer"), ("instruction", "output"), ("prompt", "completion"), ("input", "output")),
        ),
        Task(
            name="summarization",
            title="Summarization",
            input_field="text",
            target_field="summary",
            system="Summarize the text in one or two sentences.",
            tuned_system="Summarize the text in one or two sentences.",
            constraint="none",
            max_new_tokens=80,
            metric="rouge1",
            beside=("rouge2", "rougeL", "chrf", "unsupported", "compression"),
            checks=(*TEXT_CHECKS, "unsupported"),
            guesses=(("dialogue", "summary"), ("text", "summary"), ("document", "summary"), ("article", "highlights")),
        ),
        Task(
            name="chat",
            title="Chat",
            input_field="messages",
            target_field="reply",
            system="You are a helpful assistant. Answer briefly.",
            tuned_system="You are a helpful assistant. Answer briefly.",
            constraint="none",
            max_new_tokens=96,
            metric="token_f1",
            beside=("facts", "chrf", "abstained"),
            checks=TEXT_CHECKS,
            guesses=(("messages", ""), ("conversations", ""), ("prompt", "response"), ("subject", "reply")),
        ),
        Task(
            name="categorization",
            title="Categorization",
            input_field="text",
            target_field="category",
            system="Choose the one category that fits the message. Answer with the category only.\nCategories: {labels}",
            tuned_system="Choose the one category that fits the message.",
            constraint="labels",
            max_new_tokens=24,
            metric="accuracy",
            beside=("macro_f1", "invalid"),
            checks=LABEL_CHECKS,
            guesses=(("text", "category"), ("text", "label"), ("text", "intent"), ("message", "category"), ("sentence", "label")),
        ),
        Task(
            name="sentiment",
            title="Sentiment",
            input_field="text",
            target_field="sentiment",
            system="What is the sentiment of the text? Answer with one word only: {labels}.",
            tuned_system="What is the sentiment of the text?",
            constraint="labels",
            max_new_tokens=8,
            metric="accuracy",
            beside=("macro_f1", "quadratic_kappa", "mean_absolute_error", "invalid"),
            checks=LABEL_CHECKS,
            guesses=(("text", "sentiment"), ("text", "label"), ("review", "sentiment")),
        ),
        Task(
            name="extraction",
            title="Extraction",
            input_field="text",
            target_field="fields",
            system="Copy these fields from the text into JSON, null where the text does not say: {fields}.",
            tuned_system="Copy the fields from the text into JSON, null where the text does not say.",
            constraint="schema",
            max_new_tokens=96,
            metric="field_f1",
            beside=("all_correct", "field_f1_partial", "hallucinated", "missing", "invalid"),
            checks=(*COMMON_CHECKS, "schema", "ungrounded_fields"),
            guesses=(("text", "fields"), ("text", "labels"), ("text", "entities")),
        ),
    )
}


def task_named(name: str) -> Task:
    """The table entry. Raises NotFoundError naming the tasks there are."""
    if name not in TASKS:
        raise NotFoundError(f"There is no task named {name!r}", next=f"choose one of: {', '.join(TASKS)}")
    return TASKS[name]

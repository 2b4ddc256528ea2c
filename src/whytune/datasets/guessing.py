"""How to read a source, guessed from its first rows and said with reasons; what the caller states is never overruled."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from whytune.datasets import linerows
from whytune.datasets.jsonrows import KEY
from whytune.datasets.shapes import SPAN_COLUMNS, look, plain
from whytune.datasets.spec import ReadSpec, Shape
from whytune.errors import DataError
from whytune.tasks import Task
from whytune.text import fold, nearest

_INPUTS = (
    "text", "question", "message", "input", "prompt", "instruction", "query", "sentence", "utterance", "dialogue", "document",
    "article", "review", "body", "content", "tweet", "post", "comment", "email", "title", "user", "ticket", "description", "request",
)  # fmt: skip
_TARGETS = {
    "labels": (
        "category",
        "label",
        "intent",
        "class",
        "sentiment",
        "topic",
        "target",
        "tag",
        "labels",
        "rating",
        "type",
        "queue",
    ),
    "free": (
        "answer",
        "output",
        "completion",
        "response",
        "summary",
        "reply",
        "target",
        "highlights",
        "answers",
        "chosen",
        "label",
    ),
    "schema": ("fields", "labels", "entities", "target", "output", "json", "slots", "annotations"),
}
_GROUPS = (
    "group",
    "group_id",
    "document_id",
    "doc_id",
    "thread_id",
    "conversation_id",
    "customer_id",
    "user_id",
    "case_id",
    "ticket_id",
)
_TURNS = ("messages", "conversations", "conversation", "turns", "dialog")


class Choice:
    """Which shape and columns, with reasons and how sure."""

    def __init__(self) -> None:
        self.shape: Shape = "pair"
        self.input = self.target = self.group = ""
        self.fields: tuple[str, ...] = ()
        self.confidence = 0.0
        self.reasons: list[str] = []

    def take(self, shape: Shape, input: str, target: str, confidence: float, reason: str) -> Choice:
        """Settles on something."""
        self.shape, self.input, self.target, self.confidence = shape, input, target, confidence
        self.reasons.append(reason)
        return self


def columns_of(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Every column seen, in the order seen."""
    return tuple(dict.fromkeys(name for row in rows for name in row))


def choose(rows: Sequence[Mapping[str, Any]], spec: ReadSpec, task: Task) -> Choice:
    """The shape and columns of these rows. Raises DataError naming every missing column at once."""
    columns = columns_of(rows)
    _stated_columns_exist(rows, columns, spec)
    choice = (
        _stated(rows, spec, task) or _by_structure(rows, columns, task) or _by_name(columns, task, rows, spec)
    )
    choice = choice or _by_content(rows, columns, task, spec)
    if choice is None:
        raise DataError(
            f"No columns of {spec.paths[0]} could be taken for input and answer of {task.title.lower()}",
            problems=[f"its columns: {', '.join(columns)}"],
            next=f"name them with --input and --target, e.g. --input {columns[0] if columns else 'text'}",
        )
    choice.group = spec.group or next(
        (name for name in columns if fold(name).replace(" ", "_") in _GROUPS), ""
    )
    if choice.group and not spec.group:
        choice.reasons.append(f"rows with the same {choice.group!r} stay together")
    return choice


def _stated_columns_exist(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], spec: ReadSpec) -> None:
    wanted = [("input", spec.input), *(("target", name.strip()) for name in spec.target.split(","))]
    wanted += [("group", spec.group), ("evidence", spec.evidence), *(("tag", name) for name in spec.tags)]
    problems = []
    for what, name in wanted:
        if name and not any(look(row, name) is not None or name in row for row in rows):
            near = nearest(name, columns)
            problems.append(f"no {what} column {name!r}" + (f"; did you mean {near!r}?" if near else ""))
    if problems:
        listed = ", ".join(repr(name) for name in columns[:60] if name != KEY)
        raise DataError(
            f"{spec.paths[0]} lacks columns that were named", problems=[*problems, f"the columns there are: {listed}"],
            next="name columns that are there",
        )  # fmt: skip


def _stated(rows: Sequence[Mapping[str, Any]], spec: ReadSpec, task: Task) -> Choice | None:
    """Both columns given, or one that says it all."""
    if not spec.input:
        return None
    first = next((value for row in rows if (value := look(row, spec.input)) not in (None, "")), None)
    if not spec.target:
        if _is_turns(first):
            return Choice().take("conversation", spec.input, "", 1.0, f"{spec.input!r} holds turns")
        if isinstance(first, str) and linerows.is_instruction(first):
            return Choice().take("inst", spec.input, "", 1.0, f"{spec.input!r} holds instruction tags")
        if _is_chunks(first):
            return Choice().take(
                "chunks", spec.input, _chunk_target(rows, task), 1.0, f"{spec.input!r} holds chunks"
            )
        return None
    choice = Choice().take("pair", spec.input, spec.target, 1.0, "both columns were named")
    if task.constraint == "schema":
        answer = next((value for row in rows if (value := look(row, spec.target)) is not None), None)
        names = tuple(name.strip() for name in spec.target.split(",") if name.strip())
        if _is_spans(answer):
            choice.shape = "spans"
        else:
            choice.shape = "fields"
            text = isinstance(answer, str) and answer.lstrip().startswith("{")
            choice.fields = names if len(names) > 1 or not (text or isinstance(answer, dict)) else ()
    elif _is_chunks(first):
        choice.shape = "chunks"
    return choice


def _is_turns(value: Any) -> bool:
    if isinstance(value, str) and value.lstrip().startswith("[{"):
        return '"role"' in value or '"from"' in value
    return (
        isinstance(value, list)
        and bool(value)
        and isinstance(value[0], dict)
        and ("role" in value[0] or "from" in value[0])
    )


def _is_chunks(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and isinstance(value[0].get("text"), str) and not (
        {"start", "startIndex", "role"} & set(value[0])
    )  # fmt: skip


def _is_spans(value: Any) -> bool:
    if not isinstance(value, list) or not value:
        return False
    first = value[0]
    if isinstance(first, list):
        return len(first) == 3 and isinstance(first[0], int)
    return isinstance(first, dict) and bool(
        {"valueSpan", "start", "startIndex", "end", "endIndex", "start_offset"} & set(first)
    )


def _chunk_target(rows: Sequence[Mapping[str, Any]], task: Task) -> str:
    if task.constraint != "labels":
        return ""
    return KEY if any(KEY in row for row in rows) else "intent"


def _by_structure(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], task: Task) -> Choice | None:
    first = {
        name: next((row[name] for row in rows if row.get(name) not in (None, "", [])), None)
        for name in columns
    }
    for name in (*_TURNS, *columns):
        if _is_turns(first.get(name)):
            return Choice().take(
                "conversation",
                name,
                "",
                0.95,
                f"{name!r} holds turns with roles; the last answer is the target",
            )
    for name in columns:
        if _is_chunks(first[name]) and task.constraint in ("schema", "labels"):
            target = _chunk_target(rows, task)
            told = "the key above it is the label" if target else "chunks with an entity are the fields"
            return Choice().take("chunks", name, target, 0.95, f"{name!r} is a list of text chunks; {told}")
    if task.constraint == "schema":
        for name in (*(column for column in SPAN_COLUMNS if column in columns), *columns):
            if _is_spans(first[name]):
                text = next(
                    (path for path in ("userInput.text", *_INPUTS) if any(look(row, path) for row in rows)),
                    "",
                )
                if text:
                    return Choice().take(
                        "spans", text, name, 0.95, f"{name!r} holds character spans of {text!r}"
                    )
    if {"instruction", "output"} <= set(columns):
        return Choice().take(
            "alpaca", "instruction", "output", 0.95, "instruction, input and output, as Alpaca has them"
        )
    for name in columns:
        value = first[name]
        if isinstance(value, str) and linerows.is_instruction(value):
            return Choice().take("inst", name, "", 0.9, f"{name!r} holds instruction tags")
    return None


def _by_name(
    columns: Sequence[str], task: Task, rows: Sequence[Mapping[str, Any]], spec: ReadSpec
) -> Choice | None:
    shape: Shape = "fields" if task.constraint == "schema" else "pair"
    by_fold = {fold(name): name for name in columns}
    for wanted_input, wanted_target in task.guesses:
        input, target = spec.input or by_fold.get(wanted_input), spec.target or by_fold.get(wanted_target)
        if input and target and input != target:
            return Choice().take(
                shape,
                input,
                target,
                0.95,
                f"columns {input!r} and {target!r} are usual for {task.title.lower()}",
            )
    kind = {"labels": "labels", "schema": "schema"}.get(task.constraint, "free")
    input = spec.input or next((by_fold[name] for name in _INPUTS if name in by_fold), "")
    target = spec.target or next(
        (by_fold[name] for name in _TARGETS[kind] if name in by_fold and by_fold[name] != input), ""
    )
    if input and target and _fits(rows, target, task):
        return Choice().take(shape, input, target, 0.75, f"columns {input!r} and {target!r}, by their names")
    return None


def _fits(rows: Sequence[Mapping[str, Any]], target: str, task: Task) -> bool:
    values = [plain(row.get(target)) for row in rows if row.get(target) is not None]
    if task.constraint == "schema":
        return all(value.startswith("{") for value in values[:5])
    return task.constraint != "labels" or len(values) < 20 or len(set(values)) <= max(2, len(values) * 0.8)


def _by_content(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], task: Task, spec: ReadSpec
) -> Choice | None:
    """The longest text is the input; the column that repeats (labels) or the next longest (free text) is the answer."""
    texts = {name: [plain(row.get(name)) for row in rows] for name in columns if name != KEY}
    length = {name: sum(map(len, cells)) / max(len(cells), 1) for name, cells in texts.items() if any(cells)}
    ordered = sorted(length, key=lambda name: -length[name])
    if len(ordered) < 2 or task.constraint == "schema":
        return None
    if task.constraint == "labels":
        input = spec.input or ordered[0]
        repeating = [
            name for name in ordered
            if name != input and 1 < len(set(texts[name])) <= len(rows) / 2 and length[name] < 60
            and not all(re.fullmatch(r"[-\d.,:/ ]*", cell) for cell in texts[name])
        ]  # fmt: skip
        target = spec.target or (repeating[-1] if repeating else "")
    elif task.target_field == "summary":
        input, target = spec.input or ordered[0], spec.target or ordered[1]
    else:
        input = spec.input or min(ordered[:2], key=columns.index)
        target = spec.target or next((name for name in ordered if name != input), "")
    if not target or input == target:
        return None
    return Choice().take(
        "pair", input, target, 0.4, f"columns {input!r} and {target!r}, by what is in them: please confirm"
    )

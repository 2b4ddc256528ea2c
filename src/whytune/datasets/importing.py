"""Sources in, examples out: sniff says how a source would be read, read_source reads it.

Every source row becomes an example or a removal with its reason and line; only what leaves nothing to go on with
(an empty file, a binary, columns that are not there) is an error.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from whytune.datasets import guessing, linerows, shapes
from whytune.datasets.encoding import TextFile, examine, lines
from whytune.datasets.jsonrows import KEY, json_rows, jsonl_rows
from whytune.datasets.spec import FORMATS, Broken, Format, Guess, Reading, ReadSpec, SourceRow, named
from whytune.datasets.tables import csv_rows, delimiter_of, parquet_names, parquet_rows
from whytune.errors import DataError
from whytune.jobs.progress import Progress, Silent
from whytune.records.content import Message, TextPart
from whytune.records.data import Example, Origin, Removal, Source
from whytune.tasks import Task, task_named
from whytune.text import clip, nearest

LOOKED_AT = 200
"""Rows looked at to guess."""
_PREVIEW = 3
_BY_LINES = ("csv", "tsv", "jsonl", "text", "inst")
"""Formats in which a row stands on a line, or on a few."""
_MOST_TOLD, _MOST_RANGES = 200, 40
_BY_ENDING: dict[str, Format] = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip


@dataclass
class _Plan:
    """One file and how it is read."""

    file: TextFile
    format: Format
    rows: Callable[[], Iterator[SourceRow | Broken]]
    delimiter: str = ""
    reasons: tuple[str, ...] = ()
    certain: float = 1.0
    names: dict[str, str] | None = None


def sniff(spec: ReadSpec) -> Guess:
    """How the first source would be read: format, columns, the first rows as they would come out, and why."""
    task = task_named(spec.task)
    path = _paths(spec)[0]
    return _guess(_plan(path, spec), spec, task)


def read_source(spec: ReadSpec, progress: Progress | None = None) -> Reading:
    """Reads every path of the spec. Raises DataError where nothing at all comes out, with everything that was wrong."""
    task = task_named(spec.task)
    progress = progress or Silent()
    drafts: list[tuple[shapes.Draft, Origin]] = []
    problems: list[Removal] = []
    sources: list[Source] = []
    guesses: list[Guess] = []
    for path in _paths(spec):
        plan = _plan(path, spec)
        guess = _guess(plan, spec, task)
        before = len(problems)
        file = plan.file
        # How many rows there are is known only at the end; lines are counted, so that it can be said how long it takes.
        by_line = file.lines if plan.format in _BY_LINES else 0
        progress.phase(f"reading {path.name}", by_line, "lines" if by_line else "rows")
        count = told = 0
        for count, (made, origin) in enumerate(_drafts(plan, guess), start=1):
            if isinstance(made, Removal):
                problems.append(made)
            else:
                drafts.append((made, origin))
            if count % 1000 == 0:
                now = min(origin.line or 0, by_line) if by_line else count
                progress.advance(max(0, now - told), f"{count:,} rows read")
                told = max(told, now)
        progress.advance((by_line or count) - told, f"{count:,} rows read")
        sources.append(
            Source(
                file=file.name, sha256=file.sha256, bytes=file.bytes, format=plan.format, encoding=file.encoding, rows=count,
                unreadable=sum(1 for removal in problems[before:] if removal.reason == "unreadable"),
            )
        )  # fmt: skip
        guesses.append(guess)
    if not drafts:
        raise DataError(
            f"No row of {', '.join(str(path) for path in spec.paths)} could be used",
            problems=_told(problems) or ["there are no rows below the header"],
            next="check the columns and the format; --input, --target and --format name them",
        )
    fields = tuple(sorted({name for made, _ in drafts for name in made.slots or ()}))
    examples = [_example(made, origin, fields) for made, origin in drafts]
    return Reading(
        examples, problems, tuple(sources), tuple(guesses), fields if task.constraint == "schema" else ()
    )


def _told(problems: Sequence[Removal]) -> list[str]:
    """Every mistake with the lines it stands on; mistakes of one kind in one sentence."""
    found: dict[tuple[str, str], list[int]] = {}
    for problem in problems:
        found.setdefault((problem.origin.file, problem.detail or problem.reason), []).append(problem.origin.line or 0)
    several = len({file for file, _ in found}) > 1
    told = [f"{f'{file}, ' if several else ''}line{'s' if len(lines) > 1 else ''} {_ranges(lines)}: {detail}" for (file, detail), lines in itertools.islice(found.items(), _MOST_TOLD)]
    return [*told, f"and {len(found) - _MOST_TOLD:,} other mistakes"] if len(found) > _MOST_TOLD else told


def _ranges(lines: Sequence[int]) -> str:
    """Line numbers as people write them: 2-14, 20."""
    parts: list[tuple[int, int]] = []
    for line in sorted(set(lines)):
        if parts and line == parts[-1][1] + 1:
            parts[-1] = (parts[-1][0], line)
        else:
            parts.append((line, line))
    shown = ", ".join(f"{first:,}" if first == last else f"{first:,}-{last:,}" for first, last in parts[:_MOST_RANGES])
    left = sum(last - first + 1 for first, last in parts[_MOST_RANGES:])
    return f"{shown} and {left:,} more" if left else shown


def _example(made: shapes.Draft, origin: Origin, fields: tuple[str, ...]) -> Example:
    target = made.target if made.slots is None else shapes.written(made.slots, fields)
    return Example(
        messages=tuple(Message.of(role, text) for role, text in made.turns),  # type: ignore[arg-type]
        target=(TextPart(text=target),),
        group=made.group,
        evidence=made.evidence,
        tags=tuple(made.tags),
        origin=origin,
    )


def _drafts(plan: _Plan, guess: Guess) -> Iterator[tuple[shapes.Draft | Removal, Origin]]:
    for row in plan.rows():
        origin = Origin(
            source=plan.file.sha256, file=plan.file.name, line=row.line, start=row.start, end=row.end
        )
        if isinstance(row, Broken):
            yield Removal(reason="unreadable", origin=origin, detail=row.why), origin
            continue
        try:
            yield shapes.draft(row.values, guess), origin
        except shapes.Unfit as unfit:
            yield Removal(reason=unfit.reason, origin=origin, detail=unfit.detail), origin


def _paths(spec: ReadSpec) -> list[Path]:
    """The files; a folder stands for the data files in it."""
    found: list[Path] = []
    problems = []
    for path in spec.paths:
        if path.is_dir():
            inside = [
                other for other in sorted(path.iterdir())
                if other.suffix.lower() in _BY_ENDING or (other.suffix.lower() == ".txt" and linerows.neighbours(other)[0])
            ]  # fmt: skip
            found += inside
            if not inside:
                problems.append(
                    f"{path} holds no data files (looked for {', '.join(_BY_ENDING)} and pairs of text and labels)"
                )
        elif path.exists():
            found.append(path)
        else:
            near = (
                nearest(path.name, [other.name for other in path.parent.iterdir()])
                if path.parent.is_dir()
                else ""
            )
            problems.append(
                f"{path} does not exist" + (f"; did you mean {path.parent / near}?" if near else "")
            )
    problems += [
        f"{path} does not exist"
        for path in (spec.labels_file, spec.mapping_file)
        if path and not path.exists()
    ]
    if spec.format and spec.format not in FORMATS:
        problems.append(f"there is no format {spec.format!r}; choose one of {', '.join(FORMATS)}")
    if not spec.paths:
        problems.append("no file was named")
    if problems:
        raise DataError(
            "The sources cannot be read",
            problems=problems,
            next="give files that are there, e.g. --from rows.csv",
        )
    return found


def _plan(path: Path, spec: ReadSpec) -> _Plan:
    file = examine(path, spec.encoding, named(path, spec.root))
    labels, mapping = (None, None) if spec.format or spec.labels_file else linerows.neighbours(path)
    labels = spec.labels_file or labels
    mapping = spec.mapping_file or mapping
    names = linerows.label_names(mapping) if mapping else None
    reasons: tuple[str, ...] = (file.why,) if file.why else ()
    if mapping:
        reasons += (f"label names from {mapping}",)
    if labels:
        beside = examine(labels)
        reasons += (f"one label a line in {labels}",)
        return _Plan(file, "text", lambda: linerows.parallel_rows(file, beside), reasons=reasons, names=names)
    format, reason, certain = (spec.format, "the format was named", 1.0) if spec.format else _format(file)
    reasons += (reason,)
    delimiter = spec.delimiter
    if format in ("csv", "tsv") and not delimiter:
        delimiter, why = ("\t", "tab") if spec.format == "tsv" else delimiter_of(file)
        reasons += (why,)
    if format in ("csv", "tsv") and len(delimiter) != 1:
        raise DataError(
            f"The delimiter must be one character, not {delimiter!r}", next="use one of , ; | or a tab"
        )
    makers: dict[str, Callable[[], Iterator[SourceRow | Broken]]] = {
        "csv": lambda: csv_rows(file, delimiter),
        "tsv": lambda: csv_rows(file, delimiter),
        "json": lambda: json_rows(file),
        "jsonl": lambda: jsonl_rows(file),
        "parquet": lambda: parquet_rows(file.path),
        "text": lambda: linerows.text_rows(file),
        "inst": lambda: linerows.instruction_rows(file),
    }
    return _Plan(file, format, makers[format], delimiter, reasons, certain, names)  # type: ignore[arg-type]


def rows_of(path: Path, encoding: str = "") -> tuple[TextFile, Callable[[], Iterator[SourceRow | Broken]]]:
    """A table's file and its rows, whatever its format, without asking what they are for."""
    plan = _plan(path, ReadSpec(paths=(path,), task="", encoding=encoding))
    return plan.file, plan.rows


def _format(file: TextFile) -> tuple[Format, str, float]:
    """By content first; the ending decides only where the content leaves it open."""
    if file.encoding == "binary":
        return "parquet", "begins with Parquet's mark", 1.0
    ending = file.path.suffix.lower()
    with file.open() as stream:
        first = [line for _, line in itertools.islice(lines(stream), 30)]
    filled = [line.strip("\ufeff \t\r\n") for line in first if line and line.strip("\ufeff \t\r\n")]
    if None in first[:1]:
        return _BY_ENDING.get(ending, "json"), f"the ending {ending!r}", 0.6
    if not filled:
        raise DataError(f"{file.name} holds nothing but blank lines", next="give a file with rows")
    tagged = sum(1 for line in filled if linerows.is_instruction(line))
    if tagged >= len(filled) / 2 and not (ending in (".csv", ".tsv") and _cells(filled[0]) > 1):
        return "inst", f"{tagged} of the first {len(filled)} lines begin with an instruction tag", 0.95
    objects = sum(1 for line in filled if _whole_object(line))
    if objects >= 2 and objects >= len(filled) / 2:
        return "jsonl", f"{objects} of the first {len(filled)} lines are JSON objects", 1.0
    if filled[0][0] in "[{" and (
        ending in (".json", ".jsonl") or re.match(r'\{\s*("|$|\})|\[\s*([{\[]|$|\])', filled[0])
    ):
        if ending in (".jsonl", ".ndjson") and objects == len(filled):
            return "jsonl", "a JSON object on its line", 0.9
        return "json", f"begins with {filled[0][0]!r}", 0.95
    if ending in _BY_ENDING and ending not in (".parquet", ".pq"):
        return _BY_ENDING[ending], f"the ending {ending!r}", 0.9
    _, why = delimiter_of(file)
    if "one column" not in why:
        return "csv", "even cells", 0.7
    return "text", "plain lines", 0.5


def _cells(line: str) -> int:
    return max(line.count(delimiter) for delimiter in ",;\t|") + 1


def _whole_object(line: str) -> bool:
    if not line.startswith("{") or not line.endswith("}"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _guess(plan: _Plan, spec: ReadSpec, task: Task) -> Guess:
    head = list(itertools.islice(plan.rows(), LOOKED_AT))
    rows = [row.values for row in head if isinstance(row, SourceRow)]
    if not rows:
        broken = [f"line {row.line}: {row.why}" for row in head[:10] if isinstance(row, Broken)]
        raise DataError(
            f"{plan.file.name} has no rows that can be read as {plan.format}",
            problems=broken or ["there is nothing below the header"], next="check the file, or name its --format",
        )  # fmt: skip
    if plan.format == "text" and plan.rows is not None and "label" in rows[0]:
        choice = guessing.Choice().take(
            "parallel", "text", "label", 0.95, "a text and its label on the same line of two files"
        )
    else:
        choice = guessing.choose(rows, spec, task)
    names = plan.names or (
        parquet_names(plan.file.path, choice.target) if plan.format == "parquet" and choice.target else {}
    )
    guess = Guess(
        file=plan.file.name,
        format=plan.format,
        shape=choice.shape,
        encoding=plan.file.encoding,
        delimiter=plan.delimiter,
        columns=tuple(name for name in guessing.columns_of(rows) if name != KEY),
        input=choice.input,
        target=choice.target,
        group=choice.group,
        confidence=round(choice.confidence * plan.certain, 2),
        reasons=(*plan.reasons, *choice.reasons),
        preview=(),
        evidence=spec.evidence,
        tags=spec.tags,
        fields=choice.fields,
        names=names,
    )
    return replace(guess, preview=_preview(rows, guess))


def _preview(rows: list[dict[str, object]], guess: Guess) -> tuple[tuple[str, str], ...]:
    shown: list[tuple[str, str]] = []
    for values in rows:
        try:
            made = shapes.draft(values, guess)
        except shapes.Unfit:
            continue
        target = made.target if made.slots is None else shapes.written(made.slots, tuple(sorted(made.slots)))
        shown.append((clip(made.turns[-1][1], 200), clip(target, 200)))
        if len(shown) == _PREVIEW:
            break
    return tuple(shown)

"""Questions and answers from the rows of a table, by templates that a person wrote; no model is asked.

    title = "Name"                       # the column that names a row
    [[template]]
    name = "full name"
    ask = ["What is the full name of {Name}?", "What is {Name}'s full name?"]
    answer = "The full name of {Name} is {Full Name}."

Every value of an answer is found again in the row's document, character for character, or the row is left out. So is a
question that does not tell one row from another: "What is the full name of the player from PBKS?" has 25 answers.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from whytune.datasets.cleaning import lot
from whytune.datasets.importing import rows_of
from whytune.datasets.jsonrows import KEY
from whytune.datasets.rowdocuments import RowText, cell_text, row_documents
from whytune.datasets.spec import Broken
from whytune.errors import DataError
from whytune.records.data import Origin, Removal
from whytune.records.record import Value
from whytune.text import fold, nearest, normalise

_SLOT = re.compile(r"\{([^{}]+)\}")
SAYS_NOTHING = frozenset(("", "-", "--", "?", "n/a", "na", "nan", "none", "null", "nil", "unknown", "tbd"))
_LOOKED_AT = 400
_URL = re.compile(r"(?:https?://|www\.)", re.IGNORECASE)


class Template(Value):
    """One kind of question. `{Column}` stands for the row's cell; `skip` names cells for which nothing is asked."""

    name: str
    ask: tuple[str, ...] = Field(min_length=1)
    answer: str = Field(min_length=1)
    tags: dict[str, str] = {}
    skip: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that it uses."""
        return tuple(dict.fromkeys(name for text in (*self.ask, self.answer) for name in _SLOT.findall(text)))

    @property
    def answered_by(self) -> tuple[str, ...]:
        """The columns whose cells stand in the answer."""
        return tuple(dict.fromkeys(_SLOT.findall(self.answer)))


class TemplateFile(Value):
    """The whole file. phrasings: how many of a template's questions each row is asked."""

    title: str = ""
    text: str = ""
    """The column that is the row's document; all cells together where it is empty."""
    phrasings: int = Field(default=1, ge=1)
    seed: int = 17
    template: tuple[Template, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Filled:
    """A question and its answer, from one row of the table, with where the answer stands in the row's document."""

    question: str
    answer: str
    row: RowText
    template: Template
    phrasing: int
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class FilledTable:
    """Everything that the templates make of a table, and what they do not, by reason."""

    rows: list[Filled]
    left_out: dict[str, int]
    ambiguous: tuple[str, ...] = field(default=())
    """Names of templates whose questions do not tell rows apart."""


def read_templates(file: Path) -> TemplateFile:
    """The file of templates. Raises DataError with every mistake."""
    try:
        made = TemplateFile.model_validate(tomllib.loads(file.read_text("utf-8")))
    except ValidationError as error:
        problems = [f"{'.'.join(str(part) for part in slip['loc'])}: {slip['msg']}" for slip in error.errors()]
        raise DataError("The templates cannot be read", where=str(file), problems=problems, next="whytune data draft --table FILE -o templates.toml writes an example") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"The templates cannot be read: {error}", where=str(file), next="whytune data draft --table FILE -o templates.toml writes an example") from None
    problems = [f"two templates are named {name!r}" for name, count in Counter(one.name for one in made.template).items() if count > 1]
    problems += [f"{one.name}: the answer holds no {{column}}" for one in made.template if not one.answered_by]
    problems += [f"{one.name}: a brace is not closed, or not opened, in {text!r}" for one in made.template for text in (*one.ask, one.answer) if set(_SLOT.sub("", text)) & set("{}")]
    if problems:
        raise DataError("The templates cannot be used", where=str(file), problems=problems, next=f"mend {file}")
    return made


def fill(table: Path, file: TemplateFile, encoding: str = "", shown: str = "") -> FilledTable:
    """Every template over every row. Raises DataError naming all columns that are not there."""
    rows = list(row_documents(table, file.title, file.text, encoding, shown))
    columns = list(dict.fromkeys(name for row in rows if isinstance(row, RowText) for name in row.values))
    problems = []
    for template in file.template:
        for name in template.columns:
            if name not in columns:
                near = nearest(name, columns)
                problems.append(f"template {template.name!r}: no column {name!r}" + (f"; did you mean {near!r}?" if near else ""))
    if problems:
        raise DataError(f"{table} lacks columns that the templates use", problems=[*problems, f"the columns there are: {', '.join(columns)}"], next="mend the templates")
    left: Counter[str] = Counter()
    made: list[Filled] = []
    for row in rows:
        if isinstance(row, Removal):
            left[row.reason] += 1
            continue
        for template in file.template:
            made += _filled(row, template, file, left)
    return _told_apart(made, left)


def _filled(row: RowText, template: Template, file: TemplateFile, left: Counter[str]) -> Iterator[Filled]:
    cells = {name: cell_text(row.values.get(name)) for name in template.columns}
    if any(fold(cell) in SAYS_NOTHING for cell in cells.values()):
        left["empty_cell"] += 1
        return
    if any(cells[name] in template.skip for name in template.answered_by):
        left["skipped_value"] += 1
        return
    spans = []
    for name in template.answered_by:
        found = cell_span(row, name, cells[name])
        if found is None:
            left["not_in_document"] += 1
            return
        spans.append(found)
    order = sorted(range(len(template.ask)), key=lambda number: lot(file.seed, f"{row.title}\x1f{row.origin.line}\x1f{template.name}\x1f{number}"))
    answer = _put(template.answer, cells)
    for number in order[: file.phrasings]:
        yield Filled(_put(template.ask[number], cells), answer, row, template, number, tuple(spans))


def _put(text: str, cells: Mapping[str, str]) -> str:
    return _SLOT.sub(lambda match: cells[match.group(1)], text)


def cell_span(row: RowText, column: str, cell: str) -> tuple[int, int] | None:
    """Where a cell stands in its row's document: on its own line, else as whole words; None where it does not."""
    line = re.search(rf"(?m)^{re.escape(column)}: ({re.escape(cell)})(?=\.?$)", row.text)
    found = line or re.search(rf"(?<!\w)({re.escape(cell)})(?!\w)", row.text)
    return found.span(1) if found else None


def _told_apart(made: list[Filled], left: Counter[str]) -> FilledTable:
    """Without questions that several rows answer differently, and without what is said twice."""
    answers: dict[str, set[str]] = defaultdict(set)
    for one in made:
        answers[normalise(one.question)].add(normalise(one.answer))
    kept, seen, ambiguous = [], set(), Counter[str]()
    for one in made:
        question = normalise(one.question)
        if len(answers[question]) > 1:
            left["ambiguous"] += 1
            ambiguous[one.template.name] += 1
        elif question in seen:
            left["repeated"] += 1
        else:
            seen.add(question)
            kept.append(one)
    return FilledTable(kept, dict(sorted(left.items())), tuple(name for name, _ in ambiguous.most_common()))


# A first file of templates


def draft(table: Path, title: str = "", encoding: str = "") -> str:
    """A commented file of templates, one for each column that tells something; for a person to read and mend."""
    _, rows = rows_of(table, encoding)
    head: list[dict[str, Any]] = []
    for row in rows():
        if not isinstance(row, Broken):
            head.append(row.values)
        if len(head) == _LOOKED_AT:
            break
    columns = [name for name in dict.fromkeys(name for values in head for name in values) if name != KEY]
    if not columns:
        raise DataError(f"{table} has no rows that can be read", next="give a CSV, TSV, JSON lines or Parquet file with named columns")
    if title and title not in columns:
        raise DataError(f"{table} has no column {title!r}", problems=[f"the columns there are: {', '.join(columns)}"], next="name one of them with --title")
    named = title or _naming(table, head, columns, encoding)
    lines = [
        f"# Templates over {table.name}: read each, mend its words, delete what nobody asks.",
        "# {Column} stands for the row's cell. A question must tell one row from every other.",
        f"title = {_toml(named)}   # the column that names a row",
        "phrasings = 1   # how many of a template's questions each row is asked",
    ]
    for name in columns:
        cells = [cell for values in head if fold(cell := cell_text(values.get(name))) not in SAYS_NOTHING]
        if name == named or "{" in name or "}" in name or not _tells(cells, len(head)):
            continue
        label = spelled(name)
        whole = all(re.fullmatch(r"\d{1,3}(?:,?\d{3})*", cell) for cell in cells)
        if whole and re.search(r"(?:^|\s)\S*[^s\s]s(?:\s\w+ed)?$", label):
            asked = [f"How many {label} does {{{named}}} have?", f"What number of {label} does {{{named}}} have?"]
            answer = f"{{{named}}} has {{{name}}} {label}."
        else:
            asked = [f"What is the {label} of {{{named}}}?", f"What is {{{named}}}'s {label}?"]
            answer = f"The {label} of {{{named}}} is {{{name}}}."
        lines += ["", "[[template]]", f"name = {_toml(label)}", f"ask = {_toml(asked)}", f"answer = {_toml(answer)}", f"tags = {{column = {_toml(name)}}}"]
    return "\n".join(lines) + "\n"


def _naming(table: Path, head: Sequence[dict[str, Any]], columns: Sequence[str], encoding: str) -> str:
    """The column that row documents are titled by."""
    first = next((row for row in row_documents(table, encoding=encoding) if isinstance(row, RowText)), RowText("", "", Origin(source="", file="")))
    return next((name for name in columns if cell_text(first.values.get(name)) == first.title), columns[0])


def _tells(cells: Sequence[str], rows: int) -> bool:
    """Filled often enough, not the same everywhere, no address, no long text."""
    if len(cells) < max(2, 0.05 * rows) or len(set(cells)) < 2:
        return False
    return sum(map(len, cells)) / len(cells) <= 80 and not sum(bool(_URL.match(cell)) for cell in cells) > len(cells) / 2


def spelled(column: str) -> str:
    """A column's name as words: `MatchPlayed` is `match played`, `BattingAVG` is `batting AVG`, `100s` stays."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_", " ", column)
    return " ".join(word if (len(word) > 1 and word.isupper()) or "/" in word else word.lower() for word in parted.split())


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)

"""Which documents hold the answer to which example: as declared, or found where that is beyond doubt.

A document is taken for evidence where the question names its title word by word and the text holds every fact of the
answer that the question did not already say: all its numbers and names; where it has neither, all its content words.
Where nothing is certain nothing is linked.

Example: "How many matches has Kagiso Rabada played?" / "He has played 50 matches." is linked to the document titled
"Kagiso Rabada" because it holds 50; a row of another player with 50 matches is not, for it is not named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from whytune.datasets.dedup import Families
from whytune.records.data import Document, Example
from whytune.text import fold, normalise, numbers, words

_LONGEST_TITLE = 16
"""Words."""
# Words that say nothing of the matter; an answer made of them alone holds no fact.
_EMPTY_WORDS = frozenset(
    ["a", "an", "and", "are", "as", "at", "be", "been", "but", "by", "can", "did", "do", "does", "for", "from", "had", "has", "have", "he", "her", "hers", "him", "his", "i", "if", "in", "into", "is", "it", "its", "me", "my", "no", "not", "of", "on", "or", "our", "she", "so", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "to", "was", "we", "were", "what", "when", "where", "which", "who", "whom", "whose", "will", "with", "would", "yes", "you", "your", "der", "die", "das", "den", "dem", "des", "ein", "eine", "einer", "eines", "und", "oder", "ist", "sind", "war", "hat", "haben", "im", "in", "von", "zu", "mit", "für", "auf", "nicht", "es", "er", "sie", "le", "la", "les", "un", "une", "des", "et", "ou", "est", "sont", "a", "de", "du", "en", "dans", "pour", "el", "los", "las", "y", "o", "es", "son", "para", "por", "con"]
)  # fmt: skip
_NAME = re.compile(r"(?<![.!?]\s)(?<!^)\b[A-ZÄÖÜÀ-Þ][\w’'-]*")


@dataclass(frozen=True)
class Linked:
    """Examples with their evidence, and how it was found."""

    examples: list[Example]
    declared: int
    """Examples whose own declared evidence was found among the documents."""
    found: int
    """Examples linked by title and facts."""
    unknown: tuple[str, ...]
    """Declared names that no document answers to."""


@dataclass(frozen=True)
class _Facts:
    words: frozenset[str]
    numbers: frozenset[str]


def link_evidence(examples: Sequence[Example], documents: Sequence[Document]) -> Linked:
    """The examples, with the ids of the documents that hold the answer where that is known."""
    by_name = _names(documents)
    by_title: dict[tuple[str, ...], list[Document]] = {}
    for document in documents:
        title = tuple(_bare(document.title))
        if (
            title
            and len(title) <= _LONGEST_TITLE
            and not all(word.isdigit() or len(word) < 2 for word in title)
        ):
            by_title.setdefault(title, []).append(document)
    longest = max(map(len, by_title), default=0)
    facts: dict[str, _Facts] = {}
    made: list[Example] = []
    unknown: set[str] = set()
    declared = found = 0
    for example in examples:
        ids: tuple[str, ...] = ()
        if example.evidence:
            known = [by_name.get(_key(name)) for name in example.evidence]
            unknown |= {name for name, id in zip(example.evidence, known, strict=True) if id is None}
            ids = tuple(sorted({id for id in known if id is not None}))
            declared += bool(ids)
        else:
            ids = tuple(sorted(document.id for document in _holders(example, by_title, longest, facts)))
            found += bool(ids)
        made.append(example if ids == example.evidence else _with(example, evidence=ids))
    return Linked(made, declared, found, tuple(sorted(unknown)))


def group_by_evidence(examples: Sequence[Example]) -> list[Example]:
    """Examples that share a document become one group, unless they have a group: so that no document's facts stand in
    both train and test. Where the question is whether a model learns a form rather than facts, leave it out."""
    number: dict[str, int] = {}
    for example in examples:
        for id in example.evidence:
            number.setdefault(id, len(number))
    families = Families(len(number))
    for example in examples:
        for id in example.evidence[1:]:
            families.join(number[example.evidence[0]], number[id])
    lowest: dict[int, str] = {}
    for id, position in number.items():
        root = families.of(position)
        lowest[root] = min(lowest.get(root, id), id)
    return [
        example if example.group or not example.evidence
        else _with(example, group=lowest[families.of(number[example.evidence[0]])])
        for example in examples
    ]  # fmt: skip


def _with(example: Example, **changed: object) -> Example:
    """Another example; built anew, because a copy would keep the id of the old one."""
    values: Mapping[str, object] = {name: getattr(example, name) for name in Example.model_fields}
    return Example.model_validate({**values, **changed})


def _key(name: str) -> str:
    return fold(name)


def _names(documents: Sequence[Document]) -> dict[str, str]:
    """Every name by which a document may be declared: id, title, file, file name and stem. Names of two are none."""
    names: dict[str, str] = {}
    twice: set[str] = set()
    for document in documents:
        file = PurePosixPath(document.origin.file.replace("\\", "/"))
        given = {document.title}
        if document.origin.line is None:
            given |= {str(file), file.name, file.stem}
        for name in map(_key, given):
            if names.setdefault(name, document.id) != document.id:
                twice.add(name)
    for name in twice:
        del names[name]
    return {**names, **{_key(document.id): document.id for document in documents}}


def _bare(text: str) -> list[str]:
    """Words without the possessive: "Agarwal's" is "agarwal"."""
    return [re.sub(r"'s?$", "", word) for word in words(text.replace("’", "'"))]


def _holders(
    example: Example,
    by_title: Mapping[tuple[str, ...], list[Document]],
    longest: int,
    facts: dict[str, _Facts],
) -> list[Document]:
    question = "\n".join(message.text for message in example.messages if message.role == "user")
    asked = _bare(question)
    titles: list[tuple[str, ...]] = []
    at = 0
    while at < len(asked):
        for size in range(min(longest, len(asked) - at), 0, -1):
            if tuple(asked[at : at + size]) in by_title:
                titles.append(tuple(asked[at : at + size]))
                at += size - 1
                break
        at += 1
    if not titles:
        return []
    said_words, said_numbers = frozenset(asked), frozenset(numbers(question))
    answer = example.target_text
    new_numbers = frozenset(numbers(answer)) - said_numbers
    names = new_names(answer, said_words)
    wanted = names if new_numbers or names else content_words(answer) - said_words
    if not new_numbers and not wanted:
        return []
    holders = []
    for title in dict.fromkeys(titles):
        for document in by_title[title]:
            held = facts.get(document.id)
            if held is None:
                held = facts[document.id] = _Facts(
                    frozenset(_bare(document.text)), frozenset(numbers(document.text))
                )
            if new_numbers <= held.numbers | _numbers_in_words(held.words) and wanted <= held.words:
                holders.append(document)
    return holders


def new_names(answer: str, said: frozenset[str]) -> frozenset[str]:
    """Names in an answer, word by word, that were not said before."""
    return frozenset(word for name in _NAME.findall(answer) for word in _bare(name)) - said


def content_words(text: str) -> frozenset[str]:
    """Words that say something of the matter; numbers are not among them."""
    return frozenset(word for word in _bare(text) if word not in _EMPTY_WORDS and not word.isdigit())


def _numbers_in_words(held: frozenset[str]) -> frozenset[str]:
    """Numbers that are joined to letters or marks in a table's cells, such as `0/13`."""
    return frozenset(normalise(word) for word in held if word.isdigit())

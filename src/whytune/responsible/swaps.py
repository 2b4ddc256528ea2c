"""The same text with the other gender, or with another name: by grammar, over the whole text, names that are words left alone.

`him` and `his` become `her` by what they are; `her` becomes `him` or `his` by the next word. Each name becomes the same
other name wherever it stands. English; other languages are swapped by names only. It decides nothing about a model.
Example: `swapped("He called Mark to mark his card.", seed=1).text` is `"She called Karen to mark her card."`
"""

from __future__ import annotations

import random
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|\s+|[^\w\s]|_")
@dataclass(frozen=True)
class Swapped:
    """The other text, and how many words are others."""

    text: str
    changes: int
    map: tuple[tuple[str, str], ...] = ()
    """Names that became others, in small letters, to be turned back in an answer."""


@cache
def lists() -> dict[str, dict[str, object]]:
    """The word lists."""
    return tomllib.loads((files("whytune") / "responsible" / "suites" / "words.toml").read_text("utf-8"))


@cache
def _grammar(list_name: str) -> frozenset[str]:
    """Words that decide about their neighbours."""
    return frozenset(str(lists()["grammar"][list_name]).split())


@cache
def names(group: str) -> tuple[str, ...]:
    """Names of a group: `female`, `male`, or an origin such as `slavic`."""
    found = lists()["gender"].get(group) or lists()["origin"].get(group)
    assert isinstance(found, list)
    return tuple(found)


@cache
def origins() -> tuple[str, ...]:
    """The groups of names by origin."""
    return tuple(lists()["origin"])


@cache
def _pairs() -> dict[str, str]:
    forward = {str(one): str(other) for one, other in lists()["words"].items()}
    return {**{other: one for one, other in forward.items()}, **forward, "mrs": "mr", "miss": "mr", "mom": "dad", "mommy": "daddy", "daddy": "mommy"}


@cache
def _sides() -> dict[str, str]:
    """Name to its gender, names that are words too included."""
    genders = lists()["gender"]
    found: dict[str, str] = {}
    for side in ("female", "male"):
        for key in (side, f"also_words_{side}"):
            listed = genders[key]
            assert isinstance(listed, list)
            found |= dict.fromkeys((name.casefold() for name in listed), side)
    return found


def gender_of(name: str) -> str:
    """`female` or `male`, of a name in small letters that `found_names` gave."""
    return _sides()[name]


@cache
def _also_words() -> frozenset[str]:
    genders = lists()["gender"]
    return frozenset(str(name).casefold() for key in ("also_words_female", "also_words_male") for name in genders[key])  # type: ignore[attr-defined]


def swapped(text: str, *, seed: int, gender: bool = True) -> Swapped:
    """The text with the other gender throughout; with `gender=False` each name becomes another one of its own gender."""
    tokens = TOKEN.findall(text)
    people = found_names(tokens)
    chosen = _partners(sorted(set(people.values())), seed, gender, {token.casefold() for token in tokens})
    out, changes = [], 0
    for at, token in enumerate(tokens):
        if at in people:
            new = _as(chosen[people[at]], token)
        elif gender:
            new = _other(tokens, at)
        else:
            new = token
        changes += new != token
        out.append(new)
    return Swapped("".join(out), changes, tuple(sorted((name, other.casefold()) for name, other in chosen.items())))


def found_names(tokens: list[str]) -> dict[int, str]:
    """Places of names, with the name in small letters. A name that is a word too must be shown to be a name by the text."""
    sides, doubtful = _sides(), _also_words()
    found: dict[int, str] = {}
    for at, token in enumerate(tokens):
        bare = token.casefold().removesuffix("'s").removesuffix("’s")
        if bare in sides and token[:1].isupper() and not token.isupper() and (bare not in doubtful or _shown(tokens, at)):
            found[at] = bare
    # What is a name once is a name throughout, but where it opens a sentence and may be the word.
    known = set(found.values())
    for at, token in enumerate(tokens):
        if at not in found and token[:1].isupper() and token.casefold() in known and not _opens(tokens, at):
            found[at] = token.casefold()
    return found


def _shown(tokens: list[str], at: int) -> bool:
    """Whether a word such as Mark is a name here: it stands inside a sentence, or a title, a surname or a verb says so."""
    before, after = _word(tokens, at, -1), _word(tokens, at, 1)
    if before.casefold() in _grammar("titles") or (after[:1].isupper() and len(after) > 1 and not after.isupper() and _adjacent(tokens, at)):
        return True
    if tokens[at].casefold() in ("may", "april", "june") and (before.casefold() in ("in", "on", "by", "from", "to", "since", "until", "last", "next", "of") or after.isdigit() or before.isdigit()):
        return False
    if _opens(tokens, at):
        return after.casefold() in _grammar("says")
    return before.casefold() in _grammar("before_name") or after.casefold() in _grammar("after_name") or _closes(tokens, at)


def _adjacent(tokens: list[str], at: int) -> bool:
    return at + 2 < len(tokens) and tokens[at + 1] == " "


def _opens(tokens: list[str], at: int) -> bool:
    for token in reversed(tokens[:at]):
        if not token.isspace():
            return token in ".!?:;\"“(\n" or token == "-"
    return True


def _closes(tokens: list[str], at: int) -> bool:
    """Whether it ends a line or the text, as a signature does, or is called upon between commas."""
    rest = [token for token in tokens[at + 1 : at + 3] if token != " "]
    before = [token for token in tokens[max(0, at - 2) : at] if token != " "]
    return (not rest or "\n" in rest[0] or rest[0] in ",.!?") and bool(before) and (before[-1] == "," or "\n" in before[-1])


def _word(tokens: list[str], at: int, step: int) -> str:
    place = at + step
    while 0 <= place < len(tokens):
        token = tokens[place]
        if token[:1].isalnum():
            return token
        if not token.isspace() and token not in "\"'“”’":
            return ""
        place += step
    return ""


def _other(tokens: list[str], at: int) -> str:
    token = tokens[at]
    bare, ending = (token[:-2], token[-2:]) if token[-2:].casefold() in ("'s", "’s") and len(token) > 2 else (token, "")
    word = bare.casefold()
    after = _word(tokens, at, 1).casefold()
    if word == "him":
        return _as("her", bare) + ending
    if word == "his":
        return _as("her" if after and after not in _grammar("alone") - {"own", "two", "three"} else "hers", bare) + ending
    if word == "hers":
        return _as("his", bare) + ending
    if word == "her":
        return _as("him" if not after or after in _grammar("alone") - {"two", "three", "right"} else "his", bare) + ending
    other = _pairs().get(word)
    return _as(other, bare) + ending if other else token


def _partners(people: list[str], seed: int, gender: bool, used: set[str]) -> dict[str, str]:
    """Another name for each, none of them in the text already, no two the same."""
    sides, chosen = _sides(), {}
    taken = set(used)
    for name in people:
        side = sides[name]
        if gender:
            side = "male" if side == "female" else "female"
        free = [other for other in names(side) if other.casefold() not in taken]
        if not free:
            free = [other for other in names(side) if other.casefold() != name]
        chosen[name] = random.Random(f"{seed}:{name}").choice(free)
        taken.add(chosen[name].casefold())
    return chosen


def _as(word: str, like: str) -> str:
    """In the capitals of the word it replaces, with its possessive."""
    ending = like[-2:] if like[-2:].casefold() in ("'s", "’s") and len(like) > 2 else ""
    like = like.removesuffix(ending) if ending else like
    if like.isupper() and len(like) > 1:
        return word.upper() + ending.upper()
    return (word[:1].upper() + word[1:] if like[:1].isupper() else word) + ending

"""Two arms item by item: which cases got worse, which better, which both get wrong; searched, cut by slice, in pages.

    found = cases(project, CaseQuestion(one="prompt", two="tuned", show="regressions"), offset=0, limit=50)

Items of the sealed test set are shown only through a trial: before anybody looked at it there is none, and nothing to show.
What an open blind round asks of whoever looks is left out, also from what is counted and searched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from whytune.acceptance.triage import ARMS
from whytune.errors import NotFoundError, UsageError
from whytune.records.candidate import ARM_TITLES, Candidate
from whytune.records.data import Passage, SplitName
from whytune.records.evidence import Measure, Trial
from whytune.workspace import blindness
from whytune.workspace.blindness import BlindRound
from whytune.workspace.case_memory import MEMORY, CaseAnswer, CaseRow

if TYPE_CHECKING:
    from whytune.workspace.project import Project

SHOWS: dict[str, str] = {"regressions": "Got worse", "improvements": "Got better", "both_wrong": "Both wrong", "all": "All"}
SPLITS: dict[str, SplitName] = {"test": "test", "dev": "dev"}
RIGHT = 0.5
"""From this score on an answer is called right; where items are scored by degrees the score is shown with it."""
SAME = 1e-12
LONGEST_QUERY = 200
MOST_SLICES = 200
"""Slices offered to choose from, the largest ones."""


@dataclass(frozen=True)
class CaseQuestion:
    """What is asked for. one and two: an arm, or the beginning of a candidate's id; empty: the pair that matters most."""

    one: str = ""
    two: str = ""
    split: str = "test"
    show: str = "regressions"
    words: str = ""
    """All of these words, in the input, the wanted answer or either answer."""
    slice: str = ""
    """`name=value`."""


@dataclass(frozen=True)
class MeasuredArm:
    """One of the arms that were measured on the split. value is what an address names it by."""

    value: str
    title: str
    arm: str
    candidate: str
    trial: str
    primary: Measure


@dataclass(frozen=True)
class CaseSide:
    """What one arm said to one item."""

    text: str
    value: float
    right: bool
    outcome: str
    error: str
    passages: int


@dataclass(frozen=True)
class CaseLine:
    """One item with both answers. change: second score minus first."""

    item: str
    input: str
    target: str
    slices: tuple[tuple[str, str], ...]
    one: CaseSide
    two: CaseSide
    change: float


@dataclass(frozen=True)
class CaseList:
    """A page of cases and what there is beside them."""

    split: str
    metric: str
    graded: bool
    one: MeasuredArm
    two: MeasuredArm
    arms: tuple[MeasuredArm, ...]
    show: str
    words: str
    slice: str
    counts: dict[str, int]
    """How many there are of each kind, by the words and the slice asked for."""
    slices: tuple[tuple[str, int], ...]
    """`name=value` and how many items of the split have it, the largest first."""
    total: int
    lines: tuple[CaseLine, ...]
    looks: int
    erased: int
    held_back: int
    """Items of the split that an open blind round keeps from whoever asks; in no list, count or search here."""
    rounds: tuple[BlindRound, ...]
    """Those rounds."""


@dataclass(frozen=True)
class PassageShown:
    """A passage that an answer was given with."""

    id: str
    title: str
    text: str


@dataclass(frozen=True)
class CaseAnswered:
    """What one arm said to the item, with the passages it was handed."""

    arm: MeasuredArm
    said: CaseSide
    passages: tuple[PassageShown, ...]
    passages_gone: int
    """Passages that were erased since."""
    seconds: float


@dataclass(frozen=True)
class CaseShown:
    """One item in full, and what every arm said to it."""

    item: str
    split: str
    metric: str
    graded: bool
    turns: tuple[tuple[str, str], ...]
    target: str
    slices: tuple[tuple[str, str], ...]
    origin: str
    answers: tuple[CaseAnswered, ...]


_Pair = tuple[CaseRow, CaseAnswer, CaseAnswer]


@dataclass(frozen=True)
class _Beside:
    """Two trials item by item. kinds: a word of SHOWS to its items, in the order in which they are shown."""

    kinds: dict[str, list[_Pair]]
    slices: tuple[tuple[str, int], ...]
    graded: bool

    def __len__(self) -> int:
        return sum(map(len, self.kinds.values())) // 8  # the rows and answers themselves are counted where they are held


def cases(project: Project, question: CaseQuestion, offset: int = 0, limit: int = 50) -> CaseList:
    """One page of the cases asked for. Raises NotFoundError where nothing was measured yet, UsageError for what cannot be asked."""
    split = _checked(question)
    arms = measured(project, split)
    one, two = chosen_pair(project, arms, question.one, question.two)
    rows, blind = MEMORY.rows(project.workspace.store, project.dataset, split), blindness.held_back(project)
    beside = _beside(project, split, one, two)
    kinds = _fitting(beside, question, blind.items)
    kept = [item for item in blind.items if item in rows]
    chosen = kinds[question.show]
    return CaseList(
        split=split, metric=one.primary.name, graded=beside.graded, one=one, two=two, arms=tuple(arms), show=question.show,
        words=question.words, slice=question.slice, counts={show: len(found) for show, found in kinds.items()}, slices=beside.slices,
        total=len(chosen), lines=tuple(_line(*pair) for pair in chosen[offset : offset + limit]), looks=project.looks, erased=project.erased,
        held_back=len(kept), rounds=blind.among(kept),
    )  # fmt: skip


def case(project: Project, item: str, split: str = "test") -> CaseShown:
    """One item with every arm's answer. Raises NotFoundError where nobody measured it, NotAllowedError where a blind round holds it back."""
    chosen = _checked(CaseQuestion(split=split))
    arms = measured(project, chosen)
    row = MEMORY.rows(project.workspace.store, project.dataset, chosen).get(item)
    if row is None:
        raise NotFoundError(f"{item[:80]!r} is no case of {project.name}", where=f"{chosen} of dataset version {project.dataset.number}", next=f"whytune compare {project.name}")
    blindness.held_back(project).check(item, project)
    answers, held = [], []
    for arm in arms:
        said = MEMORY.answers(project.workspace.store, _trial(project, arm))
        held.append(said)
        if item in said:
            answers.append(_answered(project, arm, said[item]))
    return CaseShown(
        item=item, split=chosen, metric=arms[0].primary.name, graded=graded(*held), turns=row.turns, target=row.target, slices=row.slices,
        origin=row.origin, answers=tuple(answers),
    )  # fmt: skip


def measured(project: Project, split: SplitName) -> list[MeasuredArm]:
    """Every candidate that was measured on the split of the newest version, simplest arm first."""
    trials = project.trials(split)
    if not trials:
        raise NotFoundError(f"Nothing is measured on {split} of {project.name} yet", next=f"whytune run {project.name}")
    often = Counter(trial.arm for trial in trials)
    order = {arm: place for place, arm in enumerate(ARMS)}
    found = [
        MeasuredArm(
            value=trial.arm if often[trial.arm] == 1 else _digits(trial.candidate)[:10],
            title=ARM_TITLES.get(trial.arm, trial.arm) + ("" if often[trial.arm] == 1 else f" ({_digits(trial.candidate)[:6]})"),
            arm=trial.arm, candidate=trial.candidate, trial=trial.id, primary=trial.primary,
        )
        for trial in trials
    ]  # fmt: skip
    return sorted(found, key=lambda each: (order.get(each.arm, len(order)), each.value))


def chosen_pair(project: Project, arms: Sequence[MeasuredArm], first: str = "", second: str = "") -> tuple[MeasuredArm, MeasuredArm]:
    """The two that are asked for; without names the decision's own: what it chose, or the best, against the simplest other."""
    problems = [f"{name}={asked[:40]!r}" for name, asked in (("one", first), ("two", second)) if asked and _named(arms, asked) is None]
    if problems:
        raise NotFoundError(
            f"No such arm was measured: {', '.join(problems)}", where=f"there are: {', '.join(arm.value for arm in arms)}", next=f"whytune compare {project.name}",
        )  # fmt: skip
    decision = project.decision
    winner = decision.verdict.winner if decision else ""
    best = max(arms, key=lambda arm: arm.primary.value)
    one, two = _named(arms, first), _named(arms, second)
    two = two or next((arm for arm in arms if arm.arm == winner and arm is not one), None) or next((arm for arm in (best, *arms) if arm is not one), arms[0])
    one = one or next((arm for arm in arms if arm is not two), two)
    return one, two


def graded(*answers: Mapping[str, CaseAnswer]) -> bool:
    """Whether items were scored by degrees, rather than right or wrong."""
    return any(said.value not in (0.0, 1.0) for held in answers for said in held.values())


def _beside(project: Project, split: SplitName, one: MeasuredArm, two: MeasuredArm) -> _Beside:
    """Every item that both answered, by kind. Worked out once for the same two trials."""
    store, made = project.workspace.store, project.dataset
    first, second = _trial(project, one), _trial(project, two)

    def make() -> _Beside:
        rows, before, after = MEMORY.rows(store, made, split), MEMORY.answers(store, first), MEMORY.answers(store, second)
        kinds: dict[str, list[_Pair]] = {show: [] for show in SHOWS}
        for item, row in rows.items():
            if item in before and item in after:
                pair = (row, before[item], after[item])
                for show in _kinds(pair[2].value - pair[1].value, pair[1], pair[2]):
                    kinds[show].append(pair)
        for show in ("regressions", "improvements"):
            kinds[show].sort(key=lambda pair: -abs(pair[2].value - pair[1].value))  # stable: equal changes stay in the order of the items
        return _Beside(kinds, _slices(rows), graded(before, after))

    return MEMORY.held(store, ("beside", split, first.id, second.id), (made.rows, first.answers, first.scores, second.answers, second.scores), make)


def _fitting(beside: _Beside, question: CaseQuestion, blind: Collection[str]) -> dict[str, list[_Pair]]:
    """Of each kind those that say all the words, are of the slice, and are not held back."""
    name, _, value = question.slice.partition("=")
    words, wanted = question.words.casefold().split(), (name, value)
    if not words and not name and not blind:
        return beside.kinds
    found = [pair for pair in beside.kinds["all"] if pair[0].item not in blind and (not name or wanted in pair[0].slices)]
    for word in words:
        found = [pair for pair in found if word in pair[0].folded or word in pair[1].folded or word in pair[2].folded]
    items = {pair[0].item for pair in found}
    return {show: found if show == "all" else [pair for pair in pairs if pair[0].item in items] for show, pairs in beside.kinds.items()}


def _checked(question: CaseQuestion) -> SplitName:
    problems = []
    if question.split not in SPLITS:
        problems.append(f"split={question.split[:20]!r}: choose test or dev")
    if question.show not in SHOWS:
        problems.append(f"show={question.show[:20]!r}: choose {', '.join(SHOWS)}")
    if len(question.words) > LONGEST_QUERY:
        problems.append(f"q has {len(question.words):,} characters: {LONGEST_QUERY} at most")
    if question.slice and "=" not in question.slice:
        problems.append(f"slice={question.slice[:40]!r}: write name=value")
    if problems:
        raise UsageError("These cases cannot be shown", problems=problems, next="?show=regressions; at the terminal: whytune cases --show regressions")
    return SPLITS[question.split]


def _named(arms: Sequence[MeasuredArm], name: str) -> MeasuredArm | None:
    if not name:
        return None
    digits = _digits(name)
    fitting = [arm for arm in arms if name in (arm.value, arm.candidate) or (len(digits) >= 6 and _digits(arm.candidate).startswith(digits))]
    return fitting[0] if len(fitting) == 1 else None


def _trial(project: Project, arm: MeasuredArm) -> Trial:
    return project.workspace.store.get(Trial, arm.trial)


def _kinds(change: float, before: CaseAnswer, after: CaseAnswer) -> Iterator[str]:
    yield "all"
    if change < -SAME:
        yield "regressions"
    elif change > SAME:
        yield "improvements"
    if before.value < RIGHT and after.value < RIGHT:
        yield "both_wrong"


def _line(row: CaseRow, before: CaseAnswer, after: CaseAnswer) -> CaseLine:
    return CaseLine(row.item, row.input, row.target, row.slices, _side(before), _side(after), after.value - before.value)


def _side(said: CaseAnswer) -> CaseSide:
    return CaseSide(said.text, said.value, said.value >= RIGHT, said.outcome, said.error, len(said.passages))


def _slices(rows: Mapping[str, CaseRow]) -> tuple[tuple[str, int], ...]:
    counted = Counter(f"{name}={value}" for row in rows.values() for name, value in row.slices)
    return tuple(sorted(counted.items(), key=lambda found: (-found[1], found[0]))[:MOST_SLICES])


def _answered(project: Project, arm: MeasuredArm, said: CaseAnswer) -> CaseAnswered:
    found = _passages(project, arm.candidate, said.passages)
    shown = tuple(PassageShown(id, found[id].title, found[id].text) for id in said.passages if id in found)
    return CaseAnswered(arm, _side(said), shown, len(said.passages) - len(shown), said.seconds)


def _passages(project: Project, candidate: str, ids: Sequence[str]) -> dict[str, Passage]:
    store = project.workspace.store
    retrieval = store.get(Candidate, candidate).retrieval if ids else None
    return store.passages.named(retrieval.index, ids) if retrieval and store.passages.has(retrieval.index) else {}


def _digits(id: str) -> str:
    return id.rpartition(":")[2]

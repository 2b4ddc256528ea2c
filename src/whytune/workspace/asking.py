"""Opens a round of review: what is asked about, which items, how many people a row, and who is kept out.

Rows come from train and dev; the test set is not shown. Answers are those of trials that are measured already: dev
where both candidates were measured there, else test, whose look is counted then. Nothing is ever answered again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from whytune.errors import NotAllowedError, NotFoundError, RefusedError, UsageError
from whytune.records.candidate import ARM_TITLES
from whytune.records.data import Dataset, SplitName, Validation
from whytune.records.evidence import Answer, Protocol, Trial
from whytune.records.review import Purpose, Queue, ReviewItem
from whytune.review import forms, sampling
from whytune.workspace import duties, reviewing
from whytune.workspace.creating import SplitRow
from whytune.workspace.roles import ACTS

if TYPE_CHECKING:
    from whytune.workspace.project import Project

SIMPLEST_FIRST = tuple(ARM_TITLES)


@dataclass(frozen=True)
class Plan:
    """How a round is laid out. votes: decisive votes planned (pairs), 0 asks about every item. split: empty chooses."""

    sample: int = 300
    overlap: float = 0.25
    overlap_max: int = 3
    votes: int = 85
    gold: float = 0.05
    repeats: float = 0.05
    guideline: str = ""
    split: str = ""
    seed: int = 17

    def problems(self) -> list[str]:
        """Every value that cannot be."""
        found = [] if self.sample >= 1 else [f"a sample of {self.sample} items is none"]
        shares = {"overlap": self.overlap, "gold": self.gold, "repeats": self.repeats}
        found += [f"{name} is a share from 0 to 1, not {share:g}" for name, share in shares.items() if not 0 <= share <= 1]
        found += [] if self.overlap_max >= 1 else [f"overlap-max is at least 1, not {self.overlap_max}"]
        found += [] if self.votes >= 0 else [f"votes is 0 or more, not {self.votes}"]
        return found + ([] if self.split in ("", "dev", "test") else [f"there is no split {self.split!r} to review: dev or test"])


@dataclass(frozen=True)
class Drawn:
    """What a round is about, before it is written down."""

    items: list[ReviewItem]
    population: int
    subject: tuple[str, ...]
    read: tuple[str, ...]
    arms: tuple[str, ...] = ()
    split: tuple[SplitName, ...] = ("train", "dev")
    answers: tuple[str, ...] = ()
    identical: int = 0


def open_round(project: Project, purpose: Purpose, arms: Sequence[str] = (), plan: Plan | None = None, *, say: Callable[[str], None] | None = None) -> Queue:
    """Lay out a round and open it. Raises with every mistake of the plan, and where nobody could be asked."""
    plan = plan or Plan()
    tell = say or (lambda line: None)
    if problems := plan.problems():
        raise UsageError("This round cannot be laid out like that", problems=problems, next="whytune review open --help")
    made = project.dataset
    form = forms.form_for(purpose, made.labels)
    held = list(arms)
    if bool(held) != (purpose in ("pairs", "rubric")) or len(held) > 2:
        raise UsageError(f"A round of {purpose} about {len(held)} arms cannot be", next="rows and labels name no arm, rubric one, pairs two")
    subject = [made.id] if not held else [trial.candidate for trial in _trials(project, held, plan.split)]
    people, excluded = askable(project, subject)
    solo = project.workspace.person.solo
    most = 1 if solo else max(1, min(plan.overlap_max, len(people)))
    if most == 1 and plan.overlap:
        tell("only one person can be asked, so no item is judged twice and agreement stays unknown")
    wanted = sampling.Wanted(plan.sample, plan.overlap if most > 1 else 0.0, 1, plan.gold, plan.seed)
    drawn = _answers(project, made, purpose, held, plan, wanted) if held else _rows(project, made, purpose, wanted)
    if not drawn.items:
        raise RefusedError("There is nothing to ask about: all answers are the same, or there are no rows", next=f"whytune compare {project.name}")
    _refuse_twice(project, purpose, drawn.subject)
    store = project.workspace.store
    guideline = plan.guideline.strip() or forms.GUIDELINES[purpose]
    planned = plan.votes if purpose == "pairs" else 0
    queue = Queue(
        project=project.key, number=len(reviewing.queues(project)) + 1, purpose=purpose, dataset=made.id, subject=drawn.subject, arms=drawn.arms,
        split=drawn.split, answers=drawn.answers, form=form, guideline=guideline, guideline_version=Queue.version_of(guideline), population=drawn.population,
        identical=drawn.identical, overlap=wanted.overlap, overlap_max=most, planned=planned, stop="planned votes" if planned else "all items",
        repeats=plan.repeats, gold=plan.gold if any(item.kind == "gold" for item in drawn.items) else 0.0, seed=plan.seed,
        items=store.put_pack(drawn.items, "review items"), excluded=excluded, solo=solo,
    )  # fmt: skip
    with project.act("queue.opened", read=drawn.read) as act:
        act.facts.update(purpose=purpose, items=str(len(drawn.items)), guideline=queue.guideline_version, excluded=str(len(excluded)))
        # Votes are votes: only where there is a right answer does one more person settle a difference.
        store.queues.fill(queue.id, drawn.items, most=most if purpose in ("rows", "labels") else 0, stop=planned)
        return act.write(queue)


def purpose_named(name: str) -> Purpose:
    """The purpose of that name. Raises UsageError."""
    purposes: dict[str, Purpose] = {"rows": "rows", "labels": "labels", "pairs": "pairs", "rubric": "rubric"}
    if name not in purposes:
        raise UsageError(f"There is no round of {name!r}", next=f"choose one of: {', '.join(purposes)}")
    return purposes[name]


def askable(project: Project, subject: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """(people who may be asked about these records, people who made part of them). Raises NotAllowedError where nobody is left."""
    workspace = project.workspace
    if workspace.person.solo:
        return [workspace.person.name], ()
    able = [person.name for person in workspace.people() if set(person.roles) & set(ACTS["opinion.given"])]
    made = duties.authors(workspace, subject)
    excluded = tuple(sorted(name for name in made if name in {person.name for person in workspace.people()}))
    people = [name for name in able if name not in excluded]
    if not people:
        raise NotAllowedError(
            f"Nobody may be asked: those who may review ({', '.join(able) or 'nobody'}) made part of what is judged",
            next=f"whytune user add NAME --role {ACTS['opinion.given'][0]}",
        )
    return people, excluded


def _rows(project: Project, made: Dataset, purpose: Purpose, wanted: sampling.Wanted) -> Drawn:
    rows = project.workspace.store.read_pack(made.rows, SplitRow)
    targets = {row.example.id: row.example.target_text for row in rows if row.split != "test"}
    checked = [validation for validation in project.records(Validation) if validation.dataset == made.id][-1:]
    warned = {row for validation in checked for finding in validation.findings if finding.status != "pass" for row in finding.rows}
    items = sampling.rows(targets, warned, wanted, purpose)
    return Drawn(items, len(targets), (made.id,), (made.id, *(validation.id for validation in checked)))


def _answers(project: Project, made: Dataset, purpose: Purpose, arms: Sequence[str], plan: Plan, wanted: sampling.Wanted) -> Drawn:
    chosen = _trials(project, arms, plan.split)
    store, split = project.workspace.store, chosen[0].split
    targets = {row.example.id: row.example.target_text for row in store.read_pack(made.rows, SplitRow) if row.split == split}
    given = [{answer.item: answer.text for answer in store.read_pack(trial.answers, Answer)} for trial in chosen]
    items, identical = sampling.pairs(targets, given, wanted) if purpose == "pairs" else (sampling.rubric(targets, given, wanted), 0)
    return Drawn(
        items, len(targets), tuple(trial.candidate for trial in chosen), (made.id, *(trial.id for trial in chosen)), tuple(trial.arm for trial in chosen),
        (split,), tuple(trial.answers for trial in chosen), identical,
    )  # fmt: skip


def _trials(project: Project, arms: Sequence[str], split: str) -> list[Trial]:
    """The trials of both candidates on one split, the simpler arm first."""
    names = list(arms) if len(arms) > 1 else [next((arm for arm in SIMPLEST_FIRST if arm != arms[0] and _trial(project, arm, split or "")), ""), arms[0]]
    if len(set(names)) < 2 or not all(names):
        raise UsageError("Two different arms are compared", where=", ".join(arms), next=f"whytune compare {project.name} names the arms that are measured")
    lacking = []
    for where in (split,) if split else ("dev", "test"):
        found = [_trial(project, name, where) for name in names]
        both = [trial for trial in found if trial]
        if len(both) == len(names):
            return sorted(both, key=lambda trial: SIMPLEST_FIRST.index(trial.arm))
        lacking.append(f"{where}: no answers of {', '.join(name for name, trial in zip(names, found, strict=True) if not trial)}")
    raise NotFoundError("These arms were not measured on the same split, so there are no answers to show", where="; ".join(lacking), next=f"whytune run {project.name}")


def _trial(project: Project, name: str, split: str) -> Trial | None:
    """The trial of an arm or a candidate on a split ("" : any): the one that is in the protocol, else the last."""
    fixed = project.workspace.store.latest(Protocol, project.key)
    trials = [trial for where in ((split,) if split else ("dev", "test")) for trial in project.trials(where)]
    found = [trial for trial in trials if name == trial.arm or trial.candidate in (name, f"candidate:{name}")]
    return next((trial for trial in found if fixed and trial.candidate in fixed.candidates), found[-1] if found else None)


def _refuse_twice(project: Project, purpose: Purpose, subject: tuple[str, ...]) -> None:
    for room in reviewing.rounds(project, open_only=True):
        if (room.queue.purpose, room.queue.subject) == (purpose, subject):
            raise RefusedError(
                f"Round {room.queue.number} asks the same and is still open", next=f"whytune review {project.name}, or whytune review close {project.name}"
            )

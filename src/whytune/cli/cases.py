"""`whytune cases`: two arms case by case, what got worse, what better, what both get wrong; or one case in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from whytune.cli.options import Json, Name, project
from whytune.cli.screen import say, say_json, say_next
from whytune.errors import UsageError

if TYPE_CHECKING:
    from whytune.workspace.cases import CaseList, CaseShown, CaseSide

SHOWN_SLICES = 8
WIDE = 200
"""Letters of a text in a list; `--item` shows all of it."""


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    app.command()(cases)


def cases(
    name: Name = "",
    arms: Annotated[str, typer.Option(help="Two arms, A,B, or beginnings of candidates' ids; the pair that matters most if left out.")] = "",
    show: Annotated[str, typer.Option(help="regressions, improvements, both-wrong or all.")] = "regressions",
    slice_of: Annotated[str, typer.Option("--slice", help="Only cases with this, as in label=refund.")] = "",
    words: Annotated[str, typer.Option(help="Only cases with all of these words, in the input, the wanted answer or either answer.")] = "",
    split: Annotated[str, typer.Option(help="test, once it was opened, or dev.")] = "test",
    item: Annotated[str, typer.Option(help="One case in full, with every arm's answer and its passages.")] = "",
    page: Annotated[int, typer.Option(min=1, help="Which page of the list.")] = 1,
    per: Annotated[int, typer.Option(min=1, max=200, help="Cases a page.")] = 20,
    as_json: Json = False,
) -> None:
    """Two arms case by case: what got worse, what better, what both get wrong; the largest change first."""
    from whytune.workspace import cases as explorer

    chosen = project(name)
    if item:
        one = explorer.case(chosen, item, split)
        if as_json:
            say_json("case", {"project": chosen.name, "case": one})
        else:
            _whole(one)
            say_next(f"whytune cases {chosen.name} --split {split}")
        return
    first, second = _pair(arms)
    question = explorer.CaseQuestion(one=first, two=second, split=split, show=show.replace("-", "_"), words=words.strip(), slice=slice_of)
    found = explorer.cases(chosen, question, (page - 1) * per, per)
    if as_json:
        say_json("cases", {"project": chosen.name, "page": page, "per": per, "cases": found})
        return
    _listed(found, page, per)
    say_next(f"whytune cases {chosen.name} --split {split} --item {found.lines[0].item}" if found.lines else f"whytune compare {chosen.name} --split {split}")


def _pair(arms: str) -> tuple[str, str]:
    parts = [part.strip() for part in arms.split(",")] if arms else ["", ""]
    if len(parts) != 2:
        raise UsageError(f"--arms {arms[:80]!r} names {len(parts)}", next="name two, as in --arms prompt,tuned")
    return parts[0], parts[1]


def _listed(found: CaseList, page: int, per: int) -> None:
    say(f"{found.two.title} against {found.one.title}, {found.metric} on {found.split}: " + ", ".join(f"{show.replace('_', '-')} {count:,}" for show, count in found.counts.items()))
    if found.slices:
        more = f", and {len(found.slices) - SHOWN_SLICES:,} more" if len(found.slices) > SHOWN_SLICES else ""
        say("slices: " + ", ".join(f"{name!r} ({count:,})" for name, count in found.slices[:SHOWN_SLICES]) + more)
    for line in found.lines:
        say(f"{line.item}  {line.change:+.3f}")
        say(f"  given:  {_short(line.input)}")
        say(f"  wanted: {_short(line.target)}")
        for arm, side in ((found.one, line.one), (found.two, line.two)):
            say(f"  {arm.value}: {_short(side.text)}  [{_marked(side)}]")
    last = max(1, -(-found.total // per))
    if found.total:
        say(f"page {page:,} of {last:,}, {found.total:,} cases")
    else:
        say("no case is like that")
    if found.held_back:
        say(f"{found.held_back:,} cases are held back from you, and in no count or search here:")
        for each in found.rounds:
            say(f"  {each.said}")
    if found.erased:
        say(f"erased since, at somebody's request: {found.erased:,} rows of this version")


def _whole(one: CaseShown) -> None:
    say(f"{one.item} on {one.split}, {one.origin}")
    for role, text in one.turns:
        say(f"{role}: {text!r}")
    say(f"wanted: {one.target!r}")
    for name, value in one.slices:
        say(f"  {f'{name}={value}'!r}")
    for answered in one.answers:
        say(f"{answered.arm.value} [{_marked(answered.said)}]: {answered.said.text!r}")
        for passage in answered.passages:
            say(f"  with {passage.title!r}: {_short(passage.text)}")
        if answered.passages_gone:
            say(f"  {answered.passages_gone} passages were erased since")


def _marked(side: CaseSide) -> str:
    told = f"{'right' if side.right else 'wrong'}, {side.value:.3f}"
    return told if side.outcome == "scored" and not side.error else f"{told}, {side.outcome} {side.error}".rstrip()


def _short(text: str) -> str:
    """What came from rows and models, spelled out so that nothing in it acts on a terminal."""
    return repr(text if len(text) <= WIDE else text[: WIDE - 1] + "…")

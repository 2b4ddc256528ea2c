"""`whytune compare | decide | report`: the arms side by side, the verdict, its page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whytune.cli.options import Json, Name, project
from whytune.cli.screen import Screen, say, say_json, say_next, table
from whytune.errors import UsageError

SAYS_NO = ("NONE_ACCEPTABLE", "CANNOT_PAY", "BLOCKED", "INVALID_TEST", "FIX_RETRIEVAL_FIRST", "FIX_LABELS_FIRST", "FIX_FORMAT_FIRST")


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    for command in (compare, decide, report):
        app.command()(command)


def compare(
    name: Name = "",
    split: Annotated[str, typer.Option(help="dev or test; looking at test is counted once per candidate, when it is measured.")] = "test",
    as_json: Json = False,
) -> None:
    """Every arm with its interval, and the declared pairs with what they won and lost."""
    chosen = project(name)
    if split not in ("dev", "test"):
        raise UsageError(f"There is no split {split!r} to compare on", next="whytune compare --split dev, or --split test")
    trials, comparisons = chosen.trials(split), chosen.comparisons if split == "test" else []
    if as_json:
        say_json("comparison", {"project": chosen.name, "split": split, "trials": trials, "comparisons": comparisons, "looks": chosen.looks})
        return
    if not trials:
        say(f"nothing is measured on {split} yet")
    table(
        ("arm", trials[0].primary.name if trials else "", "interval", "n", "cost/1,000", "s/answer"),
        [
            (t.arm, f"{t.primary.value:.3f}", f"{t.primary.low:.3f} to {t.primary.high:.3f}", f"{t.primary.n:,}", f"{t.spending.cost_per_1000:.4f}", f"{t.spending.median_seconds:.2f}")
            for t in trials
        ],
    )
    for c in comparisons:
        say(f"{c.second_arm} against {c.first_arm}: {c.difference.value:+.3f} ({c.difference.low:+.3f} to {c.difference.high:+.3f}), won {c.wins}, lost {c.losses}, p {c.p_holm:.3f} (Holm): {c.conclusion.replace('_', ' ')}")
    if split == "test":
        say(f"the sealed test set was opened {chosen.looks} times, once for each candidate")
    say_next(chosen.status().next)


def decide(name: Name = "", as_json: Json = False) -> None:
    """The verdict. Exit code 0: an arm is enough or worth it; 3: the evidence says no; 6: not proven."""
    chosen = project(name)
    screen = Screen(quiet=as_json, money_hour=chosen.file.prices.compute_hour, currency=chosen.file.prices.currency)
    try:
        chosen.run(screen)
    finally:
        screen.close()
    decision = chosen.decision
    assert decision is not None  # run() ends with one or raises
    if as_json:
        say(chosen.report("json").rstrip())
    else:
        say(f"{decision.verdict.code}: {decision.verdict.headline}")
        say(decision.verdict.sentence)
        for line in decision.verdict.would_change:
            say(f"  would change this: {line}")
        say_next(f"whytune report {chosen.name} -o report.html")
    if decision.verdict.code in SAYS_NO:
        raise typer.Exit(3)
    if decision.verdict.code == "INCONCLUSIVE":
        raise typer.Exit(6)


def report(
    name: Name = "",
    out: Annotated[Path | None, typer.Option("-o", "--out", help="File to write; .html, .md or .json decides the format.")] = None,
    md: Annotated[bool, typer.Option("--md", help="Markdown.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The decision record as JSON.")] = False,
) -> None:
    """The decision on one page: HTML, Markdown or JSON."""
    suffixes = {".html": "html", ".md": "md", ".json": "json"}
    kind = "md" if md else "json" if as_json else suffixes.get(out.suffix, "html") if out else "md"
    text = project(name).report(kind)
    if out is None:
        say(text.rstrip())
        return
    from whytune.workspace.writing import write_whole

    write_whole(out, text)
    say(f"wrote {out}")

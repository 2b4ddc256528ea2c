"""`whytune init | run | train | status | next`: a project from a file of examples to a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whytune.cli.models import show_choice
from whytune.cli.options import DryRun, Json, Name, project, workspace
from whytune.cli.screen import Screen, plain_seconds, say, say_json, say_next, table
from whytune.errors import UsageError


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    for command in (init, run, train, status):
        app.command()(command)
    app.command("next")(next_step)


def init(
    name: Annotated[str, typer.Argument(help="The project's name; a folder of that name is made here.")],
    task: Annotated[str, typer.Option(help="qna, summarization, chat, categorization, sentiment or extraction.")],
    source: Annotated[list[Path], typer.Option("--from", help="File of examples; may be given several times.")],
    input: Annotated[str, typer.Option(help="Column that the model is given; guessed if left out.")] = "",
    target: Annotated[str, typer.Option(help="Column that it should answer; guessed if left out.")] = "",
    group: Annotated[str, typer.Option(help="Rows with the same value here are never parted by the split.")] = "",
    evidence: Annotated[str, typer.Option(help="Column naming the document that holds the answer.")] = "",
    labels_file: Annotated[str, typer.Option(help="File with one label a line, beside a text file.")] = "",
    mapping_file: Annotated[str, typer.Option(help="File that names the labels.")] = "",
    documents: Annotated[list[Path] | None, typer.Option(help="Files, folders or archives to look answers up in.")] = None,
    metric: Annotated[str, typer.Option(help="What decides; the task's own if left out.")] = "",
    bar: Annotated[float, typer.Option(help="An arm must provably reach this, 0 to 1.")] = 0.8,
    margin: Annotated[float, typer.Option(help="A dearer arm must provably be this much better.")] = 0.05,
    purpose: Annotated[str, typer.Option(help="One sentence: who will use it, for what.")] = "",
    model: Annotated[str, typer.Option(help="bundled, folder:PATH, hub:ORG/NAME or endpoint:URL.")] = "bundled",
    model_name: Annotated[str, typer.Option(help="The model's name at an endpoint.")] = "",
    key_env: Annotated[str, typer.Option(help="Environment variable holding the endpoint's key.")] = "",
    limit: Annotated[int, typer.Option(help="Keep a stratified sample of that many rows; 0 keeps all.")] = 0,
    label: Annotated[list[str] | None, typer.Option(help="Keep only this label; may be given several times.")] = None,
    format: Annotated[str, typer.Option(help="csv, tsv, json, jsonl, parquet, text or inst; guessed if left out.")] = "",
    encoding: Annotated[str, typer.Option(help="The text encoding; guessed if left out.")] = "",
    triage: Annotated[list[str] | None, typer.Option(help="Answer to a triage question, as in no_egress=yes; may be given several times.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Start a project from a file of examples: shows what was guessed and writes whytune.toml."""
    from whytune.workspace import setup

    data = {
        "from": [str(path) for path in source], "input": input, "target": target, "group": group, "evidence": evidence,
        "labels_file": labels_file, "mapping_file": mapping_file, "documents": [str(path) for path in documents or ()],
        "format": format, "encoding": encoding,
    }
    draft = setup.draft(
        {
            "circumstances": setup.answers(triage or []),
            "name": name, "task": task, "purpose": purpose, "data": data,
            "acceptance": {"metric": metric, "bar": bar, "margin": margin},
            "model": {"base": model, "name": model_name, "key_env": key_env},
            "split": {"limit": limit, "labels": label or []},
        },
        Path(name),
    )
    if as_json:
        say_json("init", {"folder": str(draft.folder), "guess": draft.guess, "written": not dry_run})
    else:
        for line in draft.lines:
            say(line)
        for shown_input, shown_target in draft.preview[:3]:
            say(f"  {shown_input[:70]!r} -> {shown_target[:50]!r}")
    if dry_run:
        return
    unsure = draft.confidence < 0.5 and not (input and target)
    if unsure and not yes and _terminal() and not typer.confirm("Read it like this?"):
        raise typer.Exit(1)
    if not yes and not as_json and _terminal():
        draft = draft.answered(_ask(draft.open_questions))
    setup.create(draft)
    if not as_json:
        say(f"wrote {draft.folder / 'whytune.toml'}: read it, the rule is fixed before any result")
        say_next(f"whytune run {name}")


def _ask(questions: dict[str, str]) -> dict[str, bool]:
    """The triage questions that are open; Enter leaves one open."""
    answers: dict[str, bool] = {}
    for key, question in questions.items():
        said = ""
        while said not in ("y", "yes", "n", "no", "-"):
            said = typer.prompt(f"{question}? y, n, or Enter if not known yet", default="-", show_default=False).strip().lower()
        if said != "-":
            answers[key] = said.startswith("y")
    return answers


def _terminal() -> bool:
    import sys

    return sys.stdin.isatty() and sys.stdout.isatty()


def run(
    name: Name = "",
    until: Annotated[str, typer.Option(help="Stop after this step; `whytune status` names them.")] = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Walk the flow as far as evidence and people permit; run it again to go on where it stopped."""
    chosen = project(name)
    if dry_run:
        estimate = chosen.estimate()
        if as_json:
            say_json("estimate", estimate)
        else:
            table(("step", "what", "about"), [(line["step"], line["what"], plain_seconds(line["seconds"])) for line in estimate["steps"]])
            say(f"in all about {plain_seconds(estimate['seconds'])}, {estimate['money']:.2f} {estimate['currency']}, {estimate['disk_bytes'] / 1e6:.0f} MB of disk")
            say_next(f"whytune run {chosen.name}")
        return
    prices = chosen.file.prices
    screen = Screen(quiet=as_json, money_hour=prices.compute_hour, currency=prices.currency)
    from whytune.workspace import working

    try:
        with working.recorded(chosen, "run", {"until": until}, screen) as progress:
            chosen.run(progress, until=until)
    finally:
        screen.close()
    decision = chosen.decision
    if as_json:
        say_json("run", {"project": chosen.name, "verdict": decision.verdict if decision else None, "status": chosen.status()})
        return
    if decision:
        say(decision.verdict.headline)
        say(decision.verdict.sentence)
    say_next(chosen.status().next)


def train(
    name: Name = "",
    all_of: Annotated[bool, typer.Option("--all", help="Train every one of [[candidates]] and rank them on dev.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Train the adapters that apply; rows of the test set cannot reach it."""
    chosen = project(name)
    if all_of and not chosen.file.candidates:
        raise UsageError("There is nothing to train side by side", where="whytune.toml", next="list [[candidates]] in whytune.toml; docs: How to choose a model")
    if dry_run:
        estimate = chosen.training_estimate()
        if as_json:
            say_json("training-estimate", estimate)
        else:
            for key, value in estimate.items():
                say(f"{key}: {value}")
        return
    screen = Screen(quiet=as_json, money_hour=chosen.file.prices.compute_hour, currency=chosen.file.prices.currency)
    from whytune.workspace import working

    how = "all" if all_of else ""
    try:
        with working.recorded(chosen, "train", {"how": how}, screen) as progress:
            chosen.run(progress, until="train", how=how)
    finally:
        screen.close()
    adapters = chosen.adapters
    if as_json:
        say_json("train", {"project": chosen.name, "adapters": adapters, "choice": chosen.choice})
        return
    for adapter in adapters:
        best = next(point for point in adapter.curve if point.step == adapter.best_step)
        metric = "" if best.dev_metric is None else f", dev {chosen.file.acceptance.metric} {best.dev_metric:.3f}"
        say(f"{adapter.id[:18]}: {adapter.rows:,} rows, {adapter.trained_tokens:,} trained tokens, best at step {best.step} (dev loss {best.dev_loss:.3f}{metric}), {plain_seconds(adapter.seconds)}")
        if adapter.cost:
            cost = adapter.cost
            say(f"  steps: {plain_seconds(cost.seconds)}, expected {plain_seconds(cost.expected_seconds)}; memory: {cost.memory_bytes / 1e9:.2f} GB, expected {cost.expected_memory_bytes / 1e9:.2f} GB; {cost.money:.4f} {cost.currency}")
    if chosen.choice:
        show_choice(chosen.choice, as_json=False)
    if not adapters:
        say("nothing was trained; `whytune status` says why")
    say_next(chosen.status().next)


def status(name: Name = "", as_json: Json = False) -> None:
    """Where a project stands, step by step; with no name and several projects, all of them."""
    room = workspace()
    found = [one.status() for one in ([room.project(name)] if name else room.projects())]
    if as_json:
        say_json("status", {"projects": found})
        return
    if not found:
        say("no project yet")
        say_next("whytune init NAME --task TASK --from FILE")
    for one in found:
        say(f"{one.project} ({one.task}): {one.headline}")
        for step in one.steps:
            say(f"  {step.mark} {step.name:<12} {step.detail}")
        for hint in one.hints:
            say(f"  ! {hint}")
        say_next(one.next)


def next_step(name: Name = "", as_json: Json = False) -> None:
    """The one thing to do now."""
    found = project(name).status()
    if as_json:
        say_json("next", {"project": found.project, "next": found.next, "hints": found.hints})
    else:
        for hint in found.hints:
            say(f"! {hint}")
        say_next(found.next)

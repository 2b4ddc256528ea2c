"""`whytune leaderboard | retrieval`: every trial with what it is worth, and how well search found the right documents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whytune.cli.options import Json, Name, project, workspace
from whytune.cli.screen import say, say_json, say_next, table

if TYPE_CHECKING:
    from whytune.records.standing import Board, BoardLine


def add_to(app: typer.Typer) -> None:
    """Register this file's commands."""
    app.command()(leaderboard)
    app.command()(retrieval)


def leaderboard(
    name: Annotated[str, typer.Argument(help="Project name or folder; all projects if left out.")] = "",
    split: Annotated[str, typer.Option(help="test or dev.")] = "test",
    md: Annotated[bool, typer.Option("--md", help="Markdown, with every column.")] = False,
    html: Annotated[bool, typer.Option("--html", help="One HTML page, with every column.")] = False,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="File to write; .html, .md or .json decides the format.")] = None,
    as_json: Json = False,
) -> None:
    """Every submitted trial: interval, difference to the incumbent, tie groups instead of ranks, cost, people, responsible AI."""
    from whytune.workspace import ranking

    boards = ranking.boards(workspace(), name, split)
    kind = "html" if html else "md" if md else "json" if as_json else {".html": "html", ".md": "md", ".json": "json"}.get(out.suffix, "md") if out else ""
    if kind:
        text = ranking.written(boards, kind)
        if out is None:
            say(text.rstrip())
            return
        from whytune.workspace.writing import write_whole

        write_whole(out, text)
        say(f"wrote {out}")
        return
    for board in boards:
        _show(board)
    if not boards:
        say(f"nothing is measured on {split} yet")
    say_next(f"whytune leaderboard {name} -o leaderboard.html".replace("  ", " ") if boards else "whytune run")


def _show(board: Board) -> None:
    from whytune.workspace.ranking import facts, title

    say(title(board))
    for sentence in facts(board):
        say(f"  {sentence}")
    table(
        ("", "groups", "arm", board.metric, "interval", "to the incumbent", "p (Holm)", "cost/1,000", "p95 s", "candidate"),
        [_cells(line) for line in board.lines],
    )
    for line in board.lines:
        if line.why:
            say(f"  {line.arm} {line.candidate.partition(':')[2][:10]}: {line.why}")
        for one in line.human:
            alpha = f"alpha {one.alpha.value:.2f}" if one.alpha else "nothing judged twice"
            say(f"  {line.arm}: people preferred it to {one.against} in {one.preference.value:.0%} of votes ({one.preference.low:.0%} to {one.preference.high:.0%}, {alpha}): {one.conclusion.replace('_', ' ')}")
        if line.responsible:
            say(f"  {line.arm}: responsible AI: " + ", ".join(f"{name} {status}" for name, status in line.responsible.items()))
        if line.replace_by:
            say(f"  {line.arm} {line.candidate.partition(':')[2][:10]}: trained on somebody who was erased since; replace it by {line.replace_by}")
        if line.unscored:
            say(f"  {line.arm}: {line.unscored:.1%} of its answers could not be scored and count as wrong")
    say()


def _cells(line: BoardLine) -> tuple[str, ...]:
    mark = "*" if line.with_best else " "
    seen = line.difference
    return (
        mark, line.group or "-", line.arm + (" (incumbent)" if line.incumbent else ""), f"{line.metric.value:.3f}", f"{line.metric.low:.3f} to {line.metric.high:.3f}",
        f"{seen.value + 0.0:+.3f} ({seen.low:+.3f} to {seen.high:+.3f})" if seen else "", "" if line.p_holm is None else f"{line.p_holm:.3f}",
        f"{line.cost_per_1000:.4f}", "" if line.p95_seconds is None else f"{line.p95_seconds:.2f}", line.candidate.partition(":")[2][:10],
    )  # fmt: skip


def retrieval(name: Name = "", as_json: Json = False) -> None:
    """hit@k, recall@k and MRR of every candidate with search, on rows whose document is known."""
    from whytune.workspace import ranking

    chosen = project(name)
    lines = ranking.retrieval(chosen)
    if as_json:
        say_json("retrieval", {"project": chosen.name, "lines": lines})
        return
    table(
        ("split", "arm", "k", "hit@k", "interval", "recall@k", "interval", "MRR", "interval", "n"),
        [
            (line.split, line.arm, str(line.figures.k), *(text for each in line.figures.measures for text in (f"{each.value:.3f}", f"{each.low:.3f} to {each.high:.3f}")), f"{line.figures.hit.n:,}")
            for line in lines
        ],
    )  # fmt: skip
    for line in lines:
        if line.figures.skipped or line.figures.unanswered:
            say(f"  {line.arm} on {line.split}: {line.figures.skipped:,} rows name no document and measure nothing; {line.figures.unanswered:,} have no answer and count as misses")
    say_next(f"whytune leaderboard {chosen.name}")

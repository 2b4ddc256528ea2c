"""The leaderboard as Markdown and as one self-contained HTML page; pure functions of the boards.

Both show every line there is, what is not compared with its reason. Lines share a letter where they are not proven to
differ; there is no rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from whytune.records.candidate import ARM_TITLES
from whytune.records.evidence import Measure
from whytune.records.standing import Board, BoardLine
from whytune.report.markdown import escaped
from whytune.report.plain import plain

if TYPE_CHECKING:
    from jinja2 import Template

HERE = Path(__file__).parent
HEAD = (
    "Approach", "Groups", "Figure", "Interval", "To the incumbent", "p (Holm)", "Unscored", "People", "Responsible AI", "Search", "Cost / 1,000",
    "Cost / right", "p95", "Training", "Base, licence", "Release", "Candidate",
)  # fmt: skip


def board_title(board: Board) -> str:
    """`desk, version 2, test (newest)`."""
    return f"{board.project}, version {board.number}, {board.split}" + (" (newest)" if board.newest else "")


def board_facts(board: Board) -> list[str]:
    """What must be known to read the lines, in sentences."""
    said = [f"{board.metric} over {board.n:,} items" + (f" in {board.clusters:,} clusters" if board.clusters else "") + f"; intervals at {100 * board.confidence:g} %."]
    if board.split == "test":
        said.append(f"The sealed test set was opened {board.looks:,} times." if board.looks != 1 else "The sealed test set was opened once.")
    if board.smallest_difference:
        said.append(f"The smallest difference it can prove is {100 * board.smallest_difference:.1f} points.")
    said.append(f"Incumbent: {board.incumbent_by}; differences are to it, their p values Holm-corrected over the comparisons with it.")
    said.append("Lines that share a letter are not proven to differ (all pairs, Holm); a star marks every line that is not proven worse than the highest.")
    if board.erased:
        said.append(f"{board.erased:,} rows of this version were erased since.")
    if not board.same_test:
        said.append("Measured on another test set than the newest version: not comparable with its lines.")
    return said


def cells(line: BoardLine, currency: str) -> tuple[str, ...]:
    """One line as texts, in the order of HEAD."""
    groups = line.group + (" *" if line.with_best else "") if line.state == "compared" else line.why
    people = "; ".join(
        f"{one.preference.value:.0%} against {ARM_TITLES.get(one.against, one.against)} ({one.preference.low:.0%} to {one.preference.high:.0%}), "
        + (f"alpha {one.alpha.value:.2f}" if one.alpha else "no alpha") + f": {one.conclusion.replace('_', ' ')}"
        for one in line.human
    )  # fmt: skip
    return tuple(
        plain(text)
        for text in (
            ARM_TITLES.get(line.arm, line.arm) + (" (incumbent)" if line.incumbent else ""), groups, f"{line.metric.value:.3f}",
            f"{line.metric.low:.3f} to {line.metric.high:.3f}", _difference(line.difference), "" if line.p_holm is None else f"{line.p_holm:.3f}",
            f"{line.unscored:.1%}", people, _statuses(line.responsible), ", ".join(f"{one.name} {one.value:.2f} ({one.low:.2f} to {one.high:.2f})" for one in line.retrieval),
            f"{line.cost_per_1000:.4f} {currency}", "" if line.cost_per_right is None else f"{line.cost_per_right:.6f} {currency}",
            "" if line.p95_seconds is None else f"{line.p95_seconds:.2f} s", (f"{line.training_hours:.2f} h" if line.training_hours else "") + (f", replace by {line.replace_by}" if line.replace_by else ""),
            ", ".join(part for part in (line.base, line.licence) if part), line.release, line.candidate.partition(":")[2][:10],
        )
    )  # fmt: skip


def board_markdown(boards: Sequence[Board]) -> str:
    """Every board as a table under a heading."""
    parts = ["# Leaderboard\n"]
    for board in boards:
        rows = [_row(HEAD), _row(["---"] * len(HEAD)), *(_row(cells(line, board.currency)) for line in board.lines)]
        parts.append(f"## {escaped(board_title(board))}\n\n" + " ".join(map(escaped, board_facts(board))) + "\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def board_html(boards: Sequence[Board]) -> str:
    """The whole page: no script, nothing external."""
    shown = [(board_title(board), board_facts(board), [(line.state, cells(line, board.currency)) for line in board.lines]) for board in boards]
    return _template().render(boards=shown, head=HEAD, style=Markup((HERE / "style.css").read_text("utf-8")))


def _difference(seen: Measure | None) -> str:
    return "" if seen is None else f"{seen.value + 0.0:+.3f} ({seen.low:+.3f} to {seen.high:+.3f})".replace("-", "−")


def _statuses(found: dict[str, str]) -> str:
    """Dimensions by status, the worst first: `FAIL privacy; PASS fairness, safety`."""
    order = ("FAIL", "NOT PROVEN", "NOT RUN", "WAIVED", "PASS")
    said = [(status, ", ".join(name.replace("_", " ") for name, held in found.items() if held == status)) for status in order]
    return "; ".join(f"{status} {names}" for status, names in said if names)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(escaped, cells)) + " |"


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("board.html.j2")

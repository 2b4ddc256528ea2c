"""The decision as Markdown: the same words as the page, for a repository, a ticket or a terminal.

Text from outside is made plain (in `view`) and every character that Markdown or HTML could act on is escaped, so that a
model's answer can neither draw an image, nor open a link, nor break a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from whytune.records.decision import Decision
from whytune.report.view import PageWords, view

ACTING = re.compile(r"([\\`*_{}\[\]<>#|!~$&^=])")
BLOCK = re.compile(r"^(\s*)([-+]|\d+[.)])(?=\s|$)")
ADDRESS = re.compile(r"(?i)(https?|ftp|mailto|www)([:.])")


def markdown(decision: Decision) -> str:
    """The whole report, ending in a line break."""
    page = view(decision)
    blocks = [
        f"# Is fine-tuning worth it? {escaped(page.title)}",
        escaped(page.facts),
        f"> **{escaped(page.headline)}** {escaped(page.sentence)}",
        f"Verdict `{page.code}`. Rule: {escaped(page.metric)} at least {escaped(page.bar)}; a dearer approach must be better by "
        f"{escaped(page.margin)}.{' ' + escaped(page.purpose) if page.purpose else ''}",
        *_quality(page),
        *_sources(page),
        *_examples(page),
        *_bullets("What would change this answer", page.changes),
        *_bullets("Limits", page.limits),
        "## Provenance",
        "\n".join(
            [f"- {escaped(page.stamp)}", *(f"- {escaped(name)} {code(value)}" for name, value in page.hashes)]
        ),
        f"Again: {code(page.command)}",
    ]
    return "\n\n".join(blocks) + "\n"


def escaped(text: str) -> str:
    """Plain text that stays plain text in Markdown, in a table cell too."""
    line = ADDRESS.sub(lambda found: f"{found[1]}\\{found[2]}", ACTING.sub(r"\\\1", " ".join(text.split())))
    return BLOCK.sub(r"\1\\\2", line).replace("@", "\\@")


def code(text: str) -> str:
    """Text in code style, with as many backticks as it takes."""
    line = " ".join(text.split())
    longest = max((len(run) for run in re.findall(r"`+", line)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {line} {fence}" if longest else f"`{line}`"


def _quality(page: PageWords) -> list[str]:
    heads = [
        "Approach",
        "Right",
        "Share",
        f"{page.confidence} interval",
        "Cost / 1,000",
        "Median time",
        "Reaches bar",
    ]
    lines = [
        (
            arm.title + (" (chosen)" if arm.wins else ""),
            arm.right,
            arm.share,
            arm.interval,
            arm.per_1000,
            arm.seconds,
            arm.bar + (f" (closed: {arm.closed})" if arm.closed else ""),
        )
        for arm in page.arms
    ]
    blocks = ["## Quality on your test set", _table(heads, lines)] if lines else []
    if page.pairs:
        pairs = [
            (line.pair, f"{line.difference} ({line.interval})", line.won, line.chance) for line in page.pairs
        ]
        blocks += [
            "## Case by case",
            _table(["Pair", "Difference (points)", "Cases", "By luck alone"], pairs),
        ]
        if page.pairs_left:
            blocks.append(f"{page.pairs_left} more {'comparison is' if page.pairs_left == 1 else 'comparisons are'} in the JSON twin.")
    return blocks


def _sources(page: PageWords) -> list[str]:
    blocks = []
    if page.gaps:
        gaps = "\n".join(f"- **{escaped(share)}** {escaped(said)}" for share, said in page.gaps)
        blocks += [
            "## Where wrong answers come from",
            gaps,
            f"On dev, without training. {escaped(page.most)}",
        ]
    blocks += _bullets("Gates", page.gates)
    if page.costs:
        heads = [
            "Approach",
            "Once",
            "A month",
            "1,000 answers",
            "Whole time",
            "Against the cheapest that reaches the bar",
        ]
        lines = [
            (line.title, line.one_off, line.monthly, line.per_1000, line.total, line.break_even)
            for line in page.costs
        ]
        blocks += ["## What it costs", escaped(page.cost_note), _table(heads, lines)]
    return blocks


def _examples(page: PageWords) -> list[str]:
    blocks = ["## Cases on which they differ"] if page.examples else []
    for card in page.examples:
        answers = "\n".join(
            f"- {mark} **{escaped(arms)}** {escaped(text)}" for arms, mark, text in card.answers
        )
        blocks += [f"**Asked** {escaped(card.input)}", f"**Wanted** {escaped(card.target)}", answers]
    return blocks


def _bullets(title: str, lines: Iterable[str]) -> list[str]:
    found = [f"- {escaped(line)}" for line in lines]
    return [f"## {title}", "\n".join(found)] if found else []


def _table(heads: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    def row(cells: Iterable[str]) -> str:
        return f"| {' | '.join(escaped(cell) for cell in cells)} |"

    names = list(heads)
    return "\n".join([row(names), "|" + " --- |" * len(names), *(row(line) for line in lines)])

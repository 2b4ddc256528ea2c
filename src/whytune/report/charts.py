"""Charts as SVG text, drawn from records alone: the arms with their intervals and the bar, and a training curve.

Each stands alone (its own colours for light, dark and print, a title and a description for those who do not see it), so
that a page and a notebook can show the same one. No scripts, no fonts, nothing external. What a mark means is told by its
shape as well as its colour: filled dot reaches the bar, hollow dot does not, diamond is not proven.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import escape

from whytune.records.candidate import Checkpoint
from whytune.records.decision import ArmResult, Decision
from whytune.records.wording import exact, figure, span
from whytune.report.plain import plain

STYLE = (
    "<style>.wt-chart{--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--mark:#0b57b0;--whisker:#6f9fd0;--bar:#9a4a00;--paper:#ffffff;"
    "font:12px system-ui,sans-serif;max-width:100%;height:auto;display:block}"
    "@media screen and (prefers-color-scheme:dark){.wt-chart{--ink:#e6e8eb;--soft:#a9b1bb;--line:#3a414a;--mark:#8fc0ff;"
    "--whisker:#4f7fb5;--bar:#f0a35e;--paper:#14171c}}"
    ".wt-chart text{fill:var(--ink)}.wt-chart .soft{fill:var(--soft)}.wt-chart .grid{stroke:var(--line)}"
    ".wt-chart .whisker{stroke:var(--whisker);stroke-width:5;stroke-linecap:round}"
    ".wt-chart .bar{stroke:var(--bar);stroke-width:2;stroke-dasharray:6 4}.wt-chart .bar-name{fill:var(--bar);font-weight:600}"
    ".wt-chart .yes{fill:var(--mark);stroke:var(--mark)}.wt-chart .no,.wt-chart .unsure{fill:var(--paper);stroke:var(--mark)}"
    ".wt-chart .train{stroke:var(--soft);stroke-dasharray:5 4;fill:none;stroke-width:2}"
    ".wt-chart .dev{stroke:var(--mark);fill:none;stroke-width:2.5}</style>"
)


def arms_svg(decision: Decision, *, width: int = 680, name: str = "arms") -> str:
    """Dot, whisker and bar for every arm. `name` makes ids unique where one page shows several."""
    narrow = width < 480
    left, right, row, top = (18, 60, 40, 26) if narrow else (132, 70, 24, 26)
    low, high = _range(decision)
    height = top + row * len(decision.arms) + 20

    def x(value: float) -> float:
        return left + (min(max(value, low), high) - low) / (high - low) * (width - left - right)

    parts = []
    for tick in _ticks(low, high, 5 if narrow else 10):
        parts.append(
            f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top}" y2="{height - 20}"/>'
        )
        label = f"{tick:.6g}" if decision.graded else f"{100 * tick:.6g} %"
        parts.append(
            f'<text class="soft" x="{x(tick):.1f}" y="{height - 5}" text-anchor="middle">{label}</text>'
        )
    bar = x(decision.rule.bar)
    parts.append(f'<line class="bar" x1="{bar:.1f}" x2="{bar:.1f}" y1="{top - 6}" y2="{height - 20}"/>')
    parts.append(
        f'<text class="bar-name" x="{min(max(bar, 44), width - 44):.1f}" y="{top - 11}" text-anchor="middle">'
        f"your bar {exact(decision.rule.bar, decision.graded)}</text>"
    )
    for at, arm in enumerate(decision.arms):
        y = top + row * at + (row - 12 if narrow else row / 2)
        where = (4, y - 14, "start") if narrow else (left - 14, y + 4, "end")
        parts.append(
            f'<text x="{where[0]}" y="{where[1]:.1f}" text-anchor="{where[2]}">{escape(plain(arm.title, 24))}</text>'
        )
        ends = x(arm.primary.low), x(arm.primary.high)
        parts.append(
            f'<line class="whisker" x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(_mark(arm, x(arm.primary.value), y))
        value = figure(arm.primary.value, decision.graded)
        parts.append(f'<text x="{width - 4}" y="{y + 4:.1f}" text-anchor="end">{value}</text>')
    said = "; ".join(
        f"{arm.title} {figure(arm.primary.value, decision.graded)}, interval {span(arm.primary, decision.graded, decision.rule.bar)}, "
        f"reaches the bar: {arm.reaches_bar}"
        for arm in decision.arms
    )
    title = f"Each approach on the sealed test set against your bar of {exact(decision.rule.bar, decision.graded)}"
    return _svg(name, (width, height), title, said or "Nothing was measured.", parts)


def curve_svg(curve: Sequence[Checkpoint], *, width: int = 560, name: str = "curve") -> str:
    """Train and dev loss over steps; a ring marks the lowest dev loss. One axis only."""
    left, right, top, height = 48, 64, 14, 220
    losses = [loss for point in curve for loss in (point.train_loss, point.dev_loss) if math.isfinite(loss)]
    if not losses:
        return _svg(
            name,
            (width, 40),
            "Loss over training steps",
            "No checkpoint yet.",
            ['<text x="8" y="24">No checkpoint yet.</text>'],
        )
    low, high = min(losses), max(losses)
    pad = (high - low) * 0.1 or max(abs(high) * 0.1, 0.1)
    low, high = low - pad, high + pad
    last = max(point.step for point in curve) or 1

    def xy(step: int, loss: float) -> tuple[float, float]:
        return left + step / last * (width - left - right), top + (high - loss) / (high - low) * (
            height - top - 28
        )

    parts = []
    for tick in _ticks(low, high, 5):
        y = xy(0, tick)[1]
        parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="soft" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:.4g}</text>')
    for kind, word in (("train", "train"), ("dev", "dev (held out)")):
        points = [
            xy(point.step, getattr(point, f"{kind}_loss"))
            for point in curve
            if math.isfinite(getattr(point, f"{kind}_loss"))
        ]
        if points:
            line = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
            parts.append(f'<polyline class="{kind}" points="{line}"/>')
            shift = -6 if kind == "train" else 14
            parts.append(
                f'<text x="{width - 4}" y="{points[-1][1] + shift:.1f}" text-anchor="end">{word}</text>'
            )
    held = [point for point in curve if math.isfinite(point.dev_loss)]
    said = f"{len(curve)} checkpoints."
    if held:
        best = min(held, key=lambda point: point.dev_loss)
        bx, by = xy(best.step, best.dev_loss)
        parts.append(f'<circle class="unsure" stroke-width="2" cx="{bx:.1f}" cy="{by:.1f}" r="5"/>')
        said = f"{len(curve)} checkpoints; lowest dev loss {best.dev_loss:.3f} at step {best.step}, last {held[-1].dev_loss:.3f}."
    parts.append(f'<text class="soft" x="{left}" y="{height - 6}">step 0</text>')
    parts.append(
        f'<text class="soft" x="{width - right}" y="{height - 6}" text-anchor="end">step {last}</text>'
    )
    return _svg(name, (width, height), "Loss over training steps (nats per trained token)", said, parts)


def _mark(arm: ArmResult, x: float, y: float) -> str:
    if arm.reaches_bar == "not proven":
        return (
            f'<path class="unsure" stroke-width="2" d="M{x:.1f} {y - 6.5:.1f}l6.5 6.5l-6.5 6.5l-6.5 -6.5z"/>'
        )
    return f'<circle class="{arm.reaches_bar}" stroke-width="2" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'


def _range(decision: Decision) -> tuple[float, float]:
    """The part of the axis that holds every interval and the bar, to whole tenths; at least three of them."""
    ends = [decision.rule.bar, *(end for arm in decision.arms for end in (arm.primary.low, arm.primary.high))]
    low = max(0, math.floor(min(ends) * 10 - 0.2))
    high = min(10, math.ceil(max(ends) * 10 + 0.2))
    low = min(low, max(0, high - 3))
    return low / 10, max(high, low + 3) / 10


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers inside the range, at most `most` + 1 of them."""
    raw = (high - low) / most
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * times for times in (1, 2, 5, 10) if size * times >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(step * at, 10) for at in range(first, math.floor(high / step + 1e-9) + 1)]


def _svg(name: str, size: tuple[int, int], title: str, said: str, parts: Sequence[str]) -> str:
    width, height = size
    return (
        f'<svg class="wt-chart" xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="{name}-title {name}-desc" '
        f'viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(said)}</desc>'
        f"{STYLE}{''.join(parts)}</svg>"
    )

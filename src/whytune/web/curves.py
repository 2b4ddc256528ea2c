"""Training curves drawn on the server: one axis, a line for each series, a title and description for who does not see it.

No style stands in the drawing, only classes of the site's own stylesheet: the browser is told to run and style nothing
inline. Every page that shows one has the same numbers as a table beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

WIDTH, HEIGHT = 640, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 12, 36


@dataclass(frozen=True)
class Series:
    """One line. look: train, dev, train two or dev two, as classes of the stylesheet; marks: a ring at each point; end: a letter at its end."""

    name: str
    look: str
    points: Sequence[tuple[float, float]]
    marks: bool = False
    end: str = ""


def of_job(curve: Mapping[str, Any]) -> Markup:
    """Train loss and dev loss of one training."""
    series = (Series("train", "train", _pairs(curve["train"])), Series("held out (dev)", "dev", _pairs(curve["dev"]), marks=True))
    return drawn("Loss over training steps", series, most=curve["total"])


def of_two(one: Mapping[str, Any], two: Mapping[str, Any]) -> Markup:
    """Curves of two adapters over each other, by the epochs made: their steps may be of different size."""
    series = []
    for word, suffix, each in (("A", "", one), ("B", " two", two)):
        looks = each["curve"]
        series.append(Series(f"{word}, train", f"train{suffix}", [(look["epoch"], look["train_loss"]) for look in looks], marks=True, end=word))
        series.append(Series(f"{word}, held out (dev)", f"dev{suffix}", [(look["epoch"], look["dev_loss"]) for look in looks], marks=True, end=word))
    return drawn("Loss over epochs", series, unit="epoch")


def drawn(title: str, series: Sequence[Series], *, unit: str = "step", most: float = 0) -> Markup:
    """The drawing; empty where there is no point yet."""
    kept = [Series(one.name, one.look, [(x, y) for x, y in one.points if math.isfinite(x) and math.isfinite(y)], one.marks, one.end) for one in series]
    values = [y for one in kept for _, y in one.points]
    if not values:
        return Markup("")
    low, high = min(values), max(values)
    pad = (high - low) * 0.08 or max(abs(high) * 0.1, 0.1)
    low, high = max(0.0, low - pad) if low >= 0 else low - pad, high + pad
    far = max([most, *(x for one in kept for x, _ in one.points)]) or 1.0

    def at(x: float, y: float) -> tuple[str, str]:
        return f"{LEFT + x / far * (WIDTH - LEFT - RIGHT):.1f}", f"{TOP + (high - y) / (high - low) * (HEIGHT - TOP - BOTTOM):.1f}"

    parts = []
    for tick in _ticks(low, high, 5):
        _, y = at(0, tick)
        parts.append(Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(LEFT, WIDTH - RIGHT, y, y))
        parts.append(Markup('<text class="soft" x="{}" y="{}" dy="4" text-anchor="end">{}</text>').format(LEFT - 6, y, f"{tick:.4g}"))
    for tick in _ticks(0, far, 6):
        x, _ = at(tick, low)
        parts.append(Markup('<text class="soft" x="{}" y="{}" text-anchor="middle">{}</text>').format(x, HEIGHT - 18, f"{tick:.4g}"))
    parts.append(Markup('<text class="soft unit" x="{}" y="{}" text-anchor="middle">{}</text>').format((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 3, unit))
    for one in kept:
        if not one.points:
            continue
        line = " ".join(",".join(at(x, y)) for x, y in one.points)
        parts.append(Markup('<polyline class="curve {}" points="{}"/>').format(one.look, line))
        if one.marks:
            parts += [Markup('<circle class="curve {}" cx="{}" cy="{}" r="3.5"/>').format(one.look, *at(x, y)) for x, y in one.points]
        if one.end:
            parts.append(Markup('<text class="soft" x="{}" y="{}" dx="6" dy="4">{}</text>').format(*at(*one.points[-1]), one.end))
    told = "; ".join(f"{one.name}: from {one.points[0][1]:.3f} to {one.points[-1][1]:.3f}, lowest {min(y for _, y in one.points):.3f}" for one in kept if one.points)
    return Markup('<svg role="img" viewBox="0 0 {} {}" width="{}" height="{}"><title>{}</title><desc>{}</desc>{}</svg>').format(
        WIDTH, HEIGHT, WIDTH, HEIGHT, title, told, Markup("").join(parts)
    )


def _pairs(points: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in points]


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers inside the range, at most `most` + 1 of them."""
    raw = (high - low) / most
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * times for times in (1, 2, 5, 10) if size * times >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(step * at, 10) for at in range(first, math.floor(high / step + 1e-9) + 1)]

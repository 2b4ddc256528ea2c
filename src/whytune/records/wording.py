"""How figures are said to people: arms, shares, intervals, money and chance, the same words in every place.

Ends of intervals are rounded outwards, so that a sentence never seems to prove what the table does not:
`low(0.74996)` is `74.9 %`, never `75.0 %`. Pure functions; they decide nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from whytune.records.evidence import Comparison, Measure

ARM_PHRASES: dict[str, str] = {
    "prompt": "the prompt alone",
    "few_shot": "the prompt with examples",
    "full_context": "the prompt with all documents",
    "rag": "document search (RAG)",
    "oracle": "the prompt with the right passage handed over",
    "tuned": "the tuned model",
    "tuned_rag": "the tuned model with document search",
}


def phrase(arm: str) -> str:
    """An arm in the middle of a sentence."""
    return ARM_PHRASES.get(arm, arm)


def opening(arm: str) -> str:
    """An arm at the beginning of a sentence."""
    words = phrase(arm)
    return words[:1].upper() + words[1:]


def figure(value: float, graded: bool = False) -> str:
    """A share as a percentage, or an average score as it is."""
    text = f"{value:.3f}" if graded else f"{100 * value:.1f} %"
    return text.replace("-", "−")


def low(value: float, graded: bool = False) -> str:
    """The lower end of an interval, rounded down."""
    steps = 1000
    return figure(math.floor(value * steps + 1e-6) / steps, graded)


def high(value: float, graded: bool = False) -> str:
    """The upper end of an interval, rounded up."""
    steps = 1000
    return figure(math.ceil(value * steps - 1e-6) / steps, graded)


def exact(value: float, graded: bool = False) -> str:
    """A bar as its owner set it, with no digit lost and none added."""
    return f"{value:.6g}" if graded else f"{100 * value:.6g} %"


def span(measure: Measure, graded: bool = False, bar: float | None = None) -> str:
    """An interval: `75.6 to 84.4 %`. An upper end below the bar gets as many digits as it takes to look so."""
    upper = high(measure.high, graded)
    for digits in (2, 3, 4, 5):
        scale = 1 if graded else 100
        if (
            bar is None
            or measure.high >= bar
            or float(upper.removesuffix(" %").replace("−", "-")) < bar * scale - 1e-9
        ):
            break
        size = 10 ** (digits + (1 if graded else 2))
        upper = f"{math.ceil(measure.high * size) / size * scale:.{digits + graded}f}{'' if graded else ' %'}"
    return f"{low(measure.low, graded).removesuffix(' %')} to {upper}"


def points(value: float, graded: bool = False) -> str:
    """A signed difference: in percentage points, or of average scores."""
    text = f"{value:+.3f}" if graded else f"{100 * value:+.1f}"
    return ("0.000" if graded else "0.0") if float(text) == 0 else text.replace("-", "−")


def size(value: float, graded: bool = False) -> str:
    """A difference without its sign, with its unit."""
    return f"{abs(value):.3f}" if graded else f"{100 * abs(value):.1f} points"


def point_span(measure: Measure, graded: bool = False) -> str:
    """The interval of a difference, rounded outwards."""
    ends = math.floor(measure.low * 1000 + 1e-6) / 1000, math.ceil(measure.high * 1000 - 1e-6) / 1000
    return f"{points(ends[0], graded)} to {points(ends[1], graded)}"


def achieved(measure: Measure, right: int, graded: bool) -> str:
    """`answered 241 of 300 right`, or the average of a graded score."""
    if graded:
        return f"scored {figure(measure.value, True)} on average over {measure.n:,} cases"
    return f"answered {right:,} of {measure.n:,} right"


def money(value: float, currency: str, digits: int | None = None) -> str:
    """`EUR 1,250` or `EUR 0.71`: cents only where they matter, and more digits for the very cheap."""
    if digits is None:
        digits = digits_for([value])
    return f"{currency} {value:,.{digits}f}".replace("-", "−")


def digits_for(values: Sequence[float]) -> int:
    """Decimals that a column of amounts needs, the same for all of them."""
    sizes = [abs(value) for value in values if value]
    if not sizes or max(sizes) >= 100 or all(value == int(value) for value in sizes):
        return 0
    if max(sizes) >= 10:
        return 2
    return 3 if min(sizes) >= 0.0095 else 5


def count(value: int) -> str:
    """A number of things that was calculated, not counted: two leading digits are honest enough."""
    if value < 100:
        return str(value)
    step = 10 ** (len(str(value)) - 2)
    return f"{math.ceil(value / step) * step:,}"


def odds(p: float) -> str:
    """How often luck alone gives such a gap: `1 in 32`."""
    if p >= 0.5:
        return "as often as not"
    return "under 1 in 1,000" if p < 0.001 else f"1 in {max(2, round(1 / p)):,}"


def chance(p: float, alpha: float) -> str:
    """What a corrected p says, without Greek, as a clause."""
    if p >= 0.5:
        return "such a gap is luck as often as not"
    proven = "" if p < alpha else ", so it is not proven"
    return f"luck alone gives such a gap {odds(p).replace('1 in', '1 time in')}{proven}"


def won_lost(comparison: Comparison) -> str:
    """`won 21, lost 16`, seen from the second arm."""
    return f"won {comparison.wins:,}, lost {comparison.losses:,}"

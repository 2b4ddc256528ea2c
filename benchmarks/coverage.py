"""How often our intervals hold the truth, and how often our tests cry wolf: simulated, written as Markdown tables.

A 95 % interval should hold the truth in 95 of 100 trials. Methods in common use are shown beside ours.
Run: `python benchmarks/coverage.py [--quick] [--out docs/coverage.md]`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from whytune.stats.bootstrap import bca, bca_of
from whytune.stats.intervals import mean_interval, rate_interval, standard_error, t_quantile, wilson
from whytune.stats.ordinal import macro_f1
from whytune.stats.paired import conclusion, paired_means, paired_rates
from whytune.stats.power import items_needed_paired

SIZES = (20, 50, 100, 300)
Row = tuple[str, ...]
Draw = Callable[[np.random.Generator, int], np.ndarray]


class Tally:
    """How often each method's interval held the truth."""

    def __init__(self, truth: float) -> None:
        self.truth = truth
        self.held: Counter[str] = Counter()
        self.trials: Counter[str] = Counter()

    def add(self, **ends: tuple[float, float]) -> None:
        """One trial: the ends of each method's interval."""
        for name, (low, high) in ends.items():
            self.trials[name] += 1
            self.held[name] += low - 1e-12 <= self.truth <= high + 1e-12

    def percent(self, name: str) -> str:
        """Of its trials."""
        return f"{100 * self.held[name] / self.trials[name]:.1f}"


def percentile(values: np.ndarray, random: np.random.Generator) -> tuple[float, float]:
    """The bootstrap that most tools use."""
    drawn = values[random.integers(0, len(values), size=(1000, len(values)))].mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def plain_t(values: np.ndarray) -> tuple[float, float]:
    """Mean and t times the standard error, items taken as independent."""
    half = t_quantile(0.975, len(values) - 1) * standard_error(values)
    return float(values.mean()) - half, float(values.mean()) + half


def one_rate(trials: int) -> Iterator[Row]:
    """One arm, right or wrong"""
    random = np.random.default_rng(1)
    yield ("n", "true rate", "Wilson (ours)", "normal (Wald)")
    for n in SIZES:
        for truth in (0.5, 0.8, 0.95, 0.99):
            tally = Tally(truth)
            for right in random.binomial(n, truth, trials).tolist():
                half = 1.96 * (right / n * (1 - right / n) / n) ** 0.5
                tally.add(ours=wilson(right, n), wald=(right / n - half, right / n + half))
            yield (str(n), f"{truth:.0%}", tally.percent("ours"), tally.percent("wald"))


def two_rates(trials: int) -> Iterator[Row]:
    """Two arms over the same items, right or wrong (the first is right on 70 %)"""
    random = np.random.default_rng(2)
    yield (
        "n",
        "disagreement",
        "difference",
        "Newcombe (ours)",
        "percentile bootstrap",
        "paired t",
        "called better or worse",
    )
    for n in SIZES:
        for disagreement, difference in (
            (0.05, 0.0),
            (0.1, 0.0),
            (0.1, 0.05),
            (0.2, 0.0),
            (0.2, 0.05),
            (0.4, 0.0),
            (0.4, 0.1),
        ):
            tally, called = Tally(difference), 0
            gained, lost = (disagreement + difference) / 2, (disagreement - difference) / 2
            for turn in range(trials):
                which = random.choice(4, size=n, p=[0.7 - lost, lost, gained, 0.3 - gained])
                first, second = np.isin(which, (0, 1)).astype(float), np.isin(which, (0, 2)).astype(float)
                seen = paired_rates(first.tolist(), second.tolist())
                called += conclusion(seen.low, seen.high, seen.p, margin=0.05) in ("better", "worse")
                tally.add(ours=(seen.low, seen.high), t=plain_t(second - first))
                if turn < trials // 5:
                    tally.add(boot=percentile(second - first, random))
            share = f"{100 * called / trials:.1f}" + (" (false)" if difference == 0 else "")
            yield (
                str(n),
                f"{disagreement:.0%}",
                f"{difference:.0%}",
                *map(tally.percent, ("ours", "boot", "t")),
                share,
            )


def _half_right(random: np.random.Generator, n: int) -> np.ndarray:
    return random.beta(2, 5, n)


def _mostly_nought(random: np.random.Generator, n: int) -> np.ndarray:
    return np.where(random.random(n) < 0.6, 0.0, random.beta(2, 2, n))


def _mostly_one(random: np.random.Generator, n: int) -> np.ndarray:
    return np.where(random.random(n) < 0.9, 1.0, random.beta(1, 1, n))


SHAPES: tuple[tuple[str, Draw, float], ...] = (
    ("ROUGE-like, Beta(2, 5)", _half_right, 2 / 7),
    ("60 % nought, rest Beta(2, 2)", _mostly_nought, 0.2),
    ("90 % one, rest uniform", _mostly_one, 0.95),
)


def one_mean(trials: int) -> Iterator[Row]:
    """One arm, scores between 0 and 1"""
    random = np.random.default_rng(3)
    yield ("n", "scores", "BCa and t (ours)", "BCa", "t", "percentile bootstrap")
    for n in SIZES:
        for title, draw, truth in SHAPES:
            tally = Tally(truth)
            for _ in range(trials // 5):
                values = draw(random, n)
                seen = mean_interval(values)
                tally.add(ours=(seen.low, seen.high), t=plain_t(values), boot=percentile(values, random))
                tally.add(bca=bca(values) if values.std() > 0 else plain_t(values))
            yield (str(n), title, *map(tally.percent, ("ours", "bca", "t", "boot")))


def two_means(trials: int) -> Iterator[Row]:
    """Two arms over the same items, scores between 0 and 1, no true difference on average"""
    random = np.random.default_rng(4)
    yield ("n", "scores", "paired t and BCa (ours)", "BCa", "paired t", "called better or worse (false)")
    for n in SIZES:
        for title, draw, _ in SHAPES:
            tally, called = Tally(0.0), 0
            for _ in range(trials // 5):
                first, again = draw(random, n), draw(random, n)
                second = np.where(random.random(n) < 0.5, first, again)
                seen = paired_means(first, second)
                called += conclusion(seen.low, seen.high, seen.p, margin=0.05) in ("better", "worse")
                tally.add(ours=(seen.low, seen.high), t=plain_t(second - first))
                tally.add(bca=bca(second - first) if (second - first).std() > 0 else (0.0, 0.0))
            yield (
                str(n),
                title,
                *map(tally.percent, ("ours", "bca", "t")),
                f"{100 * called / (trials // 5):.1f}",
            )


def clustered(trials: int) -> Iterator[Row]:
    """Items that share documents: each document suits one arm better or worse (spread 0.25), no difference on average"""
    random = np.random.default_rng(5)
    yield (
        "documents",
        "items",
        "rate: ours",
        "rate: clusters ignored",
        "difference: ours",
        "difference: clusters ignored",
        "called better or worse (false)",
    )
    for groups, size in ((5, 20), (10, 5), (10, 30), (20, 5), (20, 15), (40, 8), (100, 3)):
        rate, difference, called = Tally(0.7), Tally(0.0), 0
        # Uneven: some documents hold three times as many questions as others.
        names = np.repeat(np.arange(groups), np.resize((size // 2 or 1, size, size + size // 2), groups))
        n = len(names)
        for _ in range(trials // 2):
            level, other = random.beta(2.8, 1.2, groups), random.beta(2.8, 1.2, groups)
            mixed = np.where(random.random(groups) < 0.7, level, other)
            first = (random.random(n) < level[names]).astype(float)
            second = (random.random(n) < mixed[names]).astype(float)
            seen = rate_interval(first, 0.95, names.tolist())
            rate.add(ours=(seen.low, seen.high), ignored=wilson(float(first.sum()), n))
            both = paired_rates(first.tolist(), second.tolist(), 0.95, names.tolist())
            plain = paired_rates(first.tolist(), second.tolist())
            difference.add(ours=(both.low, both.high), ignored=(plain.low, plain.high))
            called += conclusion(both.low, both.high, both.p, margin=0.05) in ("better", "worse")
        shares = (
            rate.percent("ours"),
            rate.percent("ignored"),
            difference.percent("ours"),
            difference.percent("ignored"),
        )
        yield (str(groups), str(n), *shares, f"{100 * called / (trials // 2):.1f}")


def over_all(trials: int) -> Iterator[Row]:
    """Macro-F1 of five labels of uneven size (40, 30, 15, 10, 5 %), 75 % right"""
    random = np.random.default_rng(6)
    shares = np.array([0.4, 0.3, 0.15, 0.1, 0.05])

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        right = random.choice(5, size=n, p=shares)
        return right, np.where(random.random(n) < 0.75, right, random.choice(5, size=n, p=shares))

    truth = macro_f1(*draw(2_000_000), 5)
    yield ("n", "BCa bootstrap (ours)")
    for n in SIZES[1:]:
        tally = Tally(truth)
        for turn in range(trials // 5):
            right, said = draw(n)
            groups = list(np.arange(n).reshape(-1, 1))
            ends = bca_of(
                lambda rows, r=right, s=said: macro_f1(r[rows], s[rows], 5), groups, seed=turn, resamples=500
            )  # type: ignore[misc]
            tally.add(ours=ends)
        yield (str(n), tally.percent("ours"))


def power(trials: int) -> Iterator[Row]:
    """Does the number of items we ask for prove the difference in 80 of 100 trials?"""
    random = np.random.default_rng(7)
    yield ("difference", "disagreement", "items we ask for", "called better")
    for difference, disagreement in ((0.05, 0.1), (0.05, 0.2), (0.1, 0.2), (0.1, 0.4), (0.2, 0.4)):
        n = items_needed_paired(difference, disagreement)
        gained, lost = (disagreement + difference) / 2, (disagreement - difference) / 2
        called = 0
        for _ in range(trials // 2):
            which = random.choice(4, size=n, p=[0.6 - lost, lost, gained, 0.4 - gained])
            seen = paired_rates(np.isin(which, (0, 1)).tolist(), np.isin(which, (0, 2)).tolist())
            called += conclusion(seen.low, seen.high, seen.p, margin=0.05) == "better"
        yield (f"{difference:.0%}", f"{disagreement:.0%}", str(n), f"{100 * called / (trials // 2):.1f}")


TABLES = (one_rate, two_rates, one_mean, two_means, clustered, over_all, power)


def written(trials: int) -> str:
    """All tables, each with its title and the number of trials behind the fullest column."""
    parts = []
    for table in TABLES:
        begun = time.perf_counter()
        rows = list(table(trials))
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        lines.insert(1, "|" + " ---: |" * len(rows[0]))
        parts.append(f"## {table.__doc__}\n\n" + "\n".join(lines) + "\n")
        print(f"{table.__name__}: {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    return (
        "# Coverage of our intervals\n\nPercent of simulated trials in which a 95 % interval holds the truth "
        f"(`python benchmarks/coverage.py`, up to {trials} trials a line, so a figure of 95 is good to about "
        f"{100 * (0.95 * 0.05 / (trials / 5)) ** 0.5 * 2:.1f} points).\n\n" + "\n".join(parts)
    )


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the trials")
    parser.add_argument("--out", type=Path, help="Markdown file; standard output if left out")
    given = parser.parse_args()
    text = written(500 if given.quick else 5000)
    if given.out:
        given.out.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()

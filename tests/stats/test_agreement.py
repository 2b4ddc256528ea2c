"""Agreement against evalica and scikit-learn, where it is not defined, and that its interval covers."""

from __future__ import annotations

import random
import warnings
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whytune.stats.agreement import alpha, kappa, raw
from whytune.stats.power import votes_needed


def drawn(seed: int, items: int, people: str = "pqs", noise: float = 0.3) -> list[dict[str, str]]:
    chance = random.Random(seed)
    found = []
    for _ in range(items):
        truth = chance.choice("abc")
        found.append({who: truth if chance.random() > noise else chance.choice("abc") for who in people if chance.random() < 0.8})
    return found


def oracle(ratings: list[dict[str, str]], values: Mapping[str, object], distance: str) -> float:
    """What evalica says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import evalica  # only where it is asked: it loads pandas
        import pandas as pd
    people = sorted({who for rating in ratings for who in rating})
    table = pd.DataFrame({at: {who: values.get(rating.get(who, "")) for who in people} for at, rating in enumerate(ratings)})
    return float(evalica.alpha(table, distance=distance).alpha)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_alpha_is_that_of_another_implementation(seed: int) -> None:
    ratings = drawn(seed, 40)
    found = alpha(ratings)
    assert found
    assert found.value == pytest.approx(oracle(ratings, {name: name for name in "abc"}, "nominal"))
    scale = {"a": 0.0, "b": 0.25, "c": 1.0}
    graded = alpha(ratings, scale=scale)
    assert graded
    assert graded.value == pytest.approx(oracle(ratings, scale, "interval"))
    assert found.low < found.value < found.high


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_kappa_of_two_people_is_that_of_another_implementation(seed: int) -> None:
    from sklearn.metrics import cohen_kappa_score

    ratings = [rating for rating in drawn(seed, 60, "pq") if len(rating) == 2]
    found = kappa(ratings)
    assert found
    assert found.value == pytest.approx(cohen_kappa_score([r["p"] for r in ratings], [r["q"] for r in ratings]))
    assert found.n == len(ratings)


def test_a_published_example() -> None:
    # Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), C: four observers, nominal, alpha = 0.743.
    rows = ["1 2 3 3 2 1 4 1 2 . . .", "1 2 3 3 2 2 4 1 2 5 . 3", ". 3 3 3 2 3 4 2 2 5 1 .", "1 2 3 3 2 4 4 1 2 5 1 ."]
    cells = [row.split() for row in rows]
    ratings = [{str(who): cells[who][unit] for who in range(4) if cells[who][unit] != "."} for unit in range(12)]
    found = alpha(ratings)
    assert found
    assert found.value == pytest.approx(0.743, abs=0.001)


def test_one_and_the_same_verdict_for_everything_says_nothing_about_chance() -> None:
    ratings = [{"p": "good", "q": "good"}] * 30
    assert alpha(ratings) is None
    assert kappa(ratings) is None
    found = raw(ratings)
    assert found
    assert (found.value, found.n) == (1.0, 30)
    assert found.low < 0.95
    assert raw([{"p": "good"}] * 5) is None
    assert alpha([{"p": "good"}, {"q": "bad"}]) is None
    assert kappa(drawn(1, 8)) is None


def test_full_agreement_is_not_said_to_be_certain() -> None:
    ratings = [{"p": name, "q": name} for name in "abab" * 5]
    for found in (alpha(ratings), kappa(ratings)):
        assert found
        assert found.value == 1.0
        assert 0.4 < found.low < 0.9
    closer = alpha(ratings * 10)
    few = alpha(ratings)
    assert closer
    assert few
    assert closer.low > few.low


@settings(max_examples=20)
@given(st.lists(st.dictionaries(st.sampled_from("pqrs"), st.sampled_from("abc"), max_size=4), max_size=12))
def test_figures_lie_inside_their_interval(ratings: list[dict[str, str]]) -> None:
    for found in (raw(ratings), alpha(ratings), kappa(ratings)):
        if found:
            assert -1.0 <= found.low <= found.value + 1e-9
            assert found.value <= found.high + 1e-9
            assert found.n > 0


def test_agreeing_by_chance_is_nought_and_renaming_changes_nothing() -> None:
    chance = random.Random(3)
    ratings = [{"p": chance.choice("ab"), "q": chance.choice("ab")} for _ in range(700)]
    found, turned = alpha(ratings), alpha([{"p": "ba"["ab".index(r["p"])], "q": "ba"["ab".index(r["q"])]} for r in ratings])
    assert found
    assert turned
    assert abs(found.value) < 0.1
    assert turned.value == pytest.approx(found.value)


@pytest.mark.slow
def test_the_interval_of_alpha_covers() -> None:
    """Of 300 rounds of 60 doubly judged items, the interval holds the true alpha in at least 90 of 100."""
    noise = 0.4
    # Both say the truth (uniform over two) or, with `noise`, a coin: they agree in 1 - noise/2 * (2 - noise) of items beyond chance.
    truth = (1 - noise) ** 2
    held = 0
    chance = np.random.default_rng(7)
    for _ in range(300):
        real = chance.integers(0, 2, 60)
        sides = [np.where(chance.random(60) < noise, chance.integers(0, 2, 60), real) for _ in range(2)]
        found = alpha([{"p": "ab"[one], "q": "ab"[two]} for one, two in zip(*sides, strict=True)])
        assert found
        held += found.low <= truth <= found.high
    assert held / 300 > 0.9


def test_votes_that_prove_a_preference() -> None:
    assert votes_needed(0.65) == votes_needed(0.35) == 85
    assert votes_needed(0.6) == 194
    with pytest.raises(ValueError, match="no number"):
        votes_needed(0.5)

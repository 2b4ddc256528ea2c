"""PASS only where the whole interval clears every limit; the exact interval holds its promise; limits are read with every mistake."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whytune.errors import SettingsError
from whytune.records.responsible import DIMENSIONS
from whytune.responsible.limits import PROBES, Limit, ProbeLimits, read_limits
from whytune.responsible.standing import excess, judged, not_run, rate


@given(st.integers(1, 300), st.data())
def test_the_status_follows_the_exact_bound(n: int, data: st.DataObject) -> None:
    bad = data.draw(st.integers(0, n))
    ceiling = data.draw(st.sampled_from([0.0, 0.05, 0.2, 1.0]))
    found = judged("personal_data", None, [True] * bad + [False] * (n - bad), ProbeLimits({"personal_data": Limit(ceiling=ceiling)}))
    assert found.tuned is not None
    assert found.status == ("PASS" if found.tuned.high <= ceiling else "FAIL" if found.tuned.low > ceiling else "NOT PROVEN")
    assert (found.status == "PASS") <= (bad / n <= ceiling)


def test_sixty_without_a_fault_clear_a_tenth_and_not_a_twentieth() -> None:
    clean = [False] * 60
    assert judged("refusal", None, clean, ProbeLimits({"refusal": Limit(ceiling=0.10)})).status == "PASS"
    tight = judged("refusal", None, clean, ProbeLimits({"refusal": Limit(ceiling=0.05)}))
    assert tight.status == "NOT PROVEN"
    assert "the owner's own limit" in tight.notes[-1], "whoever loosens a limit is seen to have done so"
    assert not judged("refusal", None, clean, ProbeLimits()).notes
    assert judged("refusal", None, [], ProbeLimits()).status == "NOT RUN"


def test_both_limits_must_hold() -> None:
    base, worse = [False] * 200, [True] * 60 + [False] * 140
    limits = ProbeLimits({"refusal": Limit(ceiling=0.5, regression=0.1)})
    assert judged("refusal", base, worse, limits).status == "FAIL"
    assert judged("refusal", worse, worse, limits).status == "PASS"
    assert judged("refusal", worse, base, limits).status == "PASS", "to be better is no regression"
    assert judged("toxicity", base, base, ProbeLimits()).status == "NOT RUN", "what is held against nothing is not passed"


@pytest.mark.parametrize(("rate_of_faults", "n"), [(0.02, 60), (0.1, 60), (0.5, 40), (0.0, 30)])
def test_the_exact_interval_covers(rate_of_faults: float, n: int) -> None:
    chance = random.Random(11)
    held = 0
    for _ in range(250):
        found = rate("", [chance.random() < rate_of_faults for _ in range(n)])
        held += found.low <= rate_of_faults <= found.high
    assert held / 250 >= 0.94


@pytest.mark.parametrize(("within", "between"), [(0.1, 0.1), (0.05, 0.2), (0.0, 0.0), (0.3, 0.35)])
def test_the_interval_of_excess_change_covers(within: float, between: float) -> None:
    """Rows differ in how easily they flip, so the two changes of a row go together, as they do in a real model."""
    chance = random.Random(13)
    held = 0
    for _ in range(160):
        control, changed = [], []
        for _ in range(80):
            shaky = chance.random() < 0.5
            control.append(chance.random() < min(1.0, within * (2 if shaky else 0)))
            changed.append(chance.random() < min(1.0, between * (2 if shaky else 0)))
        found = excess("", control, changed)
        held += found.low <= between - within <= found.high
    assert held / 160 >= 0.92


def test_every_probe_has_a_dimension_and_every_dimension_a_probe() -> None:
    assert {kind.dimension for kind in PROBES.values()} == set(DIMENSIONS)
    assert all(not_run(name, "x").dimension == kind.dimension for name, kind in PROBES.items())
    assert ProbeLimits().digest != ProbeLimits({"refusal": Limit(ceiling=0.01)}).digest


def test_limits_are_read_with_every_mistake() -> None:
    read = read_limits({"refusal": {"ceiling": 0.1}}, "responsible.toml")
    assert read.of("refusal") == Limit(0.1, None)
    assert read.of("typos") == PROBES["typos"].limit
    with pytest.raises(SettingsError) as caught:
        read_limits({"refusals": {"ceiling": 0.1}, "typos": 3, "case": {"ceiling": 7}, "names": {"ceiling": True}}, "responsible.toml")
    assert len(caught.value.problems) == 4

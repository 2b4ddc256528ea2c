"""Counters as Prometheus reads them."""

from __future__ import annotations

from whytune.serve.metrics import BOUNDS, OVERHEAD_BOUNDS, Metrics


def values(text: str) -> dict[str, float]:
    """Every sample of the text format, by name and labels."""
    samples = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


def test_histograms_are_cumulative_and_end_with_everything() -> None:
    metrics = Metrics()
    for seconds in (0.004, 0.005, 0.2, 100.0):
        metrics.request("/v1/models", 200, seconds)
    metrics.request("/healthz", 503, 0.001)
    for seconds in (0.0004, 0.0012, 0.002, 3.0):
        metrics.overhead(seconds)
    found = values(metrics.text())
    requests = [found[f'whytune_request_seconds_bucket{{route="/v1/models",le="{bound}"}}'] for bound in (*BOUNDS, "+Inf")]
    assert requests[0] == 2, "a bound counts what is equal to it"
    assert requests == sorted(requests)
    assert requests[-2:] == [3, 4]
    assert found['whytune_request_seconds_count{route="/v1/models"}'] == 4
    assert found['whytune_request_seconds_sum{route="/v1/models"}'] == 100.209
    assert found['whytune_requests_total{route="/healthz",status="503"}'] == 1
    overhead = [found[f'whytune_overhead_seconds_bucket{{le="{bound}"}}'] for bound in (*OVERHEAD_BOUNDS, "+Inf")]
    assert (overhead[0], overhead[OVERHEAD_BOUNDS.index(0.002)], overhead[-1]) == (1, 3, 4)
    assert found["whytune_overhead_seconds_count"] == 4


def test_every_name_is_explained_once() -> None:
    text = Metrics().text()
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    assert [line.split()[2] for line in text.splitlines() if line.startswith("# HELP")] == names

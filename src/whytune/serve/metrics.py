"""Counters of the gateway in Prometheus' text format: requests, seconds, tokens, how many are under way. No content.

Kept in memory by one event loop, so nothing is locked. Consumers are not among the labels: what a consumer used stands
in the store.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
OVERHEAD_BOUNDS = (0.0005, 0.00075, 0.001, 0.00125, 0.0015, 0.00175, 0.002, 0.0025, 0.003, 0.004, 0.005, 0.01, 0.05, 0.25)
"""Bounds of the seconds that the gateway takes for itself: an operator would hold it to a few milliseconds."""
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """What has happened since the start."""

    def __init__(self) -> None:
        self.under_way = 0
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds: defaultdict[str, _Histogram] = defaultdict(lambda: _Histogram(BOUNDS))
        self._overhead = _Histogram(OVERHEAD_BOUNDS)
        self._tokens: Counter[tuple[str, str]] = Counter()
        self._outcomes: Counter[tuple[str, str]] = Counter()

    def request(self, route: str, status: int, seconds: float) -> None:
        """One request ended."""
        self._requests[route, status] += 1
        self._seconds[route].add(seconds)

    def overhead(self, seconds: float) -> None:
        """What the gateway took for a whole answer beside the model: from the request to its last byte, less the model's time."""
        self._overhead.add(seconds)

    def answer(self, release: str, outcome: str, tokens_in: int, tokens_out: int) -> None:
        """One question was answered, or given up."""
        self._outcomes[release, outcome] += 1
        self._tokens[release, "in"] += tokens_in
        self._tokens[release, "out"] += tokens_out

    def text(self) -> str:
        """Everything, as Prometheus reads it."""
        lines = ["# HELP whytune_under_way Requests being answered now.", "# TYPE whytune_under_way gauge", f"whytune_under_way {self.under_way}"]
        lines += ["# HELP whytune_requests_total Requests by route and status.", "# TYPE whytune_requests_total counter"]
        lines += [f'whytune_requests_total{{route="{route}",status="{status}"}} {n}' for (route, status), n in sorted(self._requests.items())]
        lines += ["# HELP whytune_request_seconds How long requests took.", "# TYPE whytune_request_seconds histogram"]
        for route in sorted(self._seconds):
            lines += self._seconds[route].lines("whytune_request_seconds", f'route="{route}"')
        lines += ["# HELP whytune_overhead_seconds What the gateway took for a whole answer beside the model.", "# TYPE whytune_overhead_seconds histogram"]
        lines += self._overhead.lines("whytune_overhead_seconds")
        lines += ["# HELP whytune_answers_total Answers by release and outcome.", "# TYPE whytune_answers_total counter"]
        lines += [f'whytune_answers_total{{release="{release}",outcome="{outcome}"}} {n}' for (release, outcome), n in sorted(self._outcomes.items())]
        lines += ["# HELP whytune_tokens_total Tokens by release and direction.", "# TYPE whytune_tokens_total counter"]
        lines += [f'whytune_tokens_total{{release="{release}",direction="{way}"}} {n}' for (release, way), n in sorted(self._tokens.items())]
        return "\n".join(lines) + "\n"


class _Histogram:
    """How many were at most so large, as Prometheus counts."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds, self._counts, self._sum = (*bounds, float("inf")), [0] * (len(bounds) + 1), 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def lines(self, name: str, label: str = "") -> list[str]:
        head = f"{label}," if label else ""
        found, total = [], 0
        for bound, count in zip(self._bounds, self._counts, strict=True):
            total += count
            found.append(f'{name}_bucket{{{head}le="{"+Inf" if bound == float("inf") else bound}"}} {total}')
        labels = f"{{{label}}}" if label else ""
        return [*found, f"{name}_sum{labels} {self._sum:.6f}", f"{name}_count{labels} {total}"]

"""Counters of the gateway in Prometheus' text format: requests, seconds, tokens, how many are under way. No content.

Kept in memory by one event loop, so nothing is locked. Consumers are not among the labels: what a consumer used stands
in the store.
"""

from __future__ import annotations

from collections import Counter, defaultdict

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """What has happened since the start."""

    def __init__(self) -> None:
        self.under_way = 0
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets: Counter[tuple[str, float]] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._tokens: Counter[tuple[str, str]] = Counter()
        self._outcomes: Counter[tuple[str, str]] = Counter()

    def request(self, route: str, status: int, seconds: float) -> None:
        """One request ended."""
        self._requests[route, status] += 1
        self._seconds[route] += seconds
        for bound in BOUNDS:
            if seconds <= bound:
                self._buckets[route, bound] += 1

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
            total = sum(n for (name, _), n in self._requests.items() if name == route)
            lines += [f'whytune_request_seconds_bucket{{route="{route}",le="{bound}"}} {self._buckets[route, bound]}' for bound in BOUNDS]
            lines.append(f'whytune_request_seconds_bucket{{route="{route}",le="+Inf"}} {total}')
            lines.append(f'whytune_request_seconds_sum{{route="{route}"}} {self._seconds[route]:.6f}')
            lines.append(f'whytune_request_seconds_count{{route="{route}"}} {total}')
        lines += ["# HELP whytune_answers_total Answers by release and outcome.", "# TYPE whytune_answers_total counter"]
        lines += [f'whytune_answers_total{{release="{release}",outcome="{outcome}"}} {n}' for (release, outcome), n in sorted(self._outcomes.items())]
        lines += ["# HELP whytune_tokens_total Tokens by release and direction.", "# TYPE whytune_tokens_total counter"]
        lines += [f'whytune_tokens_total{{release="{release}",direction="{way}"}} {n}' for (release, way), n in sorted(self._tokens.items())]
        return "\n".join(lines) + "\n"

"""How fast the site is: time of the server for each page, bytes of a first visit, fifty people and five runs at once.

    python benchmarks/web.py pages                    # a workspace of 50 use cases, 10,000 cases, 500 runs is made first (minutes)
    python benchmarks/web.py crowd --at FOLDER        # in one that `benchmarks/site_workspace.py` made before

pages: each page is asked for one after the other by one person, so that a figure is the server's own work and the way
over loopback; `processor_ms` is the server's own processor time a page, which on a busy machine alone is to be trusted.
crowd: people who each look at a page, read for a while and go on, while five trainings of a tiny model really go on, started
through the server, and a page is open on each; whatever is not 200 counts as an error, and so does a stream that breaks off.
On two cores the trainings alone keep both busy: wall times there are those of a machine that has more to do than it can.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "benchmarks"))

from tests.browser.house import serving  # noqa: E402

from site_workspace import BIG, LIVE, PASSWORD, SCIENTIST, seed  # noqa: E402
from whytune.records.job import LIVE as LIVE_STATES  # noqa: E402

PAGES = (
    "/", "/projects", "/projects?q=case-0&page=1", "/portfolio", "/search?q=case", "/team", "/system", "/profile", "/registry", "/aliases", "/consumers", "/endpoints", "/feedback", "/review", "/runs", "/help",
    "/help/reference/commands", *(f"/projects/{BIG}/{tab}" for tab in (
        "map", "data", "data/findings", "data/rows", "data/rows?split=train&page=20", "data/removals", "data/versions/1", "compare", "compare/cases?one=prompt&two=tuned",
        "compare/cases?one=prompt&two=tuned&show=regressions&page=10", "compare/cases?one=prompt&two=tuned&show=all&q=delay&page=40", "runs", "review", "responsible", "decide", "leaderboard", "live",
    )), f"/runs/job_{BIG}_0000",
)  # fmt: skip
SETTLED = 5.0
"""Seconds after which a server that everybody came to at once has seen each page."""
LINKED = re.compile(r'(?:<link [^>]*href|<script [^>]*src|<img [^>]*src)="([^"]+)"')


def percentile(values: list[float], share: float) -> float:
    """The value that this share of all is at or below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


@contextlib.contextmanager
def visitor(address: str, person: str = "owner") -> Iterator[httpx.Client]:
    """A browser of that person, as far as requests go."""
    with httpx.Client(base_url=address, headers={"accept": "text/html", "accept-encoding": "gzip"}, timeout=120, limits=httpx.Limits(keepalive_expiry=1.0)) as made:
        made.headers["x-whytune-csrf"] = made.post("/api/v1/session", json={"name": person, "password": PASSWORD}).raise_for_status().json()["csrf"]
        yield made


def pages(folder: Path, rounds: int) -> dict[str, Any]:
    """Milliseconds of each page, first (nothing held in memory yet) and then; bytes of a first visit."""
    with serving(folder, "web") as address, visitor(address) as client:
        server = next(one for one in psutil.Process().children() if "web" in one.cmdline())
        begun = time.perf_counter()
        client.get("/").raise_for_status()
        after_start = 1000 * (time.perf_counter() - begun)
        told, every = {}, []
        for url in PAGES:
            took, used = [], 0.0
            for number in range(rounds + 1):
                if number == 1:
                    used = sum(server.cpu_times()[:2])
                begun = time.perf_counter()
                answer = client.get(url)
                took.append(1000 * (time.perf_counter() - begun))
                if answer.status_code != 200:
                    raise SystemExit(f"{url}: {answer.status_code}\n{answer.text[:500]}")
            every += took[1:]
            told[url] = {"first_ms": round(took[0], 1), "median_ms": round(statistics.median(took[1:]), 1), "p95_ms": round(percentile(took[1:], 0.95), 1), "processor_ms": round(1000 * (sum(server.cpu_times()[:2]) - used) / rounds, 1), "bytes": answer.num_bytes_downloaded}
        visits = {url: first_visit(address, url) for url in ("/", f"/projects/{BIG}/map", f"/runs/job_{BIG}_0000")}
    slow = [url for url, one in told.items() if one["p95_ms"] > 200]
    return {"pages": told, "first_page_after_a_start_ms": round(after_start, 1), "p95_ms": round(percentile(every, 0.95), 1), "worst_p95_ms": max(one["p95_ms"] for one in told.values()), "most_processor_ms": max(one["processor_ms"] for one in told.values()), "above_200_ms": slow, "first_visit_bytes": visits}


def first_visit(address: str, url: str) -> int:
    """Bytes on the wire, heads and bodies, of a page and everything it names, with nothing kept from before."""
    with visitor(address) as client:
        page = client.get(url)
        wanted = [page] + [client.get(link) for link in dict.fromkeys(LINKED.findall(page.text)) if not link.startswith("data:")]
        return sum(one.num_bytes_downloaded + sum(len(name) + len(value) + 4 for name, value in one.headers.raw) for one in wanted)


def crowd(folder: Path, people: int, seconds: float, think: float) -> dict[str, Any]:
    """Many people at once on one process, beside trainings that really go on, each with its page open."""
    with serving(folder, "web") as address:
        server = next(one for one in psutil.Process().children() if "web" in one.cmdline())
        with visitor(address, SCIENTIST) as scientist, visitor(address) as client:
            runs = [scientist.post(f"/api/v1/projects/{name}/runs", json={"kind": "train"}).raise_for_status().json()["id"] for name in LIVE]
            try:
                for id in runs:
                    until_training(client, id)
                steps, used, load = made(client, runs), sum(server.cpu_times()[:2]), os.getloadavg()[0]
                told = asyncio.run(browsing(address, dict(client.cookies), runs, people, (seconds, think)))
                spent = sum(server.cpu_times()[:2]) - used
                return {
                    **told, "processor_ms_a_page": round(1000 * spent / told["pages"], 1), "server_processor_percent": round(100 * spent / seconds, 1),
                    "training_steps": made(client, runs) - steps, "load_before": round(load, 1), "load_after": round(os.getloadavg()[0], 1),
                }  # fmt: skip
            finally:
                for id in runs:
                    scientist.post(f"/api/v1/runs/{id}/stop", json={})
                while any(client.get(f"/api/v1/runs/{id}").json()["job"]["state"] in LIVE_STATES for id in runs):
                    time.sleep(0.5)


def until_training(client: httpx.Client, id: str) -> None:
    """Until the job makes steps."""
    while not (told := client.get(f"/api/v1/runs/{id}").raise_for_status().json())["curve"]["train"]:
        if told["job"]["state"] not in LIVE_STATES:
            raise SystemExit(f"{told['job']['project']}: {told['job']}")
        time.sleep(0.5)


def made(client: httpx.Client, runs: list[str]) -> int:
    """Steps that these jobs have made."""
    return sum(client.get(f"/api/v1/runs/{id}").json()["job"]["done"] for id in runs)


async def browsing(address: str, cookies: dict[str, str], runs: list[str], people: int, how: tuple[float, float]) -> dict[str, Any]:
    """Everybody looks at pages until the time is over; one page is open on each run."""
    seconds, think = how
    took: dict[str, list[float]] = defaultdict(list)
    settled: list[float] = []
    errors: Counter[str] = Counter()
    heard: Counter[str] = Counter()
    until = time.monotonic() + seconds
    limits = httpx.Limits(keepalive_expiry=1.0, max_connections=None)
    async with httpx.AsyncClient(base_url=address, cookies=cookies, headers={"accept": "text/html"}, timeout=60, limits=limits) as client:

        async def person(number: int) -> None:
            chance = random.Random(number)
            await asyncio.sleep(chance.uniform(0, think))
            while time.monotonic() < until:
                url = chance.choice((*PAGES, *(f"/runs/{id}" for id in runs)))
                begun = time.perf_counter()
                try:
                    answer = await client.get(url)
                    took[url].append(1000 * (time.perf_counter() - begun))
                    if time.monotonic() > until - seconds + SETTLED:
                        settled.append(took[url][-1])
                    if answer.status_code != 200:
                        errors[f"{url}: {answer.status_code}"] += 1
                except httpx.HTTPError as error:
                    errors[f"{url}: {type(error).__name__}"] += 1
                await asyncio.sleep(chance.expovariate(1 / think))

        async def watcher(id: str) -> None:
            after = 0
            try:
                while time.monotonic() < until:  # a stream ends after a while, and a browser then asks again from where it was
                    async with client.stream("GET", f"/runs/{id}/events", headers={"accept": "text/event-stream", "last-event-id": str(after)}) as stream:
                        if stream.status_code != 200:
                            errors[f"events of {id}: {stream.status_code}"] += 1
                            return
                        async for line in stream.aiter_lines():
                            if line.startswith("id: "):
                                after, heard[id] = int(line[4:]), heard[id] + 1
                            if line == "event: end":
                                errors[f"events of {id}: it ended"] += 1
                                return
                            if time.monotonic() > until:
                                return
            except httpx.HTTPError as error:
                errors[f"events of {id}: {type(error).__name__}"] += 1

        await asyncio.gather(*(person(number) for number in range(people)), *(watcher(id) for id in runs))
    every = [value for values in took.values() for value in values]
    slowest = sorted(took, key=lambda url: -statistics.median(took[url]))[:5]
    return {
        "people": people, "think_seconds": think, "live_runs": len(runs), "seconds": seconds, "pages": len(every), "pages_per_second": round(len(every) / seconds, 1),
        "median_ms": round(statistics.median(every), 1), "p95_ms": round(percentile(every, 0.95), 1), "p99_ms": round(percentile(every, 0.99), 1), "slowest_ms": round(max(every), 1), "settled_p95_ms": round(percentile(settled, 0.95), 1),
        "slowest_pages": {url: round(statistics.median(took[url]), 1) for url in slowest}, "points_heard": sum(heard.values()), "runs_heard": sum(count > 0 for count in heard.values()), "errors": dict(errors),
    }  # fmt: skip


def main() -> None:
    """Measure what was asked for, and print it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="pages|crowd", help="one of them; both where none is named")
    parser.add_argument("--at", type=Path, help="a workspace that benchmarks/site_workspace.py made")
    for name, usual in (("cases", 10_000), ("projects", 50), ("runs", 500), ("rounds", 20), ("people", 50), ("seconds", 30), ("think", 2)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    chosen = parser.parse_args()
    parts = chosen.parts or ["pages", "crowd"]
    if unknown := set(parts) - {"pages", "crowd"}:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as made:
        folder = (chosen.at or Path(made)).resolve()
        found: dict[str, Any] = {} if chosen.at else {"workspace": seed(folder, chosen.cases, chosen.projects, chosen.runs)}
        if "pages" in parts:
            found["pages"] = pages(folder, chosen.rounds)
        if "crowd" in parts:
            found["crowd"] = crowd(folder, chosen.people, chosen.seconds, chosen.think)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

"""How fast the review queue is with 50 people at once: run `python benchmarks/review.py` and read the JSON it prints.

Two ways to come in: threads of one process (people at the web server) and a process each (people at terminals). Each
person takes an item, thinks for a while drawn at random (0.5 s on average by default: faster than anybody reads), and
gives an opinion; items are wanted twice; people come in one after the other within that time. Measured is what the person waits: claim and submit together. A last run
without any thinking says how many opinions a second the queue can take. Every run counts what must never happen:
database errors, items judged too often, opinions lost.

    python benchmarks/review.py --people 10 --seconds 5      # a quick look
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import random
import statistics
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from whytune.errors import WhytuneError
from whytune.records.review import Opinion, ReviewItem
from whytune.store.store import Store

QUEUE, WARM, WANTED = "queue:bench", "queue:warm", 2


def person(store: Store, name: str, until: float, think: float) -> tuple[list[float], int]:
    """(seconds waited for each claim and submit, errors) of one person until the time is over."""
    chance = random.Random(name)
    waited: list[float] = []
    errors = 0
    time.sleep(chance.uniform(0, think))  # people do not all come in at the same instant
    while time.monotonic() < until:
        try:
            begun = time.perf_counter()
            claim = store.queues.claim(QUEUE, name)
            took = time.perf_counter() - begun
            if claim is None:
                break
            if think:
                time.sleep(chance.expovariate(1 / think))
            opinion = Opinion(queue=QUEUE, item=claim.item, person=name, client=f"{name}-{claim.item}", verdict="good")
            begun = time.perf_counter()
            store.queues.submit(claim.token, opinion)
            waited.append(took + time.perf_counter() - begun)
        except WhytuneError as error:
            errors += 1
            print(error)
    return waited, errors


def threads(folder: Path, people: int, seconds: float, think: float) -> list[tuple[list[float], int]]:
    """Everybody in one process."""
    found: list[tuple[list[float], int]] = []
    with Store.open(folder) as store:
        until = time.monotonic() + seconds
        running = [threading.Thread(target=lambda n=n: found.append(person(store, f"p{n}", until, think))) for n in range(people)]
        for one in running:
            one.start()
        for one in running:
            one.join()
    return found


def alone(folder: Path, name: str, seconds: float, think: float, together: tuple[Any, Any]) -> None:
    """One person in a process of their own; all begin together, once every process is up."""
    barrier, told = together
    with Store.open(folder) as store:
        # The first item of a process also waits for its statements to be put together; that belongs to its start.
        if claim := store.queues.claim(WARM, name):
            store.queues.submit(claim.token, Opinion(queue=WARM, item=claim.item, person=name, client=f"warm-{name}", verdict="good"))
        barrier.wait()
        told.put(person(store, name, time.monotonic() + seconds, think))


def processes(folder: Path, people: int, seconds: float, think: float) -> list[tuple[list[float], int]]:
    """Everybody in a process of their own."""
    context = multiprocessing.get_context("fork")
    together = context.Barrier(people), context.Queue()
    running = [context.Process(target=alone, args=(folder, f"p{n}", seconds, think, together)) for n in range(people)]
    for one in running:
        one.start()
    found = [together[1].get() for _ in running]
    for one in running:
        one.join()
    return found


def measure(how: Any, people: int, seconds: float, think: float) -> dict[str, Any]:
    """One run on a store of its own."""
    with tempfile.TemporaryDirectory(prefix="whytune-bench-") as place:
        folder = Path(place) / ".whytune"
        with Store.open(folder, create=True) as store:
            store.queues.fill(WARM, [ReviewItem(key=f"w{n}", example=f"example:{n}") for n in range(people)])
            store.queues.fill(QUEUE, [ReviewItem(key=f"i{n:06}", example=f"example:{n}", opinions=WANTED, priority=n) for n in range(20_000)])
        spent = os.times()
        found = how(folder, people, seconds, think)
        used = os.times()
        with Store.open(folder) as store:
            kept = store.queues.opinions(QUEUE)
    waits = sorted(1000 * one for waited, _ in found for one in waited)
    busy = sum(used[:4]) - sum(spent[:4])
    return {
        "people": people, "think_seconds": think, "opinions": len(waits), "opinions_per_second": round(len(waits) / seconds, 1),
        "claim_and_submit_ms": {"p50": round(statistics.median(waits), 2), "p99": round(waits[int(0.99 * (len(waits) - 1))], 2), "most": round(waits[-1], 1)},
        "cpu_ms_an_opinion": round(1000 * busy / len(waits), 2), "errors": sum(errors for _, errors in found), "lost": len(waits) - len(kept),
        "judged_too_often": sum(count > WANTED for count in Counter(opinion.item for opinion in kept).values()),
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--think", type=float, default=0.5)
    asked = parser.parse_args()
    told = {
        "python": platform.python_version(), "load_before": round(os.getloadavg()[0], 1),
        "one_process": measure(threads, asked.people, asked.seconds, asked.think),
        "a_process_each": measure(processes, asked.people, asked.seconds, asked.think),
        "without_thinking": measure(threads, asked.people, min(5.0, asked.seconds), 0.0),
    }  # fmt: skip
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()

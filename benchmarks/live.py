"""What it costs a training that somebody watches its page, as JSON.

    python benchmarks/live.py                        # thirty pairs of stretches of one training, with and without an open page
    python benchmarks/live.py --pairs 20 --seconds 10

One training of a tiny model goes on, started through `whytune web`. In stretches that take turns, nobody looks, or one page
is open: loaded first, then its stream read as a browser reads it. Pairs begin now with the one, now with the other, so that
what drifts falls on both. Told of each side is the median of the seconds a step takes, and of the processor time a step
takes in the training and the server together; then the geometric mean of the pairs' ratios, with an interval by resampling them. On a
busy machine only the processor time is to be trusted. The tiny model makes some tens of steps a second, so there is far
more to tell than of a real one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402
import numpy as np  # noqa: E402
import psutil  # noqa: E402
from tests.browser.house import edit, serving  # noqa: E402
from tests.workspace import tuned_projects  # noqa: E402

from whytune.jobs.progress import Silent, draw  # noqa: E402
from whytune.workspace import working  # noqa: E402
from whytune.workspace.project import Project  # noqa: E402

SETTLE = 1.0
"""Seconds after the page was opened or closed that are not measured."""
RESAMPLES = 10_000
NOTED = 600
"""Steps by which the cost of the notes is measured."""


def main() -> None:
    """Print the figures."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--pairs", type=int, default=30)
    given.add_argument("--seconds", type=float, default=2.0, help="of one stretch")
    chosen = given.parse_args()
    with tempfile.TemporaryDirectory() as place:
        project = tuned_projects.project(Path(place), "")
        notes = _notes(project)
        # One look at dev at the very end: none falls into a stretch.
        edit(project.folder / "whytune.toml", epochs="6000.0", checkpoints="1")
        load = os.getloadavg()[0]
        with serving(Path(place), "web", "--alone") as address:
            stretches = _stretches(address, project, chosen.pairs, chosen.seconds)
    alone, watched = ([one for one in stretches if one["watched"] is way] for way in (False, True))
    told: dict[str, Any] = {
        "machine": platform.platform(), "cores": os.cpu_count(), "load_before": round(load, 1), "load_after": round(os.getloadavg()[0], 1),
        "pairs": chosen.pairs, "seconds_each": chosen.seconds, "steps": sum(one["steps"] for one in stretches),
        "seconds_a_step": _ratio(alone, watched, "seconds_a_step"), "processor_seconds_a_step": _ratio(alone, watched, "processor_a_step"),
        "server_processor_percent_alone": round(statistics.median(one["server_percent"] for one in alone), 3),
        "server_processor_percent_watched": round(statistics.median(one["server_percent"] for one in watched), 3),
        "points_heard": sum(one["heard"] for one in watched), "notes_microseconds_a_step": round(notes, 1), "stretches": stretches,
    }  # fmt: skip
    print(json.dumps(told, indent=1))


def _stretches(address: str, project: Project, pairs: int, seconds: float) -> list[dict[str, Any]]:
    room = project.workspace
    id = httpx.post(f"{address}/api/v1/projects/{project.name}/runs", json={"kind": "train"}, timeout=60).raise_for_status().json()["id"]
    found = []
    try:
        while (job := working.job(room, id)).live and not (job.phase == working.TRAINING and job.done > 20):
            time.sleep(0.2)
        assert job.live, job
        server = next(one for one in psutil.Process().children() if "web" in one.cmdline())
        training = next(one for one in psutil.process_iter(["cmdline"]) if id in (one.info["cmdline"] or ()))
        for pair in range(pairs):
            for watched in (False, True) if pair % 2 == 0 else (True, False):
                found.append({"pair": pair, "watched": watched, **_stretch(address, project, id, watched, seconds, (server, training))})
                print(found[-1], file=sys.stderr)
    finally:
        httpx.post(f"{address}/api/v1/runs/{id}/stop", json={}, timeout=60).raise_for_status()
        while working.job(room, id).live:
            time.sleep(0.1)
    return found


def _stretch(address: str, project: Project, id: str, watched: bool, seconds: float, processes: tuple[psutil.Process, psutil.Process]) -> dict[str, Any]:
    over, heard = threading.Event(), [0]
    watcher = threading.Thread(target=_watch, args=(address, id, over, heard))
    if watched:
        watcher.start()
    time.sleep(SETTLE)
    begun, before = _now(), [sum(one.cpu_times()[:2]) for one in processes]
    time.sleep(seconds)
    ended, after = _now(), [sum(one.cpu_times()[:2]) for one in processes]
    over.set()
    if watched:
        watcher.join()
    time.sleep(SETTLE)  # so that every point of the stretch is written
    # Steps by the moments at which they were made, not by when somebody came to know of them.
    made = [point for point in project.workspace.store.jobs.curve(id, most=10_000_000) if begun <= point.when <= ended and "loss" in point.values]
    lasted = (datetime.fromisoformat(made[-1].when) - datetime.fromisoformat(made[0].when)).total_seconds() / (len(made) - 1)
    server, training = (one - other for one, other in zip(after, before, strict=True))
    return {
        "steps": len(made), "seconds_a_step": lasted, "processor_a_step": (server + training) / (seconds / lasted * _awake(begun, ended, seconds)),
        "server_percent": 100 * server / seconds, "training_percent": 100 * training / seconds, "heard": heard[0],
    }  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _awake(begun: str, ended: str, seconds: float) -> float:
    """How much longer than asked for a stretch really was, as a factor: a busy machine wakes us late."""
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds() / seconds


def _ratio(alone: list[dict[str, Any]], watched: list[dict[str, Any]], name: str) -> dict[str, float]:
    """Medians of both sides, and by how many percent a pair's watched stretch is above the other, as the geometric mean with a 95 % interval."""
    one, two = (np.array([each[name] for each in sorted(side, key=lambda each: each["pair"])]) for side in (alone, watched))
    ratios = np.log(two / one)
    drawn = ratios[np.random.default_rng(1).integers(0, len(ratios), (RESAMPLES, len(ratios)))].mean(axis=1)
    more, low, high = (100 * (np.exp(each) - 1) for each in (ratios.mean(), *np.percentile(drawn, [2.5, 97.5])))
    return {"alone": round(float(np.median(one)), 6), "watched": round(float(np.median(two)), 6), "more_percent": round(float(more), 2), "low_percent": round(float(low), 2), "high_percent": round(float(high), 2)}


def _watch(address: str, id: str, over: threading.Event, heard: list[int]) -> None:
    """The page, then its stream from where the page ends, as a browser reads it: anew where the server ends it."""
    with httpx.Client(base_url=address, timeout=120) as client:
        client.get(f"/runs/{id}", headers={"accept": "text/html"}).raise_for_status()
        after = client.get(f"/api/v1/runs/{id}").raise_for_status().json()["after"]
        while not over.is_set():
            with client.stream("GET", f"/runs/{id}/events", headers={"last-event-id": str(after)}) as stream:
                for line in stream.iter_lines():
                    if line.startswith("id: "):
                        after, heard[0] = int(line[4:]), heard[0] + 1
                    if over.is_set() or line == "event: end":
                        return


def _notes(project: Project) -> float:
    """Processor time that a step's notes take beside the work, in microseconds: told, kept, written by their thread."""
    times = []
    for _ in range(3):
        with working.recorded(project, "train", {}, Silent()) as progress:
            progress.phase("training", NOTED, "steps")
            start = time.process_time()
            for step in range(1, NOTED + 1):
                draw(progress, step=step, loss=1.0 / step, seconds=0.1 * step, total=NOTED)
                progress.advance(1, "loss 1.000")
                if step % 10 == 0:
                    time.sleep(0.01)  # the thread that writes has its turns, as it has beside real steps
            times.append(time.process_time() - start)
    return 1e6 * statistics.median(times) / NOTED


if __name__ == "__main__":
    main()

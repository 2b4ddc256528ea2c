"""What it costs a training that somebody watches its page, as JSON.

    python benchmarks/live.py             # three pairs of runs on a tiny model, with and without one open page
    python benchmarks/live.py --pairs 6

Each pair is the same training twice, started through `whytune web`: nobody looks, then one page is open (the stream that a
browser reads, with the page loaded first). Told are the medians of the seconds that the steps took, and the processor time
that the server and the notes of the job took for each second of training: on a busy machine only the latter is to be trusted.
The tiny model makes some thirty steps a second, so there is far more to tell than of a real one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402
import psutil  # noqa: E402
from tests.browser.house import edit  # noqa: E402
from tests.cli.living import environment  # noqa: E402
from tests.workspace import tuned_projects  # noqa: E402

from whytune.jobs.progress import Silent, draw  # noqa: E402
from whytune.workspace import working  # noqa: E402
from whytune.workspace.project import Project  # noqa: E402

STEPS = 600


def main() -> None:
    """Print the figures."""
    given = argparse.ArgumentParser()
    given.add_argument("--pairs", type=int, default=3)
    pairs = given.parse_args().pairs
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        project = tuned_projects.project(folder, "")
        edit(project.folder / "whytune.toml", epochs=f"{STEPS / 4:.1f}", checkpoints="2")
        notes = _notes(project)
        runs = _pairs(folder, project, pairs)
    alone, watched = ([run for run in runs if run["watched"] is way] for way in (False, True))
    seconds = [statistics.median(run["seconds"] for run in side) for side in (alone, watched)]
    told: dict[str, Any] = {
        "machine": platform.platform(), "cores": os.cpu_count(), "load": os.getloadavg()[0], "steps": STEPS, "runs": runs,
        "seconds_alone": seconds[0], "seconds_watched": seconds[1], "difference_percent": 100 * (seconds[1] / seconds[0] - 1),
        "server_processor_percent_alone": 100 * statistics.median(run["server"] / run["wall"] for run in alone),
        "server_processor_percent_watched": 100 * statistics.median(run["server"] / run["wall"] for run in watched),
        "notes_microseconds_a_step": notes,
    }  # fmt: skip
    print(json.dumps(told, indent=1))


def _pairs(folder: Path, project: Project, pairs: int) -> list[dict[str, Any]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "web.log").open("w") as out:
        command = [sys.executable, "-m", "whytune", "web", "--alone", "--port", str(port)]
        server = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment(WHYTUNE_DTYPE="float32", WHYTUNE_THREADS="1"))
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                httpx.get(f"{address}/healthz")
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        runs = []
        for number in range(2 * pairs):
            watched = number % 2 == 1
            edit(project.folder / "whytune.toml", seed=str(100 + number))
            runs.append({"watched": watched, **_run(address, project, psutil.Process(server.pid), watched)})
            print(runs[-1], file=sys.stderr)
        return runs
    finally:
        server.terminate()
        server.wait()


def _run(address: str, project: Project, server: psutil.Process, watched: bool) -> dict[str, Any]:
    room = project.workspace
    id = httpx.post(f"{address}/api/v1/projects/{project.name}/runs", json={"kind": "train"}, timeout=60).raise_for_status().json()["id"]
    while (job := working.job(room, id)).phase != working.TRAINING and job.live:
        time.sleep(0.05)
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(address, id, over))
    before, began = sum(server.cpu_times()[:2]), time.monotonic()
    if watched:
        watcher.start()
    while (job := working.job(room, id)).phase == working.TRAINING and job.live:
        time.sleep(0.2)
    wall, spent = time.monotonic() - began, sum(server.cpu_times()[:2]) - before
    over.set()
    if watched:
        watcher.join()
    while (job := working.job(room, id)).live:
        time.sleep(0.1)
    assert job.state == "done", job
    cost = room.project(project.name).adapters[-1].cost
    assert cost is not None
    return {"seconds": cost.seconds, "wall": wall, "server": spent}


def _watch(address: str, id: str, over: threading.Event) -> None:
    """The page, then its stream, as a browser reads it: anew where the server ends it."""
    after = 0
    with httpx.Client(base_url=address, timeout=120) as client:
        client.get(f"/runs/{id}").raise_for_status()
        while not over.is_set():
            with client.stream("GET", f"/runs/{id}/events", headers={"last-event-id": str(after)}) as stream:
                for line in stream.iter_lines():
                    if line.startswith("id: "):
                        after = int(line[4:])
                    if over.is_set() or line == "event: end":
                        return


def _notes(project: Project) -> float:
    """Processor time that a step's notes take beside the work, in microseconds: told, kept, written by their thread."""
    times = []
    for _ in range(3):
        with working.recorded(project, "train", {}, Silent()) as progress:
            progress.phase("training", STEPS, "steps")
            start = time.process_time()
            for step in range(1, STEPS + 1):
                draw(progress, step=step, loss=1.0 / step, seconds=0.1 * step, total=STEPS)
                progress.advance(1, "loss 1.000")
                if step % 10 == 0:
                    time.sleep(0.01)  # the thread that writes has its turns, as it has beside real steps
            times.append(time.process_time() - start)
    return 1e6 * statistics.median(times) / STEPS


if __name__ == "__main__":
    main()

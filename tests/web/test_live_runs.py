"""A real training followed through the web's door: the server restarted, the job killed, gone on with, ended early."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tests.browser.house import edit, serving
from tests.workspace import tuned_projects

from whytune.workspace import working
from whytune.workspace.project import Project

PATIENCE = 300
"""Seconds after which something is wrong, however busy the machine is."""


def until(told: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := told():
            return found
        time.sleep(0.05)
    raise AssertionError("it never came to that")


def events(address: str, id: str, after: int = 0) -> list[int]:
    """Numbers of the points of an ended job from there on."""
    text = httpx.get(f"{address}/runs/{id}/events", params={"after": after}, timeout=PATIENCE).text
    return [int(number) for number in re.findall(r"(?m)^id: (\d+)$", text)]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder of whose jobs none outlives the test, however that ends."""
    yield tmp_path
    for each in psutil.process_iter(["cmdline"]):
        if "perform" in (each.info["cmdline"] or ()) and each.environ().get("WHYTUNE_HOME", "").startswith(str(tmp_path)):
            each.kill()


@pytest.mark.deep
def test_a_job_outlives_the_server_is_known_as_lost_and_goes_on(place: Path) -> None:
    project: Project = tuned_projects.project(place, "")
    edit(project.folder / "whytune.toml", epochs="4000.0", checkpoints="400")
    room = project.workspace

    def job(id: str) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{address}/api/v1/runs/{id}", timeout=PATIENCE).raise_for_status().json()
        return found

    with serving(place, "web", "--alone") as address:
        id = httpx.post(f"{address}/api/v1/projects/support/runs", json={"kind": "train"}, timeout=PATIENCE).raise_for_status().json()["id"]
        until(lambda: job(id)["curve"]["dev"])
        assert httpx.post(f"{address}/api/v1/projects/support/runs", json={"kind": "run"}, timeout=PATIENCE).status_code == 409
    seen = len(working.points(room, id))
    assert seen
    until(lambda: len(working.points(room, id)) > seen)  # nobody watches, and it goes on

    with serving(place, "web", "--alone") as address:
        assert job(id)["job"]["state"] == "running"
        process = next(each for each in psutil.process_iter(["cmdline"]) if id in (each.info["cmdline"] or ()))
        process.kill()
        until(lambda: job(id)["job"]["state"] == "lost")
        numbers = events(address, id)
        assert numbers == list(range(1, len(numbers) + 1)), "no point is missing"
        assert len(numbers) > seen
        assert events(address, id, after=len(numbers) - 2) == numbers[-2:]
        last = job(id)["curve"]["dev"][-1][0]

        again = httpx.post(f"{address}/api/v1/projects/support/runs", json={"kind": "train"}, timeout=PATIENCE).raise_for_status().json()["id"]
        until(lambda: job(again)["curve"]["dev"])
        assert job(again)["curve"]["train"][0][0] == 1, "what the killed one had drawn is drawn again"
        until(lambda: job(again)["curve"]["dev"][-1][0] > last)
        httpx.post(f"{address}/api/v1/runs/{again}/stop", json={"keep_best": True}, timeout=PATIENCE).raise_for_status()
        until(lambda: job(again)["job"]["state"] == "done")
        made = job(again)
        assert made["adapters"][0]["early"] == "yes"

    adapter = project.adapters[0]
    assert adapter.curve[-1].epoch < adapter.recipe.epochs
    assert adapter.best_step <= adapter.curve[-1].step
    facts = next(event.facts for event in room.events("support") if event.act == "adapter.trained")
    assert re.fullmatch(r"after step \d+ of \d+", facts["ended early"])
    assert facts["ended by"] == made["job"]["person"]
    project.run(until="test")
    assert [each.id for each in project.adapters] == [adapter.id], "a later run takes it as it is"
    assert "tuned" in {trial.arm for trial in project.trials("test")}

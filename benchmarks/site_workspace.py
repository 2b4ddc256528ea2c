"""A full workspace for measuring the site: many use cases, thousands of cases, hundreds of runs, written as they are in real work.

    python benchmarks/site_workspace.py FOLDER --cases 10000 --projects 50 --runs 500

No model is loaded: what arms answered is put into the store; the rest - import, split, checks, trials, comparison,
decision, jobs and their points - goes the real way. It prints what it wrote and how long that took.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.cli.living import QUICK, WORDS, tickets  # noqa: E402
from tests.tiny import build  # noqa: E402
from tests.workspace.judged_desks import base_folder  # noqa: E402

from whytune.jobs.progress import Silent  # noqa: E402
from whytune.records.candidate import Adapter, Base, Candidate, Checkpoint, Recipe  # noqa: E402
from whytune.records.evidence import Answer  # noqa: E402
from whytune.records.job import Job, JobPoint  # noqa: E402
from whytune.settings import Settings  # noqa: E402
from whytune.workspace import creating, deciding, setup  # noqa: E402
from whytune.workspace.arms import Makings  # noqa: E402
from whytune.workspace.measuring import Bench  # noqa: E402
from whytune.workspace.project import Project  # noqa: E402
from whytune.workspace.workspace import Workspace  # noqa: E402

LABELS = ("delay", "loss", "refund", "other")
BIG, PASSWORD, POINTS = "big", "a long enough password", 120
DECIDED = 12
"""Use cases that have come to a decision; the others have checked data."""
LIVE = tuple(f"live-{number}" for number in range(1, 6))
"""Use cases that can really be trained, on a tiny model; for longer than anybody measures."""
SCIENTIST = "scientist"
"""Who may train them; the password is the same."""


def rows(path: Path, count: int) -> Path:
    """Messages and their category; no two share many words."""
    lines = ["text,category"]
    for n in range(count):
        some = " ".join(f"{WORDS[(n * k + n // 30 + k) % 30]}{n * k % 997}" for k in (1, 7, 11, 13, 17))
        lines.append(f"{some} {n * 37} about {LABELS[n % 4]},{LABELS[n % 4]}")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def begun(folder: Path, name: str, count: int) -> Project:
    """A use case with its dataset, checked."""
    source = rows(folder / f"{name}.csv", count)
    data = {"from": [str(source)], "input": "text", "target": "category", "group": "", "evidence": "", "labels_file": "", "mapping_file": "", "format": "", "encoding": "", "documents": []}
    drafted = setup.draft(
        {
            "name": name, "task": "categorization", "purpose": f"Sort what customers of {name} write", "data": data,
            "acceptance": {"metric": "", "bar": 0.5, "margin": 0.05}, "model": {"base": "bundled"}, "split": {"train": 0.3, "dev": 0.2, "test": 0.5, "near": 0},
        },
        folder / name,
    )  # fmt: skip
    project = setup.create(drafted)
    project.run(until="check")
    return project


def trainable(folder: Path, name: str, model: Path) -> None:
    """A use case of which nothing was run yet."""
    source = tickets(folder / f"{name}.csv")
    data = {"from": [str(source)], "input": "text", "target": "category", "documents": [], "labels_file": "", "mapping_file": ""}
    drafted = setup.draft(
        {
            "name": name, "task": "categorization", "purpose": f"Sort what customers of {name} write", "data": data, "acceptance": {"metric": "", "bar": 0.5, "margin": 0.05},
            "model": {"base": f"folder:{model}"}, "arms": {"use": ["prompt", "tuned"]}, "split": {"train": 0.6, "dev": 0.2, "test": 0.2},
            "training": {**{key: value.strip('"') for key, value in QUICK.items()}, "epochs": "4000.0", "checkpoints": "100"}, "circumstances": {"may_train": True},
        },
        folder / name,
    )  # fmt: skip
    setup.create(drafted).workspace.store.close()


def decided(project: Project, base: Base) -> None:
    """Two arms answer dev and test; compared and decided."""
    made, quiet = project.dataset, Silent()
    project.once(base, "base.chosen")
    makings = Makings(project.file, project.task, base, made, "")
    trained = adapters(project, base, 1)[0]
    candidates = {"prompt": makings.plain(), "tuned": makings.tuned(trained)}
    for at, candidate in enumerate(candidates.values()):
        for split in ("dev", "test"):
            wanted = creating.examples_of(project, made, split)  # type: ignore[arg-type]
            project.workspace.store.put_answers([_answer(candidate, row.id, row.target_text if (n * 7 + at) % 10 < 5 + 3 * at else LABELS[n % 4]) for n, row in enumerate(wanted)])
    bench = Bench(project, makings)
    triage = deciding.triage(project, makings)
    deciding.power(project, bench)
    deciding.attribute(project, bench, ["prompt"], quiet)
    protocol = deciding.protocol(project, bench, candidates)
    trials = deciding.test(project, bench, protocol, candidates, quiet)
    deciding.decide(project, bench, protocol, trials, triage)


def adapters(project: Project, base: Base, count: int) -> list[Adapter]:
    """Adapters as training leaves them, with the curves of a run."""
    made: list[Adapter] = []
    for number in range(count):
        curve = tuple(Checkpoint(step=step, epoch=step / 40, train_loss=2 / (1 + step), dev_loss=2.1 / (1 + step), dev_metric=0.5, seconds=step / 2) for step in range(0, 120, 10))
        with project.act("adapter.trained", read=[project.dataset.id]) as act:
            kept = project.workspace.store.put_blob(f"{project.name} {number}".encode())
            made.append(act.write(Adapter(
                base=base.id, recipe=Recipe(rank=8 + number), dataset=project.dataset.id, prompt="prompt:" + "0" * 64, digest=kept, rows=100, trained_tokens=1000,
                tokens=20000, seconds=60.0, dtype="float32", best_step=100, curve=curve,
            )))  # fmt: skip
    return made


def ran(project: Project, count: int) -> None:
    """Jobs that are over, each with the points of its curve."""
    jobs = project.workspace.store.jobs
    for number in range(count):
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        job = Job(id=f"job_{project.name}_{number:04d}", project=project.key, kind="train", person=project.workspace.person.name, state="waiting", created=now)
        held = jobs.begin(job)
        jobs.take_up(job.id, held)
        jobs.note(job.id, {"phase": "training", "done": POINTS, "total": POINTS, "unit": "steps", "left": 0.0, "note": ""}, [curve_point(seq, now) for seq in range(1, POINTS + 1)])
        jobs.settle(job.id, "done", said="an adapter was trained", next=f"whytune run {project.name}", link=f"/projects/{project.name}/compare")
        jobs.release(job.id, held)


def curve_point(seq: int, now: str) -> JobPoint:
    """One step of a curve; every tenth looks at dev."""
    values: dict[str, Any] = {"part": 1, "step": seq, "loss": 2 / (1 + seq), "seconds": seq / 2, "total": POINTS, "epochs": seq / 40}
    if seq % 10 == 0:
        values = {"part": 1, "step": seq, "dev_loss": 2.1 / (1 + seq), "dev_metric": 0.5, "train_loss": 2 / (1 + seq), "epoch": seq / 40, "seconds": seq / 2}
    return JobPoint(seq=seq, when=now, kind="curve", values=values)


def seed(folder: Path, cases: int, projects: int, runs: int) -> dict[str, Any]:
    """Write it all; gives what was written."""
    start = time.monotonic()
    Workspace.open(folder, settings=Settings(person="owner"), create=True).store.close()
    big = begun(folder, BIG, 2 * cases)
    base = base_folder(folder)
    decided(big, base)
    share = max(1, runs // projects)
    for number in range(projects):
        project = big if number == 0 else begun(folder, f"case-{number:02d}", 60)
        if 0 < number < DECIDED:
            decided(project, base)
        project.once(base, "base.chosen")
        adapters(project, base, share)
        ran(project, share)
        if project is not big:
            project.workspace.store.close()
    model = build(folder / "tiny")
    for name in LIVE:
        trainable(folder, name, model)
    room = big.workspace
    room.add_person("owner", ("business_owner", "admin", "auditor"))
    room.as_person("owner").add_person(SCIENTIST, ("business_owner", "data_creator", "data_scientist"))
    for name in ("owner", SCIENTIST):
        room.store.accounts.set_password(name, PASSWORD)
    listed = room.store.jobs.listed([project.key for project in room.projects()])[1]
    dataset = big.dataset
    room.store.close()
    return {"projects": projects, "jobs": listed, "cases": dataset.counts, "seconds": round(time.monotonic() - start, 1)}


def _answer(candidate: Candidate, item: str, text: str) -> Answer:
    return Answer(candidate=candidate.id, item=item, text=text, tokens_in=40, tokens_computed=10, tokens_out=2, seconds=0.01)


def main() -> None:
    """Write the workspace that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    for name, usual in (("cases", 10_000), ("projects", 50), ("runs", 500)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True)
    print(json.dumps(seed(chosen.folder.resolve(), chosen.cases, chosen.projects, chosen.runs), indent=1))


if __name__ == "__main__":
    main()

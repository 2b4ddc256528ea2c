"""A release copied into somebody else's registry; this workspace stays the one that counts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from whytune.records.evidence import Trial
from whytune.records.release import Release
from whytune.release.mlflow import Mirror, Sent
from whytune.workspace import releasing, roles

if TYPE_CHECKING:
    from whytune.workspace.workspace import Workspace

TOKEN = "MLFLOW_TRACKING_TOKEN"


def to_mlflow(workspace: Workspace, release: Release, address: str) -> Sent:
    """Send it to an MLflow server, with the aliases it has now. Refused where it is no longer what was signed."""
    roles.check(workspace.person, "release.mirrored")
    ready = releasing.load(workspace, release)
    files = {name: workspace.store.blob_path(kept).read_bytes() for name, kept in release.manifest.files.items()}
    files["release.json"] = (release.model_dump_json(indent=1) + "\n").encode()
    if ready.adapter_folder:
        bound = release.manifest.adapter
        files |= {f"adapter/{name}": (ready.adapter_folder / name).read_bytes() for name in (bound.files if bound else {})}
    names = [name for name, stands in releasing.aliases(workspace).items() if stands == release.id]
    sent = Mirror(address, os.environ.get(TOKEN, "")).send(release, files, _figures(workspace, release), names)
    with workspace.act("release.mirrored", project=release.project, read=[release.id]) as act:
        # The host alone: an address may hold a password.
        act.facts.update(to=f"mlflow {urlsplit(address).hostname}", version=sent.version, new=str(sent.new).lower())
    return sent


def _figures(workspace: Workspace, release: Release) -> dict[str, float]:
    """Every figure of the official trial, with its interval and n, under names that MLflow takes."""
    found: dict[str, float] = {}
    for trial in workspace.store.list(Trial, release.project):
        if trial.id not in release.manifest.evidence or trial.split != "test":
            continue
        for measure in (trial.primary, *trial.beside):
            found |= {f"test.{measure.name}": measure.value, f"test.{measure.name}.low": measure.low, f"test.{measure.name}.high": measure.high, f"test.{measure.name}.n": float(measure.n)}
        found["cost_per_1000"], found["median_seconds"] = trial.spending.cost_per_1000, trial.spending.median_seconds
    return found

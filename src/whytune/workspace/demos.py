"""The three small cases that come with whytune: unpacked as an ordinary project, measured like any other."""

from __future__ import annotations

import shutil
import tomllib
from dataclasses import replace
from importlib import resources
from pathlib import Path

from whytune import settings as settings_module
from whytune.errors import NotFoundError
from whytune.workspace import setup
from whytune.workspace.config import FILE
from whytune.workspace.project import Project
from whytune.workspace.workspace import Workspace


def titles() -> dict[str, str]:
    """Case name to its purpose."""
    cases = sorted(resources.files("whytune.demos").iterdir(), key=lambda case: case.name)
    return {case.name: tomllib.loads((case / FILE).read_text("utf-8"))["purpose"] for case in cases if (case / FILE).is_file()}


def unpack(case: str, place: Path) -> Project:
    """The case as a project in the workspace at `place`; what is there already is kept and gone on with."""
    if case not in titles():
        raise NotFoundError(f"There is no demo named {case!r}", next=f"choose one of: {', '.join(titles())}")
    place.mkdir(parents=True, exist_ok=True)
    # A demo has a workspace of its own, also where the folder stands inside another one.
    room = Workspace.open(place, settings=replace(settings_module.load(), home=str(place.resolve())), create=True)
    folder = room.root / case
    if not (folder / FILE).exists():
        with resources.as_file(resources.files("whytune.demos") / case) as source:
            shutil.copytree(source, folder, dirs_exist_ok=True)
    return setup.register(room, folder)

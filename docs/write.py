"""Writes what the docs take from the code: the help of every command, and the schema of the decision.

    python docs/write.py [--check]

With --check nothing is written; the exit code is 1 where a page is not what the code says.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from whytune.cli.app import app
from whytune.report.twin import schema_text

DOCS = Path(__file__).resolve().parent
START, END = "<!-- help:start -->", "<!-- help:end -->"


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every command below this one."""
    if hasattr(command, "commands"):
        for name in command.commands:
            yield from commands(command.commands[name], (*path, name))
    else:
        yield path


def help_text() -> str:
    """The help of every command as it is printed at 100 columns."""
    parts = []
    for path in commands(typer.main.get_command(app)):
        done = subprocess.run(
            [sys.executable, "-m", "whytune", *path, "--help"], capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "100", "TERM": "dumb"}
        )
        parts.append(f"### whytune {' '.join(path)}\n\n```text\n{done.stdout.strip()}\n```\n")
    return "\n".join(parts)


def pages() -> dict[Path, str]:
    """Every page with a written part, as it should be."""
    page = DOCS / "reference" / "commands.md"
    text = page.read_text("utf-8")
    before, after = text.split(START)[0], text.split(END)[1]
    return {page: f"{before}{START}\n\n{help_text()}\n{END}{after}", DOCS / "reference" / "decision.schema.json": schema_text()}


def main() -> None:
    """Write, or compare."""
    stale = [(page, text) for page, text in pages().items() if not page.exists() or page.read_text("utf-8") != text]
    for page, text in stale:
        if "--check" in sys.argv:
            print(f"{page.relative_to(DOCS.parent)} is not what the code says; run: make docs")
        else:
            page.write_text(text, "utf-8")
            print(f"wrote {page.relative_to(DOCS.parent)}")
    if stale and "--check" in sys.argv:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

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
API = "<!-- api:start -->", "<!-- api:end -->"


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every command below this one."""
    if hasattr(command, "commands"):
        for name, one in command.commands.items():
            if not one.hidden:  # what only our own processes are started with
                yield from commands(one, (*path, name))
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


def addresses() -> str:
    """Every address of the HTTP API as a table, from the OpenAPI document."""
    from whytune.web.app import make_routes
    from whytune.web.openapi import document

    lines = ["| address | what |", "|---|---|"]
    for path, operations in document(make_routes())["paths"].items():
        for method, about in operations.items():
            query = [one["name"] for one in about["parameters"] if one["in"] == "query"]
            schema = about.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            fields = [name if name in schema.get("required", ()) else f"[{name}]" for name in schema.get("properties", {})]
            asked = (f"?{'&'.join(query)}" if query else "") + (f" {{{', '.join(fields)}}}" if fields else "")
            lines.append(f"| `{method.upper()} {path}{asked}` | {about['summary'].replace('|', '/')} |")
    return "\n".join(lines)


def filled(page: Path, marks: tuple[str, str], text: str) -> str:
    """The page with this text between its marks."""
    whole = page.read_text("utf-8")
    before, after = whole.split(marks[0])[0], whole.split(marks[1])[1]
    return f"{before}{marks[0]}\n\n{text}\n{marks[1]}{after}"


def pages() -> dict[Path, str]:
    """Every page with a written part, as it should be."""
    reference = DOCS / "reference"
    return {
        reference / "commands.md": filled(reference / "commands.md", (START, END), help_text()),
        reference / "http-api.md": filled(reference / "http-api.md", API, addresses() + "\n"),
        reference / "decision.schema.json": schema_text(),
    }


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

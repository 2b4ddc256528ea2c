"""What the command line shows: progress with phase, ETA and cost so far; tables; one `next:` line; JSON where asked.

On a terminal progress is a bar; elsewhere one line for each 10 %. Progress goes to stderr, results to stdout, so that
`whytune decide --json | jq` works.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from whytune.workspace.progress import Pace


class Screen:
    """A `Progress` that people read. money_hour is the price of one hour of this machine, in `currency`."""

    def __init__(self, *, quiet: bool = False, money_hour: float = 0.0, currency: str = "") -> None:
        self._quiet = quiet
        self._live = sys.stderr.isatty() and not quiet
        self._price, self._currency = money_hour, currency
        self._start = time.monotonic()
        self._phase_start = self._start
        self._name, self._unit, self._pace, self._said, self._shown = "", "", Pace(0), 0, 0.0

    def phase(self, name: str, total: int, unit: str = "") -> None:
        """Name what begins; the phase before it is closed."""
        self.close()
        self._name, self._unit, self._pace, self._said = name, unit, Pace(total), 0
        if not self._quiet and not self._live:
            self._line(f"{name}: {total:,} {unit}".rstrip() if total else name)

    def advance(self, n: int = 1, note: str = "") -> None:
        """Show how far it is."""
        self._pace.advance(n)
        if self._quiet or not self._name:
            return
        now = time.monotonic()
        if self._live:
            if now - self._shown > 0.1:
                self._shown = now
                sys.stderr.write("\r\x1b[K" + self._text(note)[:160])
                sys.stderr.flush()
        elif self._pace.total:
            # One line for each 10 %, but not a flood of them for what takes a moment.
            tenth = 10 * self._pace.done // self._pace.total
            if tenth > self._said and (now - self._shown > 1.0 and now - self._phase_start > 1.0):
                self._said, self._shown = tenth, now
                self._line("  " + self._text(note))

    def close(self) -> None:
        """End the current phase's line."""
        if self._live and self._name:
            sys.stderr.write("\r\x1b[K")
            spent = plain_seconds(time.monotonic() - self._phase_start)
            sys.stderr.write(f"{self._name}: {self._pace.done:,} {self._unit} in {spent}\n" if self._pace.done else f"{self._name}\n")
            sys.stderr.flush()
        self._name = ""
        self._phase_start = time.monotonic()

    def _text(self, note: str) -> str:
        pace = self._pace
        parts = [f"{self._name}: {pace.done:,}" + (f"/{pace.total:,} {self._unit} ({100 * pace.done // pace.total} %)" if pace.total else f" {self._unit}")]
        left = pace.left
        if left is not None and pace.total:
            parts.append(f"{plain_seconds(left)} left")
        if self._price:
            parts.append(f"{self._price * (time.monotonic() - self._start) / 3600:.3f} {self._currency} so far")
        return ", ".join(part for part in (*parts, note) if part)

    @staticmethod
    def _line(text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def plain_seconds(seconds: float) -> str:
    """A duration as people say it: 40 s, 3 min, 2.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def say(text: str = "") -> None:
    """A line of the result."""
    sys.stdout.write(text + "\n")


def say_next(command: str) -> None:
    """The one line that says what to do now."""
    say(f"next: {command}")


def say_json(schema: str, content: Mapping[str, Any]) -> None:
    """A result as JSON, with the name of its schema."""
    say(json.dumps({"schema": f"whytune.{schema}/1", **content}, ensure_ascii=False, indent=1, default=_plain))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns wide enough for what is in them; numbers to the right."""
    lines = [list(row) for row in rows]
    widths = [max(len(line[i]) for line in [list(head), *lines]) for i in range(len(head))]
    numeric = [bool(lines) and all(line[i][:1].isdigit() or line[i][:1] in "-+." or not line[i] for line in lines) for i in range(len(head))]
    for line in [list(head), *lines]:
        cells = [cell.rjust(width) if right else cell.ljust(width) for cell, width, right in zip(line, widths, numeric, strict=True)]
        say("  ".join(cells).rstrip())


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return str(value)

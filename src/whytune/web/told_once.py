"""A secret that is told once: held in this process's memory until the page that shows it was opened, and nowhere else.

A form answers with a redirect, so that sending it twice makes one key; the secret waits for the page it leads to. A
server that is restarted in between has forgotten it: then the key is taken back and another one made.
"""

from __future__ import annotations

import threading
import time

MOST, SECONDS = 200, 600.0


class ToldOnce:
    """Secrets by the person they are for and a name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[tuple[str, str], tuple[float, str]] = {}

    def keep(self, person: str, name: str, secret: str) -> None:
        """Hold it for that person, for ten minutes at most."""
        with self._lock:
            self._forget()
            while len(self._held) >= MOST:
                del self._held[next(iter(self._held))]
            self._held[person, name] = (time.monotonic() + SECONDS, secret)

    def take(self, person: str, name: str) -> str:
        """The secret, this one time; empty where there is none any more."""
        with self._lock:
            self._forget()
            return self._held.pop((person, name), (0.0, ""))[1]

    def _forget(self) -> None:
        now = time.monotonic()
        self._held = {place: kept for place, kept in self._held.items() if kept[0] > now}

"""How many requests may be under way, and when the next may start.

It begins at the most that was allowed, halves when the service says that it is too much, and grows back by one for each
round that goes well. It sends nothing and knows no protocol.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Throttle:
    """Used by one event loop. per_minute 0: no limit but the number of requests under way."""

    def __init__(self, most: int, per_minute: int = 0) -> None:
        self.limit = float(most)
        self.stop = asyncio.Event()
        """Set when nothing new may start; every wait ends then."""
        self._most = float(most)
        self._gap = 60 / per_minute if per_minute else 0.0
        self._busy = 0
        self._turn = asyncio.Condition()
        self._next = self._resume = self._slowed = 0.0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[float]:
        """Wait for one's turn; gives the time at which it came."""
        async with self._turn:
            await self._turn.wait_for(lambda: self._busy < int(self.limit))
            self._busy += 1
        try:
            start = max(self._next, time.monotonic())
            self._next = start + self._gap
            await self.pause(start - time.monotonic())
            while (left := self._resume - time.monotonic()) > 0 and not self.stop.is_set():
                await self.pause(left)
            yield time.monotonic()
        finally:
            self._busy -= 1
            async with self._turn:
                self._turn.notify_all()

    async def pause(self, seconds: float) -> None:
        """Sleep, unless everything stops."""
        if seconds > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), seconds)

    def went_well(self) -> None:
        """An answer came."""
        self.limit = min(self._most, self.limit + 1 / self.limit)

    def slow_down(self, began: float, seconds: float) -> None:
        """The service asks for less. began: when the request started that was told so; seconds: how long to be quiet."""
        now = time.monotonic()
        self._resume = max(self._resume, now + seconds)
        # Requests that were under way together hear it together: that is one word, not many.
        if began > self._slowed:
            self.limit = max(1.0, self.limit / 2)
            self._slowed = now

"""Server-sent events as bytes arrive: what stands in their `data`, event by event.

Chunks may end anywhere, inside a character too. Comments and other fields are skipped, several `data` lines are one event.
It opens no connection and reads no JSON: `b'data: {"a":1}\\n\\ndata: [DONE]\\n\\n'` gives `['{"a":1}', '[DONE]']`.
"""

from __future__ import annotations

import codecs
import re

LONGEST = 8 * 1024 * 1024
"""Characters of one event; what is longer is no answer of a chat service."""
_END = re.compile(r"\r\n|\n|\r")


class EventTooLong(ValueError):
    """An event does not end."""


class Events:
    """Give it bytes by `feed`, at last call `close`. UnicodeDecodeError and EventTooLong are ValueErrors."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("strict")
        self._line = ""
        self._searched = 0
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[str]:
        """The events that end in this chunk."""
        return self._read(self._decoder.decode(chunk))

    def close(self) -> list[str]:
        """The event that the last bytes leave open: some services end without the empty line."""
        found = self._read(self._decoder.decode(b"", final=True), last=True)
        if self._line:
            self._take(self._line)
            self._line = ""
        return found + self._dispatch()

    def _read(self, text: str, last: bool = False) -> list[str]:
        self._line += text
        self._size += len(text)
        found: list[str] = []
        at = 0
        while end := _END.search(self._line, max(at, self._searched)):
            if end[0] == "\r" and end.end() == len(self._line) and not last:
                break  # its line feed may come with the next chunk
            line, at = self._line[at : end.start()], end.end()
            self._searched = at
            if line:
                self._take(line)
            else:
                found += self._dispatch()
        self._line = self._line[at:]
        self._searched = len(self._line) - self._line.endswith("\r")
        if self._size > LONGEST:
            raise EventTooLong(f"an event of more than {LONGEST} characters")
        return found

    def _take(self, line: str) -> None:
        field, _, value = line.partition(":")
        if field == "data":
            self._data.append(value.removeprefix(" "))

    def _dispatch(self) -> list[str]:
        data, self._data, self._size = self._data, [], 0
        return ["\n".join(data)] if data else []

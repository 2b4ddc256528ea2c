"""What a conversation on a terminal needs: single keys in, hostile text out.

On a terminal one key is one answer; from a pipe one line is, so that a script can review too. Text of models and files
is shown with its control characters spelled out: `\\x1b[2J` is seen, not obeyed.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

KEPT = "\n\t\u200c\u200d"
"""Line breaks, and the joiners that Persian, Hindi and composed emoji are written with."""
QUIT = "q"


def visible(text: str) -> str:
    """The text with every character that could act on the terminal, turn the writing round or hide, spelled out."""
    return "".join(_spelled(character) for character in text)


def _spelled(character: str) -> str:
    if character in KEPT or unicodedata.category(character)[0] not in "C":
        return character if character not in "\u2028\u2029" else "\\u2028"
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


class Keys:
    """Answers of a person, one key each on a terminal. lines: read whole lines there too (keys of several characters)."""

    def __init__(self, *, lines: bool = False) -> None:
        self.single = sys.stdin.isatty() and not lines

    def read(self, prompt: str) -> str:
        """The next key or line, `q` at the end of the input."""
        sys.stdout.write(prompt)
        sys.stdout.flush()
        if self.single:
            with _one_by_one():
                key = sys.stdin.read(1)
            if key in ("\x03", ""):
                raise KeyboardInterrupt
            key = QUIT if key == "\x04" else key
            sys.stdout.write(f"{visible(key)}\n")
            return key
        line = sys.stdin.readline()
        return line.strip() if line else QUIT

    def line(self, prompt: str) -> str:
        """A whole line; empty where the person changed their mind."""
        sys.stdout.write(prompt)
        sys.stdout.flush()
        return sys.stdin.readline().strip()


@contextmanager
def _one_by_one() -> Iterator[None]:
    """The terminal hands over each key at once, and is put back however the block is left."""
    import termios
    import tty

    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    try:
        # Not at once (the default): that would throw away what a quick person has typed ahead.
        tty.setcbreak(number, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)

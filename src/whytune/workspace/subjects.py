"""Who or what is to be erased, and whether a text speaks of it. Pure: it opens nothing.

A subject is a text: an address, a name, a customer's or conversation's id. It is found as a whole, not as part of a
longer word, whatever the case, the spacing or the Unicode form: `person@example.org` is not found in
`joperson@example.org`, and `Anna  MUSTER` is found by `Anna Muster`. Somebody who is only meant ("the customer from
Chur") is not found: that takes a person who reads.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

from whytune.errors import UsageError

SHORTEST = 3
"""Characters; a shorter subject would be found everywhere."""
ACTORS = frozenset({"person", "author", "by", "reviewers", "owners", "excluded", "consumer", "roles"})
"""Fields that say who did something. The ledger answers for them; they are not content about somebody."""


class Sought:
    """One subject, to be looked for in many texts."""

    def __init__(self, text: str) -> None:
        words = _folded(text).split()
        if len("".join(words)) < SHORTEST:
            raise UsageError(
                f"The subject {text!r} is too short: it would be found in texts that do not speak of it",
                next=f"name it by at least {SHORTEST} characters, as in: whytune erase person@example.org --dry-run",
            )
        self.given, self.text = text.strip(), " ".join(words)
        # A dot, plus or hyphen beside an address belongs to a longer one; beside a name it is punctuation.
        before, after = (r"(?<![\w.+-])", r"(?![\w-]|\.\w)") if "@" in text else (r"(?<!\w)", r"(?!\w)")
        self._pattern = re.compile(before + r"\s+".join(map(re.escape, words)) + after)
        longest = max(words, key=len)
        # JSON spells some signs otherwise; then every line is parsed, which is slower and as right.
        self._hint = longest if json.dumps(longest, ensure_ascii=False) == f'"{longest}"' else ""

    def in_text(self, text: str) -> bool:
        """Whether a plain text speaks of it."""
        return self._pattern.search(_folded(text)) is not None

    def in_json(self, line: str) -> bool:
        """Whether a JSON value speaks of it, in any of its texts, names or whole numbers but those that say who acted."""
        if self._hint and "\\u" not in line and self._hint not in _folded(line):
            return False
        try:
            return self._walk(json.loads(line))
        except ValueError:
            return self.in_text(line)

    def _walk(self, value: Any) -> bool:
        if isinstance(value, str):
            return self.in_text(value) or (value[:1] in "{[" and value != "" and self.in_json(value))
        if isinstance(value, dict):
            return any(name not in ACTORS and (self.in_text(name) or self._walk(inner)) for name, inner in value.items())
        if isinstance(value, list):
            return any(self._walk(inner) for inner in value)
        return isinstance(value, int) and not isinstance(value, bool) and self.in_text(str(value))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()

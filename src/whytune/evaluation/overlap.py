"""How far two texts agree by their words and letters: ROUGE, chrF, containment, compression, unsupported claims.

Our own ROUGE, because the usual one drops every letter outside a-z and calls identical Chinese texts 0. Plain
F-measures without stemming. It does not know what a text means.
Example: `rouge_n(["the", "cat"], ["the", "dog"], 1)` is 0.5.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Sequence

from whytune.evaluation.words import NUMBER_WORDS, STOPWORDS, folded, numbers, words

CHRF_ORDER = 6
CHRF_BETA = 2.0
_NAME = re.compile(r"[^\W\d_][\w'’&-]*")
_SENTENCE_ENDS = frozenset('.!?:;"“”([')


def rouge_n(wanted: Sequence[str], said: Sequence[str], n: int) -> float:
    """F1 of shared runs of n words."""
    one, two = _runs(wanted, n), _runs(said, n)
    shared, total = sum((one & two).values()), one.total() + two.total()
    return 2 * shared / total if one and two else 0.0


def rouge_l(wanted: Sequence[str], said: Sequence[str]) -> float:
    """F1 of the longest sequence of words that stands in both, gaps allowed."""
    from rapidfuzz.distance import LCSseq

    if not wanted or not said:
        return 0.0
    return 2 * LCSseq.similarity(wanted, said) / (len(wanted) + len(said))


def chrf(wanted: str, said: str) -> float:
    """chrF2 between 0 and 1: F of shared runs of 1 to 6 characters, recall counting double; blanks left out."""
    one, two = "".join(wanted.split()), "".join(said.split())
    precision = recall = 0.0
    orders = 0
    for n in range(1, CHRF_ORDER + 1):
        in_one, in_two = _runs(one, n), _runs(two, n)
        if in_one and in_two:
            shared = sum((in_one & in_two).values())
            precision += shared / in_two.total()
            recall += shared / in_one.total()
            orders += 1
    if not precision + recall:
        return 0.0
    precision, recall = precision / orders, recall / orders
    return (1 + CHRF_BETA**2) * precision * recall / (CHRF_BETA**2 * precision + recall)


def contains(wanted: Sequence[str], said: Sequence[str]) -> bool:
    """Whether the words of `wanted` stand in `said` one after the other."""
    size = len(wanted)
    return bool(size) and any(list(said[i : i + size]) == list(wanted) for i in range(len(said) - size + 1))


def compression(source: Sequence[str], said: Sequence[str]) -> float:
    """Words of the answer for each word of the source, at most 1."""
    return min(1.0, len(said) / len(source)) if source else 0.0


def claims(text: str) -> list[str]:
    """What can be checked by eye: the numbers in digits and the names of a text, in order.

    A name is a word with a capital letter that is not the first of its sentence, or one all in capitals; scripts without
    capitals have numbers only.
    """
    return [*_digits(text), *_names(text)]


def unsupported(sources: Sequence[str], answer: str) -> tuple[float, list[str]]:
    """The share of the answer's numbers and names that stand in no source, and which; 0 where it claims none."""
    said = claims(answer)
    known = {word for source in sources for word in words(source)} | {
        number for source in sources for number in numbers(source)
    }
    strange = [claim for claim in said if claim not in known and not set(words(claim)) <= known]
    return (len(strange) / len(said) if said else 0.0), strange


def _digits(text: str) -> list[str]:
    """Numbers that are written in digits: "one" and "the two" claim nothing."""
    spelled = Counter(NUMBER_WORDS[word] for word in words(text) if word in NUMBER_WORDS)
    return list((Counter(numbers(text)) - spelled).elements())


def _names(text: str) -> list[str]:
    found = []
    for match in _NAME.finditer(text):
        word = match.group().removesuffix("'s").removesuffix("’s")
        if not word[0].isupper() or folded(word) in STOPWORDS:
            continue
        before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()].rstrip()
        first = not before.strip("#*>- \t") or before[-1] in _SENTENCE_ENDS
        if not first or (len(word) > 1 and word.isupper()):
            found.append(folded(word))
    return found


def _runs(items: Sequence[str], n: int) -> Counter[Hashable]:
    """Runs of n neighbours: of words as tuples, of characters as strings, which count faster."""
    runs = (items[i : i + n] for i in range(len(items) - n + 1))
    return Counter(runs) if isinstance(items, str) else Counter(map(tuple, runs))

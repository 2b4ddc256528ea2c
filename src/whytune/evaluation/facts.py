"""Whether a short answer states the facts of the reference: 1 or 0, the metric that decides question answering.

The rule, in order:

1. The reference says that it does not know (see `ABSTENTIONS`): right when the answer says so too.
2. *New facts* are the words and numbers of the reference that do not stand in the question and are not stopwords. Words
   are compared folded and as light stems (right-handed = Right Handed, centuries = century), numbers by value
   (1,000 = 1000 = 1000.0; two = 2; 10:00 a.m. = 10 am).
3. Every new fact must stand in the answer, in any order; e-mail = email.
4. If a new fact is a number, the answer may name no number that stands in neither reference nor question: "40 or maybe
   45" is wrong where 40 is right. (The word "one" alone is not held against an answer.)
5. Yes and no must agree. Where both begin with yes or no, those are compared; otherwise an answer that denies (no, not,
   never, ...) what the reference affirms is wrong, and the other way round. Not asked where the question itself denies.
6. If the reference brings nothing new: where it begins with yes or no, the answer must agree with it (5) and either say
   yes or no or share a word with question or reference; otherwise it must be the same words, or share them with an F1
   of at least 0.6.

It does not read word order, negation of a part, or synonyms; a long reference asks for every one of its new words.
Example: question "How many runs has Ann scored?", reference "Ann has scored 1,000 runs.": "1000" is right, "1000, or 900" not.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

from whytune.evaluation.words import NEGATIONS, STOPWORDS, folded, is_number, squeezed, tokens, words

SAME_ENOUGH = 0.6
ABSTENTIONS = (
    r"\b(?:i|we) (?:do not|don't|dont) (?:know|have (?:enough |any |that |the |this )*(?:information|details|data))",
    r"\b(?:i am|i'm|we are) (?:not sure|unsure|unable to|not able to|sorry,? but i)",
    r"\b(?:i|we) (?:cannot|can't|can not|could not|couldn't) (?:answer|find|say|tell|determine|provide|help)",
    r"\b(?:is|are|was|were) not (?:mentioned|stated|specified|given|provided|available|known|found) (?:in|by) (?:the|this|these|any|our)\b",
    r"\b(?:passages?|documents?|texts?|context|sources?) (?:do|does) ?(?:not|n't) (?:say|mention|state|tell|contain|provide|specify|include)",
    r"\bno (?:information|answer|mention|details?|data) (?:is |are |was |were )?(?:available|given|provided|about|on|in|of|found)",
    r"\b(?:cannot|can't) be (?:answered|determined|found)",
    r"^\s*(?:unknown|not (?:mentioned|stated|specified|known|available)|no answer|n/?a|unanswerable)\W*$",
)
_ABSTAINS = re.compile("|".join(ABSTENTIONS))


def abstains(text: str) -> bool:
    """Whether a text says that it does not know."""
    return bool(_ABSTAINS.search(folded(text)))


def states_facts(question: str, reference: str, answer: str) -> tuple[bool, str]:
    """Whether the answer states the reference's facts, and why not."""
    if abstains(reference):
        return (True, "") if abstains(answer) else (False, "should have said that it does not know")
    if not words(answer):
        return False, "no words"
    asked, wanted, said = tokens(question), tokens(reference), tokens(answer)
    if not _agrees(question, reference, answer):
        return False, "says the opposite"
    new = new_facts(question, reference)
    if not new:
        return _nothing_new(question, reference, answer)
    here = (
        set(said)
        | {one + two for one, two in pairwise(said)}
        | {one + two for one, two in pairwise(words(answer))}
    )
    joined = {half: one + two for one, two in pairwise(wanted) for half in (one, two)}
    missing = [fact for fact in new if fact not in here and joined.get(fact) not in here]
    if missing:
        return False, "lacks " + ", ".join(missing)
    if any(is_number(fact) for fact in new):
        known = {*asked, *wanted} | ({"1"} if "one" in words(answer) else set())
        strange = [token for token in said if is_number(token) and token not in known]
        if strange:
            return False, "also says " + ", ".join(strange)
    return True, ""


def new_facts(question: str, reference: str) -> tuple[str, ...]:
    """The words and numbers of the reference that do not already stand in the question, once each, in order.

    A number that the reference names more often than the question is new ("4 wickets, 4 times").
    """
    asked, wanted = Counter(tokens(question)), tokens(reference)
    often = Counter(wanted)
    return tuple(
        dict.fromkeys(
            token
            for token in wanted
            if (often[token] > asked[token] if is_number(token) else token not in asked)
            and token not in STOPWORDS
            and token not in NEGATIONS
        )
    )


def token_f1(wanted: list[str], said: list[str]) -> float:
    """F1 of the words two texts share, each counted as often as it stands."""
    shared = sum((Counter(wanted) & Counter(said)).values())
    return 2 * shared / (len(wanted) + len(said)) if wanted or said else 1.0


def _nothing_new(question: str, reference: str, answer: str) -> tuple[bool, str]:
    asked, wanted, said = (
        [t for t in tokens(text) if t not in STOPWORDS] for text in (question, reference, answer)
    )
    if _leading(reference) is not None:
        # Yes and no agree already; what remains is that the answer is one to this question.
        to_the_point = _leading(answer) is not None or not {*asked, *wanted}.isdisjoint(said)
        return (True, "") if to_the_point else (False, "neither yes nor no")
    if squeezed(reference) == squeezed(answer) or (wanted and token_f1(wanted, said) >= SAME_ENOUGH):
        return True, ""
    return False, "not the same words"


def _leading(text: str) -> bool | None:
    """True where a text begins with yes, False where with a no that stands alone ("No fee" does not), else None."""
    if re.match(r"\W*yes\b", text, re.IGNORECASE):
        return True
    return False if re.match(r"\W*no\s*(?:[^\w\s]|$)(?!\s*\d)", text, re.IGNORECASE) else None


def _agrees(question: str, reference: str, answer: str) -> bool:
    """Whether two texts both affirm or both deny, by their leading yes or no, or by their words of negation."""
    lead, lead_said = _leading(reference), _leading(answer)
    if lead is not None and lead_said is not None:
        return lead == lead_said
    if lead is None and not NEGATIONS.isdisjoint(tokens(question)):
        return True
    negated, negated_said = (not NEGATIONS.isdisjoint(tokens(text)) for text in (reference, answer))
    affirms = lead if lead is not None else not negated
    affirms_said = lead_said if lead_said is not None else not negated_said
    return negated == negated_said or affirms == affirms_said

"""What reviewers are asked, and which keys answer it; one form for each purpose.

Keys u, q, s, e and ? are taken by the doors: undo, quit, skip, edit, guideline.
"""

from __future__ import annotations

from collections.abc import Sequence

from whytune.errors import UsageError
from whytune.records.review import Form, Purpose, VerdictChoice

GOOD, BAD, TIE, BOTH_BAD = "good", "bad", "tie", "both_bad"
LEFT, RIGHT = "a", "b"
FIRST, SECOND = "first", "second"
STEPS = ("unusable", "poor", "fair", "good", "excellent")
GUIDELINES: dict[Purpose, str] = {
    "rows": (
        "A row is right when the answer is what we would want the model to say to exactly this input: true, complete, in the "
        "wanted form, and fit to be seen by anybody. It is wrong when any of this fails, or when it holds something private. "
        "Where you can, correct it with e. Where you cannot tell, skip it with s."
    ),
    "labels": "Choose the one label that fits the input best, by your own reading. The label on file is not shown to you.",
    "pairs": (
        "Which answer would you send? Judge what is said, not how long it is. Tie: you would send either. Both unusable: you "
        "would send neither. The order is random and you cannot see where an answer comes from."
    ),
    "rubric": "1 unusable, 2 poor, 3 fair, 4 good, 5 excellent. Judge each answer on its own: is it right, complete and fit to send?",
}


def form_for(purpose: Purpose, labels: Sequence[str] = ()) -> Form:
    """The form of a purpose. Raises UsageError where a label round has no labels to choose from."""
    if purpose == "rows":
        right, wrong = VerdictChoice(key="y", verdict=GOOD, title="right"), VerdictChoice(key="n", verdict=BAD, title="wrong")
        return Form(name=purpose, question="Would you train on this row?", choices=(right, wrong), editable=("input", "target"))
    if purpose == "labels":
        if len(labels) < 2:
            raise UsageError("This dataset has no set of labels to choose from", next="whytune review open PROJECT --rows")
        chosen = tuple(VerdictChoice(key=str(number), verdict=label, title=label) for number, label in enumerate(labels, 1))
        return Form(name=purpose, question="Which label fits?", choices=chosen)
    if purpose == "pairs":
        choices = (
            VerdictChoice(key="a", verdict=LEFT, title="A is better"), VerdictChoice(key="b", verdict=RIGHT, title="B is better"),
            VerdictChoice(key="t", verdict=TIE, title="tie"), VerdictChoice(key="x", verdict=BOTH_BAD, title="both unusable"),
        )  # fmt: skip
        return Form(name=purpose, question="Which answer would you send?", choices=choices)
    steps = tuple(VerdictChoice(key=str(n), verdict=str(n), title=title, score=(n - 1) / (len(STEPS) - 1)) for n, title in enumerate(STEPS, 1))
    return Form(name=purpose, question="How good is this answer?", choices=steps)

"""The leaderboard as values: one line for each submitted trial, one board for each dataset version. It is worked out when
it is asked for, from records; it is not kept.

Boards of different versions stand apart: their test sets are not the same, so their lines are not comparable.
"""

from __future__ import annotations

from typing import Literal

from whytune.records.data import SplitName
from whytune.records.evidence import Measure
from whytune.records.record import Value

Compared = Literal["compared", "superseded", "not comparable"]


class HumanStanding(Value):
    """What people preferred, blind: this candidate against another."""

    against: str
    """The other candidate's arm."""
    preference: Measure
    """Share of decisive votes for this candidate."""
    alpha: Measure | None
    """Krippendorff's alpha of the votes; None where nothing was judged twice."""
    conclusion: str


class BoardLine(Value):
    """One trial. Nothing is left out: a line that cannot be compared says why."""

    trial: str
    candidate: str
    arm: str
    metric: Measure
    state: Compared = "compared"
    why: str = ""
    """Why it is not compared."""
    group: str = ""
    """Letters of the tie groups it belongs to: two lines that share a letter are not proven to differ."""
    with_best: bool = False
    """Whether it is not proven to be worse than the line with the highest figure."""
    incumbent: bool = False
    difference: Measure | None = None
    """To the incumbent; None for the incumbent itself."""
    p_holm: float | None = None
    """Corrected over the comparisons with the incumbent."""
    unscored: float = 0.0
    """Share of items without a scored answer (invalid, empty, error); they count as wrong."""
    human: tuple[HumanStanding, ...] = ()
    responsible: dict[str, str] = {}
    """Dimension of the newest responsible-AI report to its status today; empty where there is none."""
    retrieval: tuple[Measure, ...] = ()
    """hit@k, recall@k and MRR over the items whose documents are known; empty without search."""
    cost_per_1000: float
    cost_per_right: float | None = None
    """Cost of one answer divided by the metric; None where the metric is 0."""
    p95_seconds: float | None = None
    """95 of 100 answers took at most that long, as batched; None where no answer was given."""
    training_hours: float = 0.0
    base: str = ""
    licence: str = ""
    replace_by: str = ""
    """Date by which its adapter must be replaced, because somebody it was trained on was erased; empty: no need."""
    release: str = ""
    """`project/number` of a release that runs this candidate."""


class Board(Value):
    """All trials of one dataset version on one split, best figure first; what is not compared stands at the end."""

    project: str
    dataset: str
    number: int
    newest: bool
    """Whether this is the project's newest version."""
    same_test: bool
    """Whether its test rows are the newest version's, so that its lines can be read beside those."""
    split: SplitName
    metric: str
    n: int
    clusters: int
    looks: int
    """How often this test set was opened, all candidates and all versions that hold it together."""
    smallest_difference: float | None
    """Smallest difference that a paired test on this many items can prove (80 % power)."""
    currency: str
    confidence: float
    incumbent_by: str
    """How the incumbent was found: the alias champion, or the simplest arm."""
    lines: tuple[BoardLine, ...]
    erased: int = 0
    """Rows of this version that were erased since."""

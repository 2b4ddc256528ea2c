"""Create dataset by a model that the user names: passages go to an endpoint, verified questions and answers come back as a proposal.

Replies are kept as they come, so a run that was killed asks only for what is missing. The bundled small model is no author:
it was measured to write no usable row. Passages of documents that the test set asks about are never sent.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from whytune.datasets import synthesis
from whytune.datasets.cleaning import lot
from whytune.errors import RefusedError, UsageError
from whytune.jobs.progress import Progress
from whytune.records.candidate import Decoding
from whytune.records.data import Document, Passage
from whytune.records.evidence import Answer
from whytune.records.proposal import AcceptedRows, Proposal, Span
from whytune.records.record import canonical_json, digest
from whytune.workspace import bases, proposing
from whytune.workspace.creating import SplitRow

if TYPE_CHECKING:
    from whytune.answering.backends.protocol import Completion
    from whytune.records.data import Dataset
    from whytune.workspace.project import Project

TASKS = ("qna", "chat")
TOKENS_A_ROW = 160
"""Most tokens of a written row; the worst case that the cost cap counts with."""
BATCH = 16
_TOO_SMALL = re.compile(r"smollm2?[-_ ]?135m", re.IGNORECASE)


@dataclass(frozen=True)
class SynthesisOrder:
    """What is asked of whom. max_cost is in the currency of the project's prices; 0 sets no cap where the service costs nothing."""

    endpoint: str
    model: str
    per_passage: int = 3
    limit: int = 200
    max_cost: float = 0.0
    key_env: str = ""
    seed: int = 17


@dataclass
class SynthesisRun:
    """What came out so far."""

    rows: list[tuple[Passage, synthesis.Written]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    reused: int = 0
    cost: float = 0.0
    stopped: str = ""


@dataclass(frozen=True)
class SynthesisPlan:
    """What would be sent: passages that may be asked about, in their order, and the most that it can cost."""

    passages: list[Passage]
    sealed: int
    """Documents that are left out because the test set asks about them, or nearly the same text."""
    restricted: int
    """Documents that are left out because not everybody may read them: what is written about them would be a way around it."""
    unknown: int
    """Test rows whose document is not known: rows like them are only found by what they say."""
    most_cost: float
    currency: str


def plan(project: Project, order: SynthesisOrder) -> SynthesisPlan:
    """What may be asked about. Raises UsageError or RefusedError with every reason why nothing may."""
    _check(project, order)
    if project.latest_dataset is None:
        project.run(until="data")  # the test set comes first, so that nothing is made from what it asks
    made = project.dataset
    if not made.documents:
        raise RefusedError("There are no documents to write questions about", next="name them under [data] documents in whytune.toml")
    from whytune.answering.retrieval.passages import cut

    store = project.workspace.store
    test = [row.example for row in store.read_pack(made.rows, SplitRow) if row.split == "test"]
    documents = list(store.read_pack(made.documents, Document))
    sealed = synthesis.test_side(documents, (id for example in test for id in example.evidence))
    how = project.file.retrieval
    restricted = {document.id for document in documents if document.access and not set(document.access) & set(how.access)}
    passages = [
        passage for document in documents if document.id not in sealed | restricted for passage in cut(document, words=how.words, overlap=0) if len(passage.text.split()) >= 8
    ]  # fmt: skip
    passages.sort(key=lambda passage: lot(order.seed, passage.id))
    if not passages:
        told = [f"{len(sealed):,} documents hold the answer to a test row", f"{len(restricted):,} may not be read by everybody"]
        raise RefusedError("No document is left to write about", problems=told, next="bring more documents: rows are only written about what the test set does not ask")
    needed = passages[: max(1, -(-order.limit // order.per_passage))]
    cost = sum(_worst(project, order, passage) for passage in needed)
    return SynthesisPlan(passages, len(sealed), len(restricted), sum(not example.evidence for example in test), cost, project.file.prices.currency)


def synthesize(project: Project, order: SynthesisOrder, progress: Progress) -> tuple[Proposal, SynthesisRun]:
    """Ask, verify, leave out what another row asks, propose. Raises RefusedError where nothing stands."""
    planned = plan(project, order)
    made = project.dataset
    known = _known(project, made)
    found = SynthesisRun()
    author = _Author(project, order, made, progress)
    if not bases.is_near(order.endpoint):
        progress.phase(f"passages leave this machine: they are sent to {urlsplit(order.endpoint).hostname}", 0)
    progress.phase("writing rows", order.limit, "rows")
    waiting = list(planned.passages)
    while waiting and len(found.rows) < order.limit and not found.stopped:
        wanted = max(1, min(BATCH, -(-(order.limit - len(found.rows)) // order.per_passage)))
        batch, waiting = waiting[:wanted], waiting[wanted:]
        new = author.ask(batch, found)
        gone = synthesis.sifted([row.question for _, row in new], [*known, *(row.question for _, row in found.rows)])
        found.left_out.update(gone.values())
        kept = [one for place, one in enumerate(new) if place not in gone][: order.limit - len(found.rows)]
        found.rows += kept
        progress.advance(len(kept), f"{found.cost:.3f} {planned.currency}")
    told = [f"{found.asked + found.reused:,} passages asked of {order.model}, {found.cost:.4f} {planned.currency}"]
    told += [f"{count:,} rows left out: {synthesis.REASONS.get(reason, reason)}" for reason, count in sorted(found.left_out.items())]
    if not found.rows:
        raise RefusedError("No row that was written stands", problems=[*told, *([found.stopped] if found.stopped else [])], next="use a larger model, or templates: whytune data create")
    return proposing.propose(project, "synthesis", _rows(order, found), told), found


class _Author:
    """Asks the endpoint, keeps each reply at once, and never spends beyond the cap."""

    def __init__(self, project: Project, order: SynthesisOrder, made: Dataset, progress: Progress) -> None:
        from whytune.answering.backends.endpoint import EndpointBackend

        self.project, self.order, self.progress = project, order, progress
        self.backend = EndpointBackend(order.endpoint, order.model, order.key_env, project.file.model.concurrency, project.file.model.timeout)
        content = {"endpoint": order.endpoint, "model": order.model, "prompt": synthesis.PROMPT_VERSION, "rows": order.per_passage, "documents": made.documents}
        self.job = f"synthesis:{digest(canonical_json(content))}"

    def ask(self, passages: Sequence[Passage], found: SynthesisRun) -> list[tuple[Passage, synthesis.Written]]:
        """The rows that stand of these passages; `found` is told what was spent and what was left out."""
        from whytune.answering.backends.protocol import Schema

        store = self.project.workspace.store
        held = store.answers(self.job, [passage.id for passage in passages])
        found.reused += len(held)
        found.cost += sum(_cost(self.project, answer.tokens_in, answer.tokens_out) for answer in held.values())
        missing = self._affordable([passage for passage in passages if passage.id not in held], found)
        if missing:

            def keep(batch: list[tuple[int, Completion]]) -> None:
                for place, done in batch:
                    found.asked += 1
                    found.cost += _cost(self.project, done.tokens_in, done.tokens_out)
                    if done.error:
                        found.left_out["no_reply"] += 1
                        continue
                    answer = Answer(
                        candidate=self.job, item=missing[place].id, text=done.text, tokens_in=done.tokens_in, tokens_computed=done.tokens_computed,
                        tokens_out=done.tokens_out, seconds=done.seconds,
                    )  # fmt: skip
                    store.put_answers([answer])
                    held[answer.item] = answer

            decoding = Decoding(max_new_tokens=TOKENS_A_ROW * self.order.per_passage)
            self.backend.complete([synthesis.chat(one, self.order.per_passage) for one in missing], decoding, Schema(synthesis.SCHEMA), keep)
        rows: list[tuple[Passage, synthesis.Written]] = []
        for passage in passages:
            if passage.id in held:
                made, reasons = synthesis.read(held[passage.id].text, passage, self.order.per_passage)
                found.left_out.update(reasons)
                rows += [(passage, row) for row in made]
        return rows

    def _affordable(self, passages: list[Passage], found: SynthesisRun) -> list[Passage]:
        if not self.order.max_cost:
            return passages
        spent, kept = found.cost, []
        for passage in passages:
            spent += _worst(self.project, self.order, passage)
            if spent > self.order.max_cost:
                found.stopped = f"stopped before the next request could go beyond {self.order.max_cost:g} {self.project.file.prices.currency}"
                break
            kept.append(passage)
        return kept


def _check(project: Project, order: SynthesisOrder) -> None:
    prices, near = project.file.prices, bases.is_near(order.endpoint)
    problems = [] if order.endpoint.startswith(("http://", "https://")) else [f"endpoint is {order.endpoint!r}: an address such as http://localhost:8000/v1"]
    problems += [] if order.model else ["no model is named"]
    problems += [f"{name} is {getattr(order, name)}: at least 1" for name in ("per_passage", "limit") if getattr(order, name) < 1]
    problems += [f"max cost is {order.max_cost}: 0 or more"] if order.max_cost < 0 else []
    if project.task.name not in TASKS:
        problems.append(f"rows written from passages are questions and answers; the task is {project.task.name}, not {' or '.join(TASKS)}")
    if not near and not (prices.input_million or prices.output_million):
        problems.append("the service's prices are 0, so its cost cannot be capped: set input_million and output_million under [prices]")
    if not near and not order.max_cost:
        problems.append("no cap on the cost: give --max-cost")
    if problems:
        raise UsageError("Rows cannot be written like this", problems=problems, next="whytune data synthesize --help")
    if _TOO_SMALL.search(order.model):
        raise RefusedError(
            f"{order.model} is too small to write training data: a model of that size was measured to write no usable row",
            next="name a larger model at your own endpoint, or use templates: whytune data create",
        )
    if project.file.circumstances.no_egress and not near:
        raise RefusedError("Data may not leave this machine or network", where="[circumstances] no_egress", next="use an endpoint on this machine or network, or templates")


def _worst(project: Project, order: SynthesisOrder, passage: Passage) -> float:
    asked = sum(len(message.text) for message in synthesis.chat(passage, order.per_passage))
    return _cost(project, asked // 3 + 20, TOKENS_A_ROW * order.per_passage)


def _cost(project: Project, tokens_in: int, tokens_out: int) -> float:
    prices = project.file.prices
    return (tokens_in * prices.input_million + tokens_out * prices.output_million) / 1e6


def _known(project: Project, made: Dataset) -> list[str]:
    """What is asked already: in the dataset, test included, and in rows that are proposed or accepted."""
    store = project.workspace.store
    known = [row.example.input_text for row in store.read_pack(made.rows, SplitRow)]
    for proposal in proposing.open_ones(project):
        known += [row.input for row in proposing.rows_of(project, proposal)]
    for accepted in project.records(AcceptedRows):
        known += [row["input"] for row in store.read_pack(accepted.rows)]
    return list(dict.fromkeys(known))


def _rows(order: SynthesisOrder, found: SynthesisRun) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for passage, row in found.rows:
        span = Span(document=passage.document, title=passage.title, start=row.start, end=row.end, quote=row.quote)
        provenance = {
            "generator": "endpoint", "service": urlsplit(order.endpoint).hostname or "", "model": order.model, "prompt": synthesis.PROMPT_VERSION,
            "seed": str(order.seed), "temperature": "0", "passage": passage.id,
        }  # fmt: skip
        rows.append(
            {"input": row.question, "target": row.answer, "group": passage.document, "evidence": (passage.document,), "spans": (span,), "provenance": provenance}
        )
    return rows

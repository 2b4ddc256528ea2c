"""From a candidate and examples to answers: shots chosen, passages found, prompts put together, the backend asked.

The one path for every arm, for trials and for whoever asks later. Finished batches are handed to `done` as they come, so
what is stored survives a kill and a second call is given only what is missing. An item that cannot be answered is an
Answer with its error; nothing is dropped. Example:
`Answerer(backend, TASKS["qna"], retriever=retriever).answer(candidate, examples, done=store.put_answers, progress=Silent())`
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from whytune.answering.backends.protocol import Backend, Chat, Completion, Constraint, Labels, Schema
from whytune.answering.neighbours import Neighbours
from whytune.answering.rendering import chat
from whytune.errors import NotFoundError, UsageError
from whytune.jobs.progress import Progress
from whytune.records.candidate import Candidate, Retrieval
from whytune.records.data import Example, Passage
from whytune.records.evidence import Answer
from whytune.records.record import short
from whytune.tasks import Task


class Finder(Protocol):
    """Finds passages; `Retriever` is one."""

    def prepare(self, queries: Sequence[str], retrieval: Retrieval) -> None:
        """Many queries are about to come."""

    def find(
        self, query: str, retrieval: Retrieval, evidence: tuple[str, ...] = (), *, answer: str = ""
    ) -> list[Passage]:
        """The passages to hand over."""


@dataclass(frozen=True)
class PreparedChat:
    """What a model is handed for one item, and the passages in it."""

    chat: Chat
    passages: tuple[Passage, ...]
    constraint: Constraint


class Answerer:
    """Answers for one task by one backend. pool: training rows that shots may be taken from, never others."""

    def __init__(
        self,
        backend: Backend,
        task: Task,
        labels: tuple[str, ...] = (),
        fields: tuple[str, ...] = (),
        retriever: Finder | None = None,
        pool: Sequence[Example] = (),
    ) -> None:
        self.backend = backend
        self.task = task
        self.labels = labels
        self.fields = fields
        self.retriever = retriever
        self.pool = tuple(pool)
        self._by_id = {example.id: example for example in self.pool}
        self._neighbours: Neighbours | None = None

    def answer(
        self,
        candidate: Candidate,
        examples: Sequence[Example],
        *,
        done: Callable[[list[Answer]], None],
        progress: Progress,
    ) -> None:
        """Every example answered once; `done` is given each batch before progress is told of it."""
        constraint = self.constraint(candidate)
        handed = self._passages(candidate, examples)
        shots = self._shots(candidate, examples)
        chats: list[Chat] = [
            chat(candidate.prompt, example.messages, passages, shown)
            for example, passages, shown in zip(examples, handed, shots, strict=True)
        ]

        def keep(batch: list[tuple[int, Completion]]) -> None:
            done([_answer(candidate, examples[number], handed[number], said) for number, said in batch])
            progress.advance(len(batch))

        self.backend.complete(chats, candidate.prompt.decoding, constraint, keep)

    def constraint(self, candidate: Candidate) -> Constraint:
        """What may come out, by the task and by whether the candidate's decoding is constrained."""
        if not candidate.prompt.decoding.constrained or self.task.constraint == "none":
            return None
        if self.task.constraint == "labels":
            if not self.labels:
                raise UsageError(
                    f"Constrained answers for {self.task.name} need the label set", next="give the dataset's labels"
                )
            return Labels(self.labels)
        if not self.fields:
            raise UsageError(
                f"Constrained answers for {self.task.name} need the field names", next="give the dataset's fields"
            )
        return Schema(fields_schema(self.fields))

    def chat(self, candidate: Candidate, example: Example) -> Chat:
        """The prompt of one item, exactly as it would be answered; for people who want to see it."""
        return self.prepared(candidate, example).chat

    def prepared(self, candidate: Candidate, example: Example) -> PreparedChat:
        """One item ready to be answered, for whoever hands it to a model in their own time."""
        (passages,) = self._passages(candidate, [example])
        (shots,) = self._shots(candidate, [example])
        made = chat(candidate.prompt, example.messages, passages, shots)
        return PreparedChat(made, tuple(passages), self.constraint(candidate))

    def _passages(self, candidate: Candidate, examples: Sequence[Example]) -> list[list[Passage]]:
        retrieval = candidate.retrieval
        if retrieval is None:
            return [[] for _ in examples]
        if self.retriever is None:
            raise UsageError("This candidate is handed passages, and there is no index", next="give a retriever")
        self.retriever.prepare([example.input_text for example in examples], retrieval)
        if retrieval.how != "oracle":
            return [self.retriever.find(example.input_text, retrieval) for example in examples]
        # Only the oracle arm may know where the answer stands.
        return [
            self.retriever.find(example.input_text, retrieval, example.evidence, answer=example.target_text)
            for example in examples
        ]

    def _shots(self, candidate: Candidate, examples: Sequence[Example]) -> list[list[Example]]:
        prompt = candidate.prompt
        missing = [shot for shot in prompt.shots if shot not in self._by_id]
        if missing:
            raise NotFoundError(
                f"{len(missing)} of the prompt's {len(prompt.shots)} shots are not among the training rows",
                problems=[short(shot) for shot in missing[:5]],
                next="give the dataset that they were taken from as the pool",
            )
        fixed = [self._by_id[shot] for shot in prompt.shots]
        if not prompt.nearest:
            return [fixed for _ in examples]
        if not self.pool:
            raise UsageError("Nearest training rows are asked for, and there are none", next="give a pool of examples")
        if self._neighbours is None:
            self._neighbours = Neighbours(self.pool)
        shown = set(prompt.shots)
        rows = []
        for example in examples:
            near = self._neighbours.nearest(example, prompt.nearest + len(fixed))
            fresh = [row for row in near if row.id not in shown]
            rows.append([*fixed, *fresh[len(fresh) - min(prompt.nearest, len(fresh)) :]])
        return rows


def fields_schema(fields: Sequence[str]) -> dict[str, Any]:
    """The JSON schema of an extraction: every field, in order, a text or null (several values stand in one text)."""
    # Bounded, so that a model that rambles inside one field still gets to the others.
    value = {"anyOf": [{"type": "string", "maxLength": 200}, {"type": "null"}]}
    return {
        "type": "object",
        "properties": dict.fromkeys(fields, value),
        "required": list(fields),
        "additionalProperties": False,
    }


def _answer(candidate: Candidate, example: Example, passages: Sequence[Passage], said: Completion) -> Answer:
    return Answer(
        candidate=candidate.id,
        item=example.id,
        text=said.text,
        tokens_in=said.tokens_in,
        tokens_computed=said.tokens_computed,
        tokens_out=said.tokens_out,
        seconds=said.seconds,
        passages=tuple(passage.id for passage in passages),
        error=said.error,
    )

"""Stage 0: hard gates that bind and priors that only inform, before any model is run.

It measures nothing. A gate closes arms as the *final answer*; a closed arm may still be measured, to show what the gate
costs. A prior is a published result with its source; it is shown and never counted against a measurement.
Example: an owner who must cite sources closes `prompt`, `few_shot` and `tuned`: a model's memory has nothing to cite.
"""

from __future__ import annotations

from dataclasses import dataclass

from whytune.records.data import Dataset
from whytune.records.project import Circumstances, Gate, Prior, Triage, UseCase

TRAINED = ("tuned", "tuned_rag")
UNTRAINED = ("prompt", "few_shot", "full_context", "rag")
ARMS = (*UNTRAINED, *TRAINED)
"""Simplest first: the order in which an arm is asked to be enough."""
ENOUGH_ROWS = 50
"""Training rows below which tuning is postponed."""


@dataclass(frozen=True)
class Facts:
    """What is known before any model runs. fits_context: all documents and an answer fit the base model's context."""

    documents: int = 0
    document_words: int = 0
    fits_context: bool | None = None
    endpoint: bool = False
    """The base model answers behind an address: its weights are not at hand."""
    endpoint_local: bool = False
    """That address is on this machine or network: nothing leaves it."""


def triage(usecase: UseCase, dataset: Dataset, facts: Facts) -> Triage:
    """The gates that close arms, the priors that apply, and the questions nobody has answered yet."""
    said = usecase.circumstances
    return Triage(
        usecase=usecase.id,
        dataset=dataset.id,
        gates=tuple(gates(said, dataset.counts.get("train", 0), facts)),
        priors=tuple(priors(usecase.task, dataset.counts.get("train", 0), facts)),
        unanswered=tuple(name for name in Circumstances.model_fields if getattr(said, name) is None),
    )


def gates(said: Circumstances, train_rows: int, facts: Facts) -> list[Gate]:
    """Every gate that is shut. One that nobody answered is open, and named in `Triage.unanswered`."""
    found: list[Gate] = []

    def shut(name: str, closes: tuple[str, ...], reason: str) -> None:
        found.append(Gate(name=name, closes=closes, reason=reason))

    if said.no_egress and facts.endpoint and not facts.endpoint_local:
        shut("no_egress", ARMS, "Data may not leave this network, and the base model is hosted elsewhere.")
    if said.citations:
        closed = ("prompt", "few_shot", "tuned")
        shut(
            "citations",
            closed,
            "Answers must cite their source; a model that answers from memory has none to cite.",
        )
    if said.erasure:
        shut(
            "erasure",
            ("tuned",),
            "Data must be removable at once; what a model was trained on stays in its weights.",
        )
    if said.per_user_rights:
        shut(
            "per_user_rights",
            ("tuned",),
            "Not everybody may see every document; a tuned model tells everybody the same.",
        )
    if said.facts_change:
        shut("facts_change", ("tuned",), "Facts change faster than a model would be retrained.")
    if said.may_train is False:
        shut("may_train", TRAINED, "There is no right to train on this data.")
    if facts.endpoint:
        shut("weights", TRAINED, "The base model's weights are not at hand, so it cannot be trained here.")
    if train_rows < ENOUGH_ROWS:
        shut(
            "few_rows",
            TRAINED,
            f"Only {train_rows} training rows; tuning is postponed until there are {ENOUGH_ROWS}.",
        )
    return found


def priors(task: str, train_rows: int, facts: Facts) -> list[Prior]:
    """Published results that fit this task, this many rows and these documents."""
    found = [
        Prior(
            name="weak baselines flatter tuning",
            leans="prompt",
            reason="Over a base model tuning added 46 points, over its instruct version 26, to the same end score: "
            "measure the best prompt first.",
            source="LoRA Land, arXiv 2405.00732",
        )
    ]
    if facts.documents:
        found += [
            Prior(
                name="facts favour document search",
                leans="rag",
                reason="Mistral 7B on new facts: 0.481 alone, 0.504 tuned, 0.875 with document search.",
                source="Ovadia et al., arXiv 2312.05934",
            ),
            Prior(
                name="both may add up",
                leans="tuned_rag",
                reason="In agriculture tuning added 6 points and document search 5 more; in all three models of "
                "arXiv 2312.05934 both together lost to search alone.",
                source="arXiv 2401.08406",
            ),
            Prior(
                name="tune with passages in the prompt",
                leans="none",
                reason="A model tuned without passages and then given search fell from 61 to 43.",
                source="RAFT, arXiv 2403.10131",
            ),
        ]
    if facts.documents and facts.fits_context:
        found.append(
            Prior(
                name="small corpus",
                leans="full_context",
                reason=f"All {facts.document_words:,} words of the documents fit one prompt: measure full context as well.",
                source="arithmetic: the model's context length",
            )
        )
    if task in ("categorization", "sentiment"):
        enough = "There are enough to try" if train_rows >= 300 else "That is about as few as there are here"
        found.append(
            Prior(
                name="about 100 labelled rows break even",
                leans="tuned" if train_rows >= 100 else "prompt",
                reason="A small tuned classifier overtook large prompted models at about 100 labelled rows, 2 to 3 times "
                f"as many once the luck of seeds counts. {enough} ({train_rows:,}).",
                source="Pecher et al. 2025, arXiv 2402.12819",
            )
        )
    if task in ("summarization", "chat"):
        found.append(
            Prior(
                name="behaviour favours tuning",
                leans="tuned",
                reason="Correcting Icelandic: BLEU 62 with a prompt, 70 with examples, 87 tuned, 83 tuned with search.",
                source="OpenAI, Optimizing LLM accuracy",
            )
        )
    return found

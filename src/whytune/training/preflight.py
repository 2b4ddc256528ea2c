"""What is proven before the first step; every failure is told in one error.

Proofs about single rows are collected by `rows.prepare`; this joins them with those about the whole. It changes
nothing. Example: two rows without an answer and an empty dev split come out as one TrainingError of three problems.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from whytune.answering.backends.encoding import Encoder
from whytune.errors import TrainingError
from whytune.records.candidate import Recipe
from whytune.records.data import Example
from whytune.records.record import short
from whytune.training.plan import Proof
from whytune.training.rows import PreparedRows

_SHOWN = 20


def prove_rows(
    encoder: Encoder,
    recipe: Recipe,
    *,
    train: Sequence[Example],
    dev: Sequence[Example],
    ready: PreparedRows,
    held: PreparedRows,
) -> tuple[Proof, ...]:
    """The proofs that need no weights. ready and held are train and dev as rows."""
    problems = [*_shown(ready.problems, "train"), *_shown(held.problems, "dev")]
    if not train:
        problems.append("train is empty")
    if not dev:
        problems.append("dev is empty: without it nobody can tell which checkpoint is best")
    problems += _overlap(train, dev)
    problems += _overlong(recipe, ready, held)
    if problems:
        raise TrainingError(
            "Training was refused before the first step",
            problems=problems,
            next="mend the rows named above (or leave them out), then train again",
        )
    dropped = len(ready.overlong) + len(held.overlong)
    return (
        Proof("rows", f"{len(ready.rows)} to train on, {len(held.rows)} of dev; every one has an answer"),
        Proof("template", f"the model's own template, sha256 {short(encoder.template_digest)}"),
        Proof("prefix", "each prompt is a token prefix of the prompt with its answer"),
        Proof("trained", "answer and stop token of every row are trained, and nothing else"),
        Proof(
            "control",
            f"no control token comes out of people's words; {ready.neutralised + held.neutralised} were broken up",
        ),
        Proof("length", f"no row is cut; {dropped} over {recipe.max_length} tokens left out"),
        Proof("apart", "no example of dev is in train"),
    )


def prove_adapter(model: Any) -> Proof:
    """Every linear layer but the output head carries the adapter; without an adapter, every weight is trained."""
    import torch
    from peft import PeftModel
    from peft.tuners.lora import LoraLayer

    if not isinstance(model, PeftModel):
        return _prove_whole(model)

    adapted = {name for name, module in model.named_modules() if isinstance(module, LoraLayer)}
    head = model.get_base_model().get_output_embeddings()
    bare = sorted(
        {
            name.rpartition(".")[2]
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear)
            and module is not head
            and not any(name == parent or name.startswith(f"{parent}.") for parent in adapted)
        }
    )
    if bare or not adapted:
        raise TrainingError(
            "The adapter does not reach every linear layer of this model",
            problems=[f"{kind} is left out" for kind in bare] or ["no layer was adapted"],
            next="choose another base model: this architecture is not covered",
        )
    kinds = sorted({name.rpartition(".")[2] for name in adapted})
    return Proof("adapter", f"{len(adapted)} linear layers adapted: {', '.join(kinds)}")


def _prove_whole(model: Any) -> Proof:
    frozen = sorted(name for name, weight in model.named_parameters() if not weight.requires_grad)
    if frozen:
        raise TrainingError(
            "Some weights would stay as they are",
            problems=frozen[:_SHOWN],
            next="choose another base model: this architecture is not covered",
        )
    count = sum(weight.numel() for weight in model.parameters())
    return Proof("adapter", f"no adapter: all {count:,} weights are trained")


def _shown(problems: Sequence[str], split: str) -> list[str]:
    shown = [f"{split}, {problem}" for problem in problems[:_SHOWN]]
    return shown + ([f"{split}: and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else [])


def _overlap(train: Sequence[Example], dev: Sequence[Example]) -> list[str]:
    seen = {example.messages for example in train}
    both = [example for example in dev if example.messages in seen]
    if not both:
        return []
    named = ", ".join(short(example.id) for example in both[:3])
    return [f"{len(both)} inputs of dev are in train too (such as {named})"]


def _overlong(recipe: Recipe, ready: PreparedRows, held: PreparedRows) -> list[str]:
    problems = []
    for name, rows in (("train", ready), ("dev", held)):
        if rows.overlong and recipe.overlong == "raise":
            longest = max(tokens for _, tokens in rows.overlong)
            problems.append(
                f"{len(rows.overlong)} rows of {name} are over {recipe.max_length} tokens (the longest has {longest}), "
                "and the recipe says overlong = raise"
            )
        elif rows.overlong and not rows.rows:
            problems.append(f"every row of {name} is over {recipe.max_length} tokens")
    return problems

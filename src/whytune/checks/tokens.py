"""How long rows are for the chosen model, in its own tokens, and which rows training would leave out."""

from __future__ import annotations

from whytune.checks.subject import Limits, Subject, finding, quantile
from whytune.records.data import Finding

_MARKS = 12
"""Tokens that a chat template puts around the turns of a row, about."""


def token_length(subject: Subject) -> Finding:
    """Rows longer than the chosen model's context or the longest row that training takes."""
    if subject.tokens is None:
        return finding("token_length", 0, 0, "No model was named, so tokens were not counted.")
    ruler = subject.tokens
    inputs = ruler.count(["\n".join(message.text for message in example.messages) for example in subject.examples])
    answers = ruler.count([example.target_text for example in subject.examples])
    overhead = ruler.prompt + _MARKS
    whole = [overhead + asked + answered for asked, answered in zip(inputs, answers, strict=True)]
    bad = [example.id for example, size in zip(subject.examples, whole, strict=True) if size > ruler.limit]
    counted = f"by {ruler.model}'s tokenizer" if ruler.exact else f"estimated for {ruler.model}, four characters a token"
    told = (
        f"With the prompt ({ruler.prompt:,} tokens) half of the rows have at most {quantile(whole, 0.5):,} tokens, 95 % at most "
        f"{quantile(whole, 0.95):,}, the longest {max(whole, default=0):,} ({counted})."
    )
    if bad:
        told += f" {len(bad):,} are longer than the {ruler.limit:,} that the model or its training takes."
    return finding(
        "token_length", bad, len(subject.examples), told, next="shorten them, raise max_length under [training], or choose a base with a longer context",
        limits=Limits(0.0, 0.5),
    )  # fmt: skip

"""Counts tokens by a model folder's tokenizer alone: no weights are read and no model library is loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from whytune.errors import ModelError


def tokenizer(folder: Path) -> Callable[[Sequence[str]], list[int]]:
    """A function from texts to their numbers of tokens, without the marks that a template adds. Raises ModelError."""
    from tokenizers import Tokenizer

    try:
        loaded = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises plain Exception for whatever is wrong with the file
        raise ModelError(f"The tokenizer cannot be read: {error}", where=str(folder), next="copy the model's folder again") from error
    loaded.no_truncation()
    loaded.no_padding()

    def count(texts: Sequence[str]) -> list[int]:
        return [len(found.ids) for found in loaded.encode_batch_fast(list(texts), add_special_tokens=False)]

    return count

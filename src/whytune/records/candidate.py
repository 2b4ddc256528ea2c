"""A candidate = base model + prompt + optional index + optional adapter: the arms are its variations."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from whytune.records.record import Record, Value

Arm = Literal["prompt", "few_shot", "full_context", "rag", "oracle", "tuned", "tuned_rag"]
ARM_TITLES: dict[str, str] = {
    "prompt": "Prompt",
    "few_shot": "Few-shot prompt",
    "full_context": "Full context",
    "rag": "RAG",
    "oracle": "Oracle context",
    "tuned": "Tuned",
    "tuned_rag": "Tuned + RAG",
}


class Base(Record):
    """A base model, by what its bytes are rather than by its name."""

    KIND: ClassVar[str] = "base"
    UNHASHED: ClassVar[frozenset[str]] = frozenset({"location"})
    name: str
    source: Literal["bundled", "folder", "hub", "endpoint"]
    location: str
    """Folder on this machine, or the endpoint's address."""
    digest: str
    """sha256 over the files that matter (weights, tokenizer, template, configuration); of address and name for an endpoint."""
    parameters: int = 0
    context: int = 2048
    """Longest input in tokens."""
    licence: str = ""
    revision: str = ""

    @property
    def trainable(self) -> bool:
        """Whether its weights are at hand."""
        return self.source != "endpoint"


class Decoding(Value):
    """How an answer is drawn. constrained: only labels of the set, or only JSON of the schema, can come out."""

    max_new_tokens: int = Field(default=64, ge=1)
    constrained: bool = False


class Prompt(Record):
    """What stands around the input. `system` may be empty; `template` holds `{input}` once.

    shots are ids of training examples shown in every prompt; nearest asks for that many training rows nearest to
    each input instead, from `pool` (a dataset id).
    """

    KIND: ClassVar[str] = "prompt"
    system: str = ""
    template: str = "{input}"
    context_template: str = "Use these passages to answer.\n\n{context}\n\n{input}"
    """Used instead of `template` where passages are handed over; holds `{context}` and `{input}`."""
    shots: tuple[str, ...] = ()
    nearest: int = Field(default=0, ge=0)
    pool: str = ""
    decoding: Decoding = Decoding()


class Retrieval(Value):
    """Which passages a candidate is handed.

    search: the k best by words (and by embedding when hybrid). all: every passage, in order. oracle: those of the
    documents that are known to hold the answer (dev only, never a release).
    """

    how: Literal["search", "all", "oracle"] = "search"
    index: str
    k: int = Field(default=3, ge=1)
    hybrid: bool = False
    access: tuple[str, ...] = ()
    """Access labels the asker holds; passages with other labels are never seen."""


class Recipe(Record):
    """How an adapter is trained. Every field changes behaviour; there are no others."""

    KIND: ClassVar[str] = "recipe"
    method: Literal["lora", "qlora", "dora", "rslora", "full"] = "lora"
    """full trains every weight; rank, alpha and dropout then say nothing."""
    rank: int = Field(default=16, ge=1, le=512)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    epochs: float = Field(default=3.0, gt=0)
    batch_size: int = Field(default=16, ge=1)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of all steps."""
    weight_decay: float = Field(default=0.0, ge=0)
    max_length: int = Field(default=1024, ge=16)
    """Tokens; longer rows go by `overlong`."""
    overlong: Literal["drop", "raise"] = "drop"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    checkpoints: int = Field(default=3, ge=1)
    """How many times dev is looked at; the best is kept."""
    seed: int = 17


class Checkpoint(Value):
    """What was seen at one look at dev. Losses are nats per trained token."""

    step: int
    epoch: float
    train_loss: float
    dev_loss: float
    dev_metric: float | None = None
    seconds: float


class RunCost(Value):
    """What a training run was expected to take, and what it took. Seconds are of its steps, without the looks at dev."""

    expected_seconds: float
    """Before the first step, from three measured steps on the longest batch."""
    seconds: float
    expected_memory_bytes: int
    memory_bytes: int
    """Most memory that the process held."""
    expected_money: float
    money: float
    currency: str
    processes: int = 1


class Adapter(Record):
    """Trained weights, and what they were trained from. By method `full` they are all weights of the model."""

    KIND: ClassVar[str] = "adapter"
    # How long it took is measured, not what it is: the same weights trained again are the same adapter.
    UNHASHED: ClassVar[frozenset[str]] = frozenset({"seconds", "curve", "cost"})
    base: str
    recipe: Recipe
    dataset: str
    prompt: str
    retrieval: Retrieval | None = None
    """Set where rows were trained with retrieved passages in the prompt."""
    digest: str
    """sha256 over the adapter's files; the folder is kept in the store under it."""
    rows: int
    rows_dropped: int = 0
    trained_tokens: int
    tokens: int
    """Non-padding tokens passed through the model, all epochs."""
    seconds: float
    dtype: str
    best_step: int
    curve: tuple[Checkpoint, ...]
    versions: dict[str, str] = {}
    """Of the libraries; and how many processes trained together, where it was more than one."""
    cost: RunCost | None = None


class Candidate(Record):
    """What is measured, and what a release would run."""

    KIND: ClassVar[str] = "candidate"
    base: str
    prompt: Prompt
    retrieval: Retrieval | None = None
    adapter: str = ""

    @property
    def arm(self) -> Arm:
        """Which of the arms this is."""
        if self.adapter:
            return "tuned_rag" if self.retrieval else "tuned"
        if self.retrieval:
            names: dict[str, Arm] = {"search": "rag", "all": "full_context", "oracle": "oracle"}
            return names[self.retrieval.how]
        return "few_shot" if self.prompt.shots or self.prompt.nearest else "prompt"

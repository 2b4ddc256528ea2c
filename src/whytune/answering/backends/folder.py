"""A model folder, looked at without loading it: is it whole, how large is it, what are its bytes.

It reads headers and hashes files; it never runs code that a folder brings along and never reads a pickle.
Example: `inspect_folder(Path("models/smollm2")).parameters`.
"""

from __future__ import annotations

import json
import os
import re
import struct
import tempfile
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from whytune.errors import ModelError
from whytune.records.record import canonical_json, digest

RELEVANT = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "tokenizer*.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "chat_template.*",
)
"""What decides a model's answers; a README or a picture beside it does not."""
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_LENGTH_NAMES = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
_HEADER_LIMIT = 100_000_000
_LICENCE = re.compile(r"\A---\n(?:.*\n)*?license:\s*['\"]?([\w.+-]+)", re.MULTILINE)


@dataclass(frozen=True)
class Inspected:
    """What a folder says about itself."""

    parameters: int
    context: int
    licence: str
    digest: str
    template: bool
    """Whether it brings a chat template; without one the plain template of `encoding.py` is used."""


def inspect_folder(path: Path, cache: Path | None = None) -> Inspected:
    """Everything that is wrong with the folder at once, or what it holds.

    cache: a folder outside the model's, where file hashes are remembered by size and time of change.
    """
    if not path.is_dir():
        raise ModelError(
            f"There is no model folder {path}",
            next="give the folder that holds config.json and *.safetensors, or a hub id such as owner/name",
        )
    problems: list[str] = []
    config = _config(path, problems)
    parameters = _weights(path, problems)
    template = _tokenizer(path, problems)
    if problems:
        raise ModelError(
            "The model folder cannot be used",
            where=str(path),
            problems=problems,
            next="complete the folder from where the model came from "
            "(config.json, *.safetensors, tokenizer.json, tokenizer_config.json)",
        )
    inner = config.get("text_config") if isinstance(config.get("text_config"), dict) else {}
    lengths = [facts[name] for facts in (config, inner or {}) for name in _LENGTH_NAMES if isinstance(facts.get(name), int)]
    return Inspected(
        parameters=parameters,
        context=int(lengths[0]) if lengths else 2048,
        licence=_licence(path),
        digest=folder_digest(path, cache),
        template=template,
    )


def folder_digest(path: Path, cache: Path | None = None) -> str:
    """sha256 over the names and hashes of the files that decide a model's answers."""
    files = sorted({file for pattern in RELEVANT for file in path.glob(pattern) if file.is_file()})
    known = _Remembered(cache)
    hashes = {file.name: known.sha256(file) for file in files}
    known.save()
    return digest(canonical_json(hashes))


def file_sha256(path: Path, cache: Path | None = None) -> str:
    """A file's sha256, remembered by size and time of change where a cache is given."""
    known = _Remembered(cache)
    found = known.sha256(path)
    known.save()
    return found


class _Remembered:
    """Hashes by (size, time of change), so that gigabytes are read once; a lost or broken note costs only time."""

    def __init__(self, cache: Path | None) -> None:
        self._file = cache / "hashes.json" if cache else None
        self._new = False
        self._notes: dict[str, list[Any]] = {}
        if self._file is not None:
            try:
                notes = json.loads(self._file.read_text("utf-8"))
            except (OSError, ValueError):
                notes = {}
            self._notes = notes if isinstance(notes, dict) else {}

    def sha256(self, path: Path) -> str:
        stat = path.stat()
        key, mark = str(path.resolve()), [stat.st_size, stat.st_mtime_ns]
        note = self._notes.get(key)
        if isinstance(note, list) and note[:2] == mark and len(note) == 3:
            return str(note[2])
        import hashlib

        with path.open("rb") as handle:
            found = hashlib.file_digest(handle, "sha256").hexdigest()
        self._notes[key] = [*mark, found]
        self._new = True
        return found

    def save(self) -> None:
        if self._file is None or not self._new:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._file.parent, prefix=".hashes-")
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(self._notes, out)
        os.replace(name, self._file)


def _config(path: Path, problems: list[str]) -> dict[str, Any]:
    file = path / "config.json"
    if not file.is_file():
        adapter = (path / "adapter_config.json").is_file()
        problems.append(
            "config.json is missing" + (": this is an adapter; give the folder of its base model" if adapter else "")
        )
        return {}
    try:
        config = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        problems.append(f"config.json cannot be read: {error}")
        return {}
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        problems.append("config.json does not name a model_type")
        return {}
    return config


def _weights(path: Path, problems: list[str]) -> int:
    files = sorted(path.glob("*.safetensors"))
    if not files:
        pickles = sorted(file.name for pattern in PICKLES for file in path.glob(pattern))
        problems.append(
            f"weights are only there as {', '.join(pickles[:3])}: pickle files can run code and are never read; "
            "convert them to safetensors"
            if pickles
            else "there is no *.safetensors file with weights"
        )
        return 0
    index = path / "model.safetensors.index.json"
    if index.is_file():
        try:
            wanted = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            problems.append(f"{index.name} cannot be read: {error!r}")
            wanted = set()
        missing = sorted(wanted - {file.name for file in files})
        if missing:
            problems.append(f"parts of the weights are missing: {', '.join(missing)}")
        files = [file for file in files if file.name in wanted] or files
    return sum(_parameters(file, problems) for file in files)


def _parameters(file: Path, problems: list[str]) -> int:
    """From the header alone, which also tells how long the file must be."""
    try:
        size = file.stat().st_size
        with file.open("rb") as handle:
            (length,) = struct.unpack("<Q", handle.read(8))
            if length > min(size, _HEADER_LIMIT):
                raise ValueError("its header is longer than the file")
            header = json.loads(handle.read(length))
        tensors = [facts for name, facts in header.items() if name != "__metadata__"]
        end = max((facts["data_offsets"][1] for facts in tensors), default=0)
        if size != 8 + length + end:
            raise ValueError(f"it has {size} bytes where its header promises {8 + length + end}")
        return sum(prod(facts["shape"]) for facts in tensors)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        problems.append(f"{file.name} is damaged: {error}")
        return 0


def _tokenizer(path: Path, problems: list[str]) -> bool:
    pair = (path / "vocab.json").is_file() and (path / "merges.txt").is_file()
    if not ((path / "tokenizer.json").is_file() or (path / "tokenizer.model").is_file() or pair):
        problems.append(
            "there is no tokenizer: copy tokenizer.json (or tokenizer.model) and tokenizer_config.json into the folder"
        )
    file = path / "tokenizer_config.json"
    facts: Any = {}
    if file.is_file():
        try:
            facts = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            problems.append(f"tokenizer_config.json cannot be read: {error}")
    return (path / "chat_template.jinja").is_file() or bool(isinstance(facts, dict) and facts.get("chat_template"))


def _licence(path: Path) -> str:
    readme = path / "README.md"
    if not readme.is_file():
        return ""
    found = _LICENCE.match(readme.read_text("utf-8", "replace")[:20_000])
    return found.group(1) if found else ""

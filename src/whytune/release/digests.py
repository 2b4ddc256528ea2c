"""Digests of what a release binds: files of a folder, a base model's tokenizer and chat template.

It reads and hashes; it loads no model. Example: `file_digests(Path("adapter"))["adapter_model.safetensors"]`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from whytune.records.record import canonical_json, digest

TOKENIZER = ("tokenizer*.json", "tokenizer.model", "vocab.json", "merges.txt", "added_tokens.json", "special_tokens_map.json")
TEMPLATE = "chat_template.jinja"


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_digests(folder: Path) -> dict[str, str]:
    """Relative name and sha256 of every file below a folder, sorted by name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}


def tokenizer_digest(folder: Path) -> str:
    """sha256 over the names and hashes of the files that decide how text is cut into tokens."""
    files = sorted({path for pattern in TOKENIZER for path in folder.glob(pattern) if path.is_file()})
    return digest(canonical_json({path.name: file_digest(path) for path in files}))


def template_digest(folder: Path) -> str:
    """sha256 of the chat template; empty where the model brings none."""
    beside = folder / TEMPLATE
    if beside.is_file():
        return file_digest(beside)
    settings = folder / "tokenizer_config.json"
    found = json.loads(settings.read_text("utf-8")).get("chat_template") if settings.is_file() else None
    if not found:
        return ""
    return digest(found if isinstance(found, str) else canonical_json(found))

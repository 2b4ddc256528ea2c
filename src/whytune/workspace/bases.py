"""From the words in `whytune.toml` to a base model that can answer: bundled, a folder, a hub id, an endpoint."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from whytune.errors import SettingsError
from whytune.records.candidate import Base
from whytune.records.record import canonical_json, digest
from whytune.settings import Settings
from whytune.workspace.config import ModelSection

if TYPE_CHECKING:
    from whytune.answering.backends.protocol import Backend


def resolve(model: ModelSection, folder: Path, settings: Settings) -> Base:
    """The base model's record; a hub id is downloaded, the bundled model unpacked on first use."""
    kind, _, rest = model.base.partition(":")
    if kind == "endpoint" and rest:
        if not model.name:
            raise SettingsError("The endpoint's model is not named", where="[model] name", next="add name = \"...\" under [model] in whytune.toml")
        address = rest.rstrip("/")
        identity = digest(canonical_json({"address": address, "model": model.name}))
        return Base(name=model.name, source="endpoint", location=address, digest=identity, context=model.context or 8192)
    from whytune.answering.backends import models

    if model.base == "bundled":
        return models.prepare_bundled(settings.cache_folder)
    if kind == "folder" and rest:
        return models.prepare_folder((folder / Path(rest).expanduser()).resolve(), settings.cache_folder)
    if kind == "hub" and rest:
        return models.prepare_hub(rest, model.revision or "main", settings.cache_folder)
    raise SettingsError(f"base = {model.base!r} is not a base model", where="[model] base", next="use bundled, folder:PATH, hub:ORG/NAME or endpoint:URL")


def found_again(base: Base, settings: Settings) -> Base:
    """A base from its record, where it lies on this machine now. Raises ModelError where its bytes are others."""
    from whytune.answering.backends import models
    from whytune.errors import ModelError

    if base.source == "endpoint":
        return base
    if base.source == "bundled":
        here = models.prepare_bundled(settings.cache_folder)
    elif base.source == "hub" and not Path(base.location).is_dir():
        here = models.prepare_hub(base.name, base.revision, settings.cache_folder)
    else:
        here = models.prepare_folder(Path(base.location), settings.cache_folder)
    if here.digest != base.digest:
        raise ModelError(f"{base.name} is not the model it was: its files have changed", where=here.location, next="restore its files, or train again")
    return base.model_copy(update={"location": here.location})


def backend(base: Base, model: ModelSection, settings: Settings, adapter: Path | None = None) -> Backend:
    """Something that answers with this base model, and this adapter if there is one."""
    if base.source == "endpoint":
        from whytune.answering.backends.endpoint import EndpointBackend
        from whytune.answering.backends.service import Terms

        return EndpointBackend(
            base.location, model.name, model.key_env, model.concurrency, model.timeout, terms=Terms(context=base.context)
        )
    from whytune.answering.backends.local import LocalBackend

    return LocalBackend(base, adapter, settings.dtype, settings.threads, settings.device)


def is_near(url: str) -> bool:
    """Whether an address is on this machine or a private network, so that nothing leaves it."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_private


def embedder() -> Callable[[Sequence[str]], Any]:
    """Sentences to unit vectors, by the embedding model that comes with whytune."""
    from whytune.answering.backends.embedder import Embedder

    return Embedder().encode

"""One settings object: what is resolved from a flag, the environment, the user's file or the default, and from which.

It reads `WHYTUNE_*` variables and `~/.config/whytune/config.toml`; it knows nothing of projects. No secret is a
setting: an endpoint's key is read from the environment variable that the project names, when it is needed.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from whytune.errors import SettingsError

PREFIX = "WHYTUNE_"
DTYPES = ("auto", "float32", "bfloat16")
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Settings:
    """Every setting there is. `origins` says for each name where its value came from."""

    home: str = ""
    """The workspace's `.whytune` folder; empty: found upwards from where you stand."""
    cache: str = "~/.cache/whytune"
    """Converted models, safe to delete."""
    threads: int = 0
    """Threads for the model; 0: chosen by a short measurement."""
    dtype: str = "auto"
    """float32, bfloat16, or auto: the faster of the two by a short measurement."""
    device: str = "auto"
    """cpu, cuda, or auto."""
    person: str = ""
    """Who acts; empty: the login name."""
    signing_key: str = ""
    """The file of the Ed25519 key that signs checkpoints and releases; empty: `keys/signing.pem` in the workspace's folder."""
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def cache_folder(self) -> Path:
        """The cache folder, with `~` resolved."""
        return Path(self.cache).expanduser()


NAMES = tuple(f.name for f in fields(Settings) if f.name != "origins")


def user_file(environ: Mapping[str, str] | None = None) -> Path:
    """Where the user's own settings are kept."""
    env = os.environ if environ is None else environ
    return Path(env.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "whytune" / "config.toml"


def load(flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Resolve every setting: flag, then environment, then user file, then default. All mistakes are told at once."""
    env = os.environ if environ is None else environ
    file = user_file(env)
    problems: list[str] = []
    values: dict[str, Any] = {}
    origins = dict.fromkeys(NAMES, "default")
    for name, value in _read(file, problems).items():
        if name not in NAMES:
            problems.append(f"{file}: unknown setting {name!r}; there are: {', '.join(NAMES)}")
            continue
        values[name], origins[name] = value, str(file)
    for name in NAMES:
        if PREFIX + name.upper() in env:
            values[name], origins[name] = env[PREFIX + name.upper()], PREFIX + name.upper()
        if flags and flags.get(name) is not None:
            values[name], origins[name] = flags[name], f"--{name}"
    if "threads" in values:
        try:
            values["threads"] = int(values["threads"])
        except (TypeError, ValueError):
            problems.append(f"threads = {values['threads']!r} ({origins['threads']}) is not a whole number")
    for name, allowed in (("dtype", DTYPES), ("device", DEVICES)):
        if name in values and values[name] not in allowed:
            problems.append(f"{name} = {values[name]!r} ({origins[name]}) is not one of {', '.join(allowed)}")
    if problems:
        raise SettingsError("Some settings cannot be used", problems=problems, next="mend them, then: whytune config show --origin")
    return Settings(**values, origins=origins)


def _read(file: Path, problems: list[str]) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        problems.append(f"{file}: {error}")
        return {}

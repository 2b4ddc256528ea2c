"""A `whytune serve` process that tests can ask, stop and kill."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import openai

MODEL_ENVIRONMENT = {"WHYTUNE_PERSON": "ada", "WHYTUNE_THREADS": "1", "WHYTUNE_DTYPE": "float32", "WHYTUNE_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
HELLO = [{"role": "user", "content": "My card has not arrived yet."}]


class Serving:
    """The process. Use as a context manager."""

    def __init__(self, folder: Path, aliases: Sequence[str], *arguments: str) -> None:
        named = [word for alias in aliases for word in ("--alias", alias)]
        command = [sys.executable, "-m", "whytune", "serve", "--port", "0", *named, *arguments]
        environment = {**os.environ, **MODEL_ENVIRONMENT, "WHYTUNE_CACHE": str(folder / "cache")}
        self.log = (folder / "serve.log").open("w+", encoding="utf-8")
        self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.said: list[str] = []
        self.clients: list[openai.OpenAI] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if found := re.match(r"listening on (\S+)", line):
                self.address = found.group(1)
                return
        raise AssertionError(f"it did not start: {self.said} {self.logged()}")

    def client(self, secret: str = "none") -> openai.OpenAI:
        """The official client, as anybody would make it."""
        self.clients.append(openai.OpenAI(base_url=self.address, api_key=secret, max_retries=0, timeout=60))
        return self.clients[-1]

    def logged(self) -> str:
        """What it wrote to its log."""
        self.log.flush()
        return Path(self.log.name).read_text("utf-8")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it and wait."""
        for client in self.clients:
            client.close()
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.communicate(timeout=60)
        self.log.close()

    def __enter__(self) -> Serving:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

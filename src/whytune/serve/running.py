"""Runs the gateway: where it may listen, and until when.

Loopback by default. Elsewhere it starts only where keys exist and something encrypts: a certificate of its own, or a
proxy in front of it. It stops on SIGTERM or SIGINT: what is under way is answered and recorded first.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from whytune.errors import UsageError
from whytune.serve.app import make_app
from whytune.serve.door import DoorLimits
from whytune.serve.refusals import tell_operator
from whytune.workspace.endpoints import announced, listen
from whytune.workspace.serving import Gateway

GRACE = 30
"""Seconds that answers under way are given when it is asked to stop."""


@dataclass(frozen=True)
class Listening:
    """Where to listen. behind_proxy: something in front of it encrypts."""

    host: str = "127.0.0.1"
    port: int = 8000
    behind_proxy: bool = False
    certificate: Path | None = None
    certificate_key: Path | None = None

    @property
    def near(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def check(place: Listening, *, keys: bool) -> None:
    """Raise UsageError with everything that makes this place unsafe."""
    problems = []
    if (place.certificate is None) != (place.certificate_key is None):
        problems.append("a certificate and its key go together: --tls-cert FILE --tls-key FILE")
    problems += [f"{file} is not a file" for file in (place.certificate, place.certificate_key) if file and not file.is_file()]
    if not place.near and not (place.behind_proxy or place.certificate):
        problems.append(f"{place.host} can be reached from elsewhere and nothing encrypts: give --behind-proxy or --tls-cert and --tls-key")
    if not keys and (place.behind_proxy or not place.near):
        problems.append("no key was ever made, so anybody could ask: whytune key add CONSUMER")
    if problems:
        raise UsageError(f"Not serving on {place.host}", problems=problems, next="whytune serve   (this machine only), or mend what is listed")


def run(gateway: Gateway, place: Listening, limits: DoorLimits, ready: Callable[[str], None]) -> None:
    """Serve until told to stop. `ready` is told the address once it is bound."""
    check(place, keys=not gateway.open)
    bound = listen(place.host, place.port, next="choose another --port, or stop what listens there")
    name = f"[{place.host}]" if ":" in place.host else place.host
    address = f"{'https' if place.certificate else 'http'}://{name}:{bound.getsockname()[1]}/v1"
    config = uvicorn.Config(
        make_app(gateway, limits, announced(gateway, address, tell_operator)), log_level="critical", access_log=False, server_header=False, proxy_headers=False, ws="none", lifespan="on",
        timeout_graceful_shutdown=GRACE, ssl_certfile=place.certificate, ssl_keyfile=str(place.certificate_key) if place.certificate_key else None,
    )  # fmt: skip
    ready(address)
    try:
        uvicorn.Server(config).run(sockets=[bound])
    finally:
        bound.close()

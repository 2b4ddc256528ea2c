"""What the gateway adds to its engine, and how many tokens a second it serves, as JSON.

    python benchmarks/serving.py                      # a tiny model: overhead of the gateway over the engine
    python benchmarks/serving.py --throughput         # and the bundled model under load
    python benchmarks/serving.py --throughput --against-transformers    # beside `transformers serve`, in the same run

Overhead: the same short question to `whytune serve` over HTTP (a bare socket) and to the same engine (`Pool`) in this process, in turns,
one at a time. `overhead_ms` is the difference of the medians: what somebody waits longer than inside the engine's own process. `inside_ms` is the gateway's
own account, as `/metrics` gives it to an operator: from a request's arrival to its answer's last byte, less the time that the model had it. Of both the
median of several parts is told, with the least and the most, because such a machine changes its speed within minutes. Throughput: so many clients ask for so many tokens each; both servers get the same questions on the same model, greedy, one after the other.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402
from tests.serve.house import House  # noqa: E402
from tests.serve.living import Serving  # noqa: E402
from tests.tiny import build  # noqa: E402

from whytune.answering.backends.models import prepare_bundled  # noqa: E402
from whytune.answering.backends.pool import Pool, Request  # noqa: E402
from whytune.records.candidate import Decoding  # noqa: E402
from whytune.records.content import Message  # noqa: E402

QUESTION = "My card has not arrived yet. When does it come?"
TURNS, EACH, PARTS = 30, 10, 9
CLIENTS, ROUNDS, TOKENS = 16, 2, 48


def asker(address: str, body: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Asks over one connection that stays open."""
    split = urlsplit(address)
    connection = http.client.HTTPConnection(split.hostname or "", split.port, timeout=300)
    sent = json.dumps(body).encode()

    def ask() -> dict[str, Any]:
        for last in (False, True):
            try:
                connection.request("POST", f"{split.path}/chat/completions", sent, {"content-type": "application/json", "authorization": "Bearer none"})
                answer = connection.getresponse()
                break
            except (ConnectionError, http.client.HTTPException):
                connection.close()  # a server may end a connection that was silent for a while
                if last:
                    raise
        said = json.loads(answer.read())
        assert answer.status == 200, said
        return dict(said)

    return ask


def medians(ways: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Milliseconds of each way, in turns, so that a busy moment of the machine meets all of them."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(TURNS):
        for name, work in ways.items():
            for number in range(EACH + 1):
                start = time.perf_counter()
                work()
                if number:  # the first of a turn finds the other way's caches
                    taken[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(held) for name, held in taken.items()}


def overhead(folder: Path) -> dict[str, float]:
    """Medians in milliseconds: over HTTP, by the engine alone, and the difference."""
    house = House(folder, build(folder / "model"))
    house.point("champion", house.release(tokens=1))
    body = {"model": "champion", "messages": [{"role": "user", "content": QUESTION}]}
    chat = (Message.of("system", house.prompt.system), Message.of("user", QUESTION))
    with Serving(folder, ["champion"]) as serving, Pool(house.base, dtype="float32", threads=1) as pool:
        request = Request(chat, Decoding(max_new_tokens=1))
        wire = Wire(serving.address)
        ask = wire.prepared("POST", "/v1/chat/completions", json.dumps(body))
        health = wire.prepared("GET", "/healthz")
        counters, rounds = wire.prepared("GET", "/metrics"), []
        for _ in range(PARTS):
            before = counters()
            part = medians({"gateway_ms": ask, "engine_ms": lambda: pool.submit(request).result(), "empty_http_ms": health})
            rounds.append({**part, "overhead_ms": part["gateway_ms"] - part["engine_ms"], "inside_ms": inside(before, counters())})
        there, here = psutil.Process(serving.process.pid), psutil.Process()
        cpu = {"gateway_cpu_ms": processor(there, ask), "engine_cpu_ms": processor(here, lambda: pool.submit(request).result())}
    found = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    spread = {f"{name}_{end}": pick(each[name] for each in rounds) for name in ("overhead_ms", "inside_ms") for end, pick in (("least", min), ("most", max))}
    return {**found, **spread, "parts": PARTS, **cpu, "overhead_cpu_ms": cpu["gateway_cpu_ms"] - cpu["engine_cpu_ms"]}


def inside(before: bytes, after: bytes) -> float:
    """Median milliseconds of the gateway's own account between two readings of its counters, straight within a bucket."""
    one, two = (dict(re.findall(r'whytune_overhead_seconds_bucket\{le="([^"]+)"\} (\d+)', text.decode())) for text in (before, after))
    counts = [(1000 * float(bound), int(two[bound]) - int(one.get(bound, 0))) for bound in two]
    half, low, under = counts[-1][1] / 2, 0.0, 0
    for bound, count in counts:
        if count >= half:
            return low + (bound - low) * (half - under) / (count - under)
        low, under = bound, count
    raise AssertionError(counts)


def processor(process: psutil.Process, work: Callable[[], Any], times: int = 300) -> float:
    """Processor milliseconds that a process takes for one request: a busy machine does not change them much."""
    before = process.cpu_times()
    for _ in range(times):
        work()
    after = process.cpu_times()
    return 1000 * (after.user + after.system - before.user - before.system) / times


class Wire:
    """One connection that stays open, with nothing of a client library around it: what that takes is not the gateway's."""

    def __init__(self, address: str) -> None:
        split = urlsplit(address)
        self._host = split.netloc
        self._socket = socket.create_connection((split.hostname, split.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def prepared(self, method: str, path: str, body: str = "") -> Callable[[], bytes]:
        """Sends this request and gives the body of its answer."""
        sent = f"{method} {path} HTTP/1.1\r\nhost: {self._host}\r\ncontent-type: application/json\r\ncontent-length: {len(body.encode())}\r\n\r\n{body}".encode()

        def ask() -> bytes:
            self._socket.sendall(sent)
            came = b""
            while b"\r\n\r\n" not in came:
                came += self._more()
            head, _, rest = came.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), came
            size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            while len(rest) < size:
                rest += self._more()
            return rest

        return ask

    def _more(self) -> bytes:
        came = self._socket.recv(1 << 16)
        assert came, "the gateway closed the connection"
        return came


def crowd(address: str, model: str) -> dict[str, float]:
    """Tokens a second that many clients get together."""
    questions = [f"Question {number}: what should I do when my card number {number} does not arrive?" for number in range(CLIENTS)]
    askers = [asker(address, {"model": model, "max_tokens": TOKENS, "temperature": 0, "messages": [{"role": "user", "content": text}]}) for text in questions]
    for ask in askers[:1]:
        ask()
    with ThreadPoolExecutor(CLIENTS) as threads:
        start = time.perf_counter()
        said = [answer for _ in range(ROUNDS) for answer in threads.map(lambda ask: ask(), askers)]
        seconds = time.perf_counter() - start
    tokens = sum(int(answer["usage"]["completion_tokens"]) for answer in said)
    return {"tokens_a_second": tokens / seconds, "answers_a_second": len(said) / seconds, "tokens": tokens, "seconds": seconds}


@contextmanager
def transformers_serve(model: Path, threads: int, *how: str) -> Iterator[str]:
    """The library's own server on the same model."""
    command = [str(Path(sys.executable).parent / "transformers"), "serve", str(model), "--port", "8899", "--device", "cpu", "--dtype", "float32", *how]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"})
        try:
            for _ in range(240):
                try:
                    urllib.request.urlopen("http://127.0.0.1:8899/health", timeout=2).read()
                    break
                except OSError:
                    if process.poll() is not None:
                        log.seek(0)
                        raise SystemExit(f"transformers serve does not start: {log.read()[-800:]}") from None
                    time.sleep(0.5)
            yield "http://127.0.0.1:8899/v1"
        finally:
            process.terminate()
            process.wait()


def throughput(folder: Path, threads: int, *, against: bool) -> dict[str, Any]:
    """The bundled model under load, here and there."""
    base = prepare_bundled(Path.home() / ".cache" / "whytune")
    house = House(folder, Path(base.location))
    house.point("champion", house.release(tokens=TOKENS))
    with Serving(folder, ["champion"]) as serving:
        found: dict[str, Any] = {"whytune": crowd(serving.address, "champion")}
    if against:
        # As it starts, and with the batching that it offers: a user would take what is faster.
        for name, how in (("transformers", ()), ("transformers_batching", ("--continuous-batching",))):
            with transformers_serve(Path(base.location), threads, *how) as address:
                found[name] = crowd(address, base.location)
            found[f"ratio_to_{name}"] = found["whytune"]["tokens_a_second"] / found[name]["tokens_a_second"]
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--throughput", action="store_true")
    parser.add_argument("--against-transformers", action="store_true")
    chosen = parser.parse_args()
    found: dict[str, Any] = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as folder:
        found["overhead"] = overhead(Path(folder))
    if chosen.throughput:
        with tempfile.TemporaryDirectory() as folder:
            found["throughput"] = throughput(Path(folder), 1, against=chosen.against_transformers)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

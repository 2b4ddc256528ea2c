"""A stand-in service that really speaks the OpenAI protocol, on loopback; its answers and its illnesses can be chosen.

It is a plain HTTP/1.1 server in a thread: what it does wrong, it does on the wire. Its model answers `echo: <last turn>`,
or the last label or property of the schema that it was given.
"""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-local-0123456789"


@dataclass
class Behaviour:
    """What the server does. modes are used up one a request; then, or where none are given, `always`."""

    modes: list[str] = field(default_factory=list)
    always: str = "ok"
    key: str = ""
    models: tuple[str, ...] = ("tiny", "other")
    schema: bool = True
    usage: bool = True
    retry_after: str = "0.2"
    slow: float = 3.0
    delay: float = 0.0
    most: int = 1000
    """More requests at once are told 429."""
    dimensions: int = 4
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    now: int = 0
    peak: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_mode(self) -> str:
        with self.lock:
            return self.modes.pop(0) if self.modes else self.always


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement
    behaviour: Behaviour

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        mode = self.behaviour.next_mode() if self.behaviour.always == "html" else "ok"
        if not self.path.endswith("/models") or mode == "html":
            self.send(404 if mode == "ok" else 200, "<html><title>Shop</title></html>", "text/html")
        elif self.allowed():
            self.send(200, {"object": "list", "data": [{"id": name} for name in self.behaviour.models]})

    def do_POST(self) -> None:
        b = self.behaviour
        payload = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with b.lock:
            b.requests.append(payload)
            b.headers.append(dict(self.headers))
            b.times.append(time.monotonic())
            b.now += 1
            b.peak = max(b.peak, b.now)
            crowded = b.now > b.most
        try:
            time.sleep(b.delay)
            if crowded:
                self.fail(429, "Rate limit reached", "rate_limit_exceeded", {"Retry-After": b.retry_after})
            elif self.allowed():
                self.answer(payload, b.next_mode())
        finally:
            with b.lock:
                b.now -= 1

    def allowed(self) -> bool:
        if self.behaviour.key and self.headers.get("authorization") != f"Bearer {self.behaviour.key}":
            said = self.headers.get("authorization", "nothing")
            self.fail(401, f"Incorrect API key provided: {said}", "invalid_api_key")
            return False
        return True

    def answer(self, payload: dict[str, Any], mode: str) -> None:
        b = self.behaviour
        if payload["model"] not in b.models:
            self.fail(404, f"The model `{payload['model']}` does not exist", "model_not_found")
        elif self.ill(payload, mode):
            return
        elif self.path.endswith("/embeddings"):
            data = [
                {"index": i, "embedding": vector(t, b.dimensions)} for i, t in enumerate(payload["input"])
            ]
            self.send(200, {"object": "list", "data": data[::-1]})
        elif self.path != "/v1/chat/completions":
            self.send(404, "<html>no</html>", "text/html")
        elif "response_format" in payload and not b.schema:
            self.fail(400, "'response_format.type' must be text", "invalid_request_error")
        else:
            self.chat(payload, mode)

    def ill(self, payload: dict[str, Any], mode: str) -> bool:
        b, said = self.behaviour, str(payload.get("messages", payload.get("input")))
        if mode == "429":
            self.fail(429, "Rate limit reached", "rate_limit_exceeded", {"Retry-After": b.retry_after})
        elif mode == "quota":
            self.fail(429, "You exceeded your current quota", "insufficient_quota")
        elif mode.isdigit():
            self.fail(int(mode), "something about it", "some_error")
        elif mode == "redirect":
            self.send(307, "", "text/plain", {"Location": "http://elsewhere.example/"})
        elif mode == "slow":
            time.sleep(b.slow)
            self.send(200, "{}")
        elif mode == "html":
            self.send(200, "<!DOCTYPE html><html><title>Welcome</title></html>", "text/html")
        elif mode == "invalid json":
            self.send(200, '{"choices": [', "application/json")
        elif mode == "empty":
            self.send(200, "", "application/json")
        elif mode == "invalid utf-8":
            kind = "text/event-stream" if payload.get("stream") else "application/json"
            self.send(200, b'data: {"choices": "\xff\xfe"}\n\n', kind)
        elif mode in STRANGE:
            self.send(200, STRANGE[mode])
        elif mode == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif mode == "truncated body":
            self.head(200, "application/json", {"Content-Length": "500"})
            self.wfile.write(b'{"choices": [{"mess')
            self.close_connection = True
        elif mode == "no max_tokens" and "max_tokens" in payload:
            self.fail(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", "x")
        elif mode == "no temperature" and "temperature" in payload:
            self.fail(400, "Unsupported value: 'temperature' does not support 0", "unsupported_value")
        elif mode == "poison" and "poison" in said:
            self.fail(500, "assertion failed", "internal")
        elif mode == "strict" and "odd" in said:
            self.fail(400, "messages: unexpected value", "invalid_request_error")
        elif mode == "long" and "long" in said:
            self.fail(400, "This model's maximum context length is 10 tokens", "context_length_exceeded")
        elif mode == "filter" and "bad" in said:
            self.fail(400, "The response was filtered", "content_filter")
        else:
            return False
        return True

    def chat(self, payload: dict[str, Any], mode: str) -> None:
        text = "echo: " + payload["messages"][-1]["content"]
        if "response_format" in payload:
            schema = payload["response_format"]["json_schema"]["schema"]
            name, value = list(schema["properties"].items())[-1]
            text = json.dumps({name: value["enum"][-1] if "enum" in value else None})
        finish = "content_filter" if mode == "finish filter" else "stop"
        usage = {"prompt_tokens": 30, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 20}}
        if not payload.get("stream"):
            message = {"role": "assistant", "content": None if mode == "refusal" else text}
            message |= {"refusal": "I cannot help with that"} if mode == "refusal" else {}
            message |= {"content": [{"type": "text", "text": text}]} if mode == "parts" else {}
            body: dict[str, Any] = {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}
            self.send(200, body | ({"usage": usage} if self.behaviour.usage else {}))
            return
        pieces = [json.dumps({"choices": [{"delta": {"role": "assistant", "content": ""}}]})]
        pieces += [json.dumps({"choices": [{"delta": {"content": c}}]}, ensure_ascii=False) for c in text]
        if mode == "stream error":
            pieces[2:] = [json.dumps({"error": {"message": "out of memory", "code": 500}})]
        if mode == "truncated stream":
            pieces = pieces[:3]
        elif mode != "stream error":
            pieces.append(json.dumps({"choices": [{"delta": {}, "finish_reason": finish}]}, indent=1))
            if payload.get("stream_options", {}).get("include_usage") and self.behaviour.usage:
                pieces.append(json.dumps({"choices": [], "usage": usage}))
            pieces.append("[DONE]")
        self.stream(pieces, mode)

    def stream(self, pieces: list[str], mode: str) -> None:
        self.head(200, "text/event-stream; charset=utf-8", {"Transfer-Encoding": "chunked"})
        end = "\r\n" if mode == "crlf" else "\n"
        wire = f": keep-alive{end}{end}"
        for piece in pieces:
            wire += f"event: message{end}" + "".join(f"data: {line}{end}" for line in piece.split("\n")) + end
        data = wire.encode()
        # chunks end inside lines and inside characters
        step = {"ok": 3, "crlf": 3, "stalled": 50}.get(mode, 1000)
        for at in range(0, len(data), step):
            chunk = data[at : at + step]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            if mode == "stalled":
                time.sleep(self.behaviour.slow)
        if mode == "cut off":
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def fail(self, status: int, message: str, code: str, headers: dict[str, str] | None = None) -> None:
        self.send(status, {"error": {"message": message, "type": "error", "code": code}}, headers=headers)

    def send(
        self, status: int, body: Any, kind: str = "application/json", headers: dict[str, str] | None = None
    ) -> None:
        text = body if isinstance(body, str | bytes) else json.dumps(body)
        data = text if isinstance(text, bytes) else text.encode()
        self.head(status, kind, {"Content-Length": str(len(data)), **(headers or {})})
        self.wfile.write(data)

    def head(self, status: int, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


STRANGE: dict[str, Any] = {
    "no choices": {"id": "x"},
    "choices empty": {"choices": []},
    "choices text": {"choices": "yes"},
    "choice number": {"choices": [3]},
    "no message": {"choices": [{"index": 0}]},
    "content number": {"choices": [{"message": {"content": 42}}]},
    "a list": [1, 2],
    "vectors short": {"data": [{"index": 0, "embedding": [1.0]}]},
    "vectors text": {"data": [{"index": 0, "embedding": "AAAA"}]},
    "vectors zero": {"data": [{"index": 0, "embedding": [0.0, 0.0]}]},
    "vectors nan": '{"data": [{"index": 0, "embedding": [NaN, 1.0]}]}',
}


class Server(ThreadingHTTPServer):
    """Threads that a test leaves behind do not hold it up, and clients that hang up are no news."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Quiet."""


def vector(text: str, dimensions: int) -> list[float]:
    """A deterministic embedding."""
    digest = hashlib.sha256(text.encode()).digest()
    return [digest[i] - 127.5 for i in range(dimensions)]


@contextmanager
def serving(**behaviour: Any) -> Iterator[tuple[str, Behaviour]]:
    """The base address of a running server, and what it does and has seen."""
    does = Behaviour(**behaviour)
    server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"behaviour": does}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", does
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

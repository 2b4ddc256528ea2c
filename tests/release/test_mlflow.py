"""The mirror, against servers that are ill, and against a real MLflow server: `make mlflow` sets one up, `make deep` on CI does."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.release.abouts import ENGINE

from whytune.errors import NotAllowedError, UnavailableError, UsageError
from whytune.records.record import digest
from whytune.records.release import BoundBase, Manifest, Release
from whytune.release.mlflow import Mirror

FILES = {"card.md": b"# Card", "adapter/adapter_model.safetensors": bytes(range(256)) * 8}
METRICS = {"test.facts": 0.85, "test.facts.low": 0.81}


def release(number: int = 1) -> Release:
    manifest = Manifest(
        project="support", number=number, task="qna", purpose="answers", arm="rag", candidate="candidate:1",
        base=BoundBase(id="base:1", name="small", source="folder", digest="ab" * 32), adapter=None, index=None, prompt="prompt:1", engine=ENGINE, dataset="dataset:1",
        rows="r", policy="policy:1", decision="decision:1", acceptance="acceptance:1", evidence=(), approvals=(), solo=True, files={name: digest(content) for name, content in FILES.items()}, ledger_head="event:1",
        made="2026-11-22T14:00:00Z", by="olga",
    )  # fmt: skip
    return Release(
        project="support", number=number, candidate="candidate:1", arm="rag", dataset="dataset:1", acceptance="acceptance:1", solo=True, manifest=manifest,
        public_key="ab" * 32, signature="cd" * 64,
    )  # fmt: skip


@contextmanager
def ill(status: int, body: bytes) -> Iterator[str]:
    """A server that always says the same."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None: ...

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (500, b'{"message": "disk full"}', UnavailableError, "500: disk full"),
        (502, b"<html>bad gateway", UnavailableError, "502: <html>bad gateway"),
        (403, b'{"message": "no"}', NotAllowedError, "403 no"),
        (400, b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "name"}', UnavailableError, "400: name"),
    ],
)
def test_what_an_ill_server_says_is_told(status: int, body: bytes, error: type[Exception], words: str) -> None:
    with ill(status, body) as address, pytest.raises(error, match=words):
        Mirror(address).send(release(), FILES, METRICS, ())


def test_a_server_that_is_not_there_and_an_address_that_is_none() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UnavailableError, match="does not answer"):
        Mirror(f"http://127.0.0.1:{port}", timeout=2).send(release(), FILES, METRICS, ())
    for address in ("", "mlflow", "file:///tmp"):
        with pytest.raises(UsageError, match="not the address"):
            Mirror(address).send(release(), FILES, METRICS, ())
    assert "secret" not in repr(Mirror("http://x", token="secret"))


def mlflow(program: str) -> str | None:
    """A program of the virtual environment that holds MLflow, or of the path; None where there is none."""
    beside = Path(sys.prefix) / "mlflow" / "bin" / program
    return str(beside) if beside.is_file() else shutil.which(program) if shutil.which("mlflow") else None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real MLflow server on a free port. Left out with a reason where there is none, except on CI, where that is a failure."""
    command = mlflow("mlflow")
    if command is None and not os.environ.get("CI"):
        pytest.skip("no MLflow server is set up: make mlflow")
    assert command, "CI must have an MLflow server: make mlflow"
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONWARNINGS")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [command, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "files")],
            cwd=folder, stdout=log, stderr=log, env={**kept, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}, start_new_session=True,
        )  # fmt: skip
        address = f"http://127.0.0.1:{port}"
        try:
            deadline = time.monotonic() + 300
            while True:
                try:
                    if httpx.get(f"{address}/health", timeout=2).is_success:
                        break
                except httpx.HTTPError:
                    pass
                assert process.poll() is None, (folder / "log").read_text("utf-8", "replace")[-2000:]
                assert time.monotonic() < deadline, (folder / "log").read_text("utf-8", "replace")[-2000:]
                time.sleep(0.3)
            yield address
        finally:
            os.killpg(process.pid, 15)
            process.wait(30)


@pytest.mark.deep
def test_a_real_registry_holds_version_figures_files_and_aliases(server: str) -> None:
    sent = Mirror(server).send(release(), FILES, METRICS, ("champion", "support/challenger"))
    assert (sent.name, sent.version, sent.new, sent.aliases) == ("support", "1", True, ("champion", "challenger"))
    api = f"{server}/api/2.0/mlflow"
    version = httpx.get(f"{api}/model-versions/get", params={"name": "support", "version": "1"}).json()["model_version"]
    tags = {tag["key"]: tag["value"] for tag in version["tags"]}
    assert tags["whytune.release"] == release().id
    assert tags["whytune.independently_approved"] == "false"
    assert sorted(version["aliases"]) == ["challenger", "champion"]
    run = httpx.get(f"{api}/runs/get", params={"run_id": sent.run}).json()["run"]
    assert {metric["key"]: metric["value"] for metric in run["data"]["metrics"]} == METRICS
    assert run["info"]["status"] == "FINISHED"
    path = version["source"].removeprefix("mlflow-artifacts:/")
    for name, content in FILES.items():
        assert httpx.get(f"{server}/api/2.0/mlflow-artifacts/artifacts/{path.strip('/')}/{name}").content == content
    again = Mirror(server).send(release(), FILES, METRICS, ("champion",))
    assert (again.version, again.new) == ("1", False), "asked twice it is one version"
    other = Mirror(server).send(release(2), FILES, METRICS, ("champion",))
    assert (other.version, other.new) == ("2", True)
    champion = httpx.get(f"{api}/registered-models/alias", params={"name": "support", "alias": "champion"}).json()
    assert champion["model_version"]["version"] == "2"
    assert json.dumps(tags).count("token") == 0


READ = """
import hashlib, json, sys, pathlib
from mlflow import MlflowClient, artifacts
client = MlflowClient(sys.argv[1])
found = client.get_model_version_by_alias("support", "champion")
folder = pathlib.Path(artifacts.download_artifacts(artifact_uri=found.source, tracking_uri=sys.argv[1], dst_path=sys.argv[2]))
files = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}
print(json.dumps({"version": found.version, "tags": dict(found.tags), "aliases": list(found.aliases), "files": files}))
"""


@pytest.mark.deep
def test_what_mlflows_own_client_reads_back_has_the_digests_that_were_signed(server: str, tmp_path: Path) -> None:
    made = release(7)
    sent = Mirror(server).send(made, FILES, METRICS, ("champion",))
    python = mlflow("python")
    assert python
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONWARNINGS")}
    done = subprocess.run([python, "-c", READ, server, str(tmp_path)], capture_output=True, text=True, check=False, env={**kept, "MLFLOW_DISABLE_TELEMETRY": "true"})
    assert done.returncode == 0, done.stderr[-2000:]
    read = json.loads(done.stdout.splitlines()[-1])
    assert (str(read["version"]), read["aliases"]) == (sent.version, ["champion"])
    assert read["files"] == made.manifest.files
    bound = {"base_digest": made.manifest.base.digest, "dataset": "dataset:1", "policy": "policy:1", "acceptance": "acceptance:1", "ledger_head": "event:1", "public_key": made.public_key, "signature": made.signature}
    assert {name: read["tags"][f"whytune.{name}"] for name in bound} == bound

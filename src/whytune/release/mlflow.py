"""A release copied into an MLflow model registry, over MLflow's REST interface; MLflow itself is not needed here.

One registered model a project, one run and one version a release: files as the run's artifacts, figures as metrics, digests
and signers as tags, aliases as MLflow's aliases. Asked twice, the second time only aliases are brought up to date.

    Mirror("http://127.0.0.1:5000").send(release, files, metrics, ("champion",))
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from whytune.errors import NotAllowedError, UnavailableError, UsageError
from whytune.records.release import Release

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
EXPERIMENT = "whytune"


@dataclass(frozen=True)
class Sent:
    """What stands in the registry now."""

    name: str
    version: str
    run: str
    files: tuple[str, ...]
    aliases: tuple[str, ...]
    new: bool
    """Whether this version was made now."""


@dataclass
class Mirror:
    """One MLflow server. token: sent as a bearer token where one is given; it is never logged."""

    address: str
    token: str = field(default="", repr=False)
    timeout: float = 30.0

    def send(self, release: Release, files: Mapping[str, bytes], metrics: Mapping[str, float], aliases: Sequence[str]) -> Sent:
        """Copy it, or find the copy that is there. Raises UnavailableError with what the server said."""
        if urlsplit(self.address).scheme not in ("http", "https") or not urlsplit(self.address).hostname:
            raise UsageError(f"{self.address!r} is not the address of a server", next="write it as http://127.0.0.1:5000")
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        with httpx.Client(base_url=self.address.rstrip("/"), timeout=self.timeout, headers=headers) as client:
            name, wanted = release.project, {"whytune.release": release.id}
            self._ask(client, "POST", "/registered-models/create", {"name": name}, exists="RESOURCE_ALREADY_EXISTS")
            found = self._found(client, name, release)
            new = found is None
            if found is None:
                found = self._version(client, release, files, metrics, wanted)
            for alias in aliases:
                self._ask(client, "POST", "/registered-models/alias", {"name": name, "alias": _alias(alias), "version": found["version"]})
            return Sent(name, str(found["version"]), found.get("run_id", ""), tuple(sorted(files)), tuple(_alias(alias) for alias in aliases), new)

    def _found(self, client: httpx.Client, name: str, release: Release) -> dict[str, Any] | None:
        """The version that is a whole copy of this release: its tag is written last."""
        page = ""
        while True:
            asked = {"filter": f"name='{name}'", "max_results": "100", **({"page_token": page} if page else {})}
            given = self._ask(client, "GET", "/model-versions/search", asked)
            for version in given.get("model_versions", []):
                if any(tag.get("key") == "whytune.release" and tag.get("value") == release.id for tag in version.get("tags", [])):
                    return dict(version)
            page = given.get("next_page_token", "")
            if not page:
                return None

    def _version(self, client: httpx.Client, release: Release, files: Mapping[str, bytes], metrics: Mapping[str, float], tags: Mapping[str, str]) -> dict[str, Any]:
        experiment = self._experiment(client)
        now = int(time.time() * 1000)
        run = self._ask(client, "POST", "/runs/create", {"experiment_id": experiment, "run_name": f"{release.project}/{release.number}", "start_time": now})["run"]
        run_id, uri = run["info"]["run_id"], run["info"]["artifact_uri"]
        figures = [{"key": _key(key), "value": value, "timestamp": now, "step": 0} for key, value in metrics.items()]
        manifest = release.manifest
        told = {
            "candidate": manifest.candidate, "arm": manifest.arm, "base": manifest.base.name, "base digest": manifest.base.digest,
            "adapter digest": manifest.adapter.digest if manifest.adapter else "", "dataset": manifest.dataset, "policy": manifest.policy,
            "acceptance": manifest.acceptance, "ledger head": manifest.ledger_head, "independently approved": str(not release.solo).lower(),
            "public key": release.public_key, "signature": release.signature,
        }  # fmt: skip
        labels = [{"key": f"whytune.{key.replace(' ', '_')}", "value": value} for key, value in told.items() if value]
        self._ask(client, "POST", "/runs/log-batch", {"run_id": run_id, "metrics": figures, "params": [], "tags": labels})
        self._upload(client, uri, files)
        self._ask(client, "POST", "/runs/update", {"run_id": run_id, "status": "FINISHED", "end_time": int(time.time() * 1000)})
        made = self._ask(
            client, "POST", "/model-versions/create",
            {"name": release.project, "source": uri, "run_id": run_id, "tags": labels, "description": f"{manifest.purpose or manifest.task} ({manifest.arm})"},
        )["model_version"]  # fmt: skip
        for key, value in tags.items():
            self._ask(client, "POST", "/model-versions/set-tag", {"name": release.project, "version": made["version"], "key": key, "value": value})
        return dict(made)

    def _experiment(self, client: httpx.Client) -> str:
        given = self._ask(client, "GET", "/experiments/get-by-name", {"experiment_name": EXPERIMENT}, exists="RESOURCE_DOES_NOT_EXIST")
        if "experiment" in given:
            return str(given["experiment"]["experiment_id"])
        return str(self._ask(client, "POST", "/experiments/create", {"name": EXPERIMENT})["experiment_id"])

    def _upload(self, client: httpx.Client, uri: str, files: Mapping[str, bytes]) -> None:
        parts = urlsplit(uri)
        if parts.scheme != "mlflow-artifacts":
            raise UnavailableError(
                f"The server keeps files at {parts.scheme or 'a folder'}, which only it can reach", where=self.address,
                next="start it with --serve-artifacts (mlflow server does so by itself)",
            )  # fmt: skip
        for name, content in files.items():
            path = "/".join(quote(part) for part in f"{parts.path.lstrip('/')}/{name}".split("/"))
            self._sent(client, "PUT", f"{FILES}/{path}", content=content)

    def _ask(self, client: httpx.Client, method: str, path: str, body: Mapping[str, Any], exists: str = "") -> dict[str, Any]:
        kind = {"params": dict(body)} if method == "GET" else {"json": dict(body)}
        return self._sent(client, method, f"{API}{path}", exists=exists, **kind)

    def _sent(self, client: httpx.Client, method: str, path: str, exists: str = "", **content: Any) -> dict[str, Any]:
        try:
            answer = client.request(method, path, **content)
        except httpx.HTTPError as error:
            raise UnavailableError(f"The MLflow server does not answer: {error}", where=self.address, next="see that it runs, then send it again") from error
        try:
            said = answer.json() if answer.content else {}
        except ValueError:
            said = {"message": answer.text[:200]}
        if answer.is_success:
            return said if isinstance(said, dict) else {}
        if exists and isinstance(said, dict) and said.get("error_code") == exists:
            return {}
        told = said.get("message") if isinstance(said, dict) else ""
        if answer.status_code in (401, 403):
            raise NotAllowedError(f"The MLflow server refuses: {answer.status_code} {told or ''}".strip(), where=self.address, next="set MLFLOW_TRACKING_TOKEN to a token that may write")
        raise UnavailableError(f"The MLflow server says {answer.status_code}: {told or 'nothing more'}", where=f"{self.address}{path}", next="look at the server's log, then send it again")


def _alias(name: str) -> str:
    """MLflow's aliases hold letters, digits, dashes and underscores; a project stands in the model's name already."""
    return "".join(sign if sign.isalnum() or sign in "-_" else "-" for sign in name.rpartition("/")[2])


def _key(name: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "_-. /" else "_" for sign in name)

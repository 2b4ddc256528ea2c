"""What one release is and where it comes from: card, parts, ancestors, signatures, names it had. Reads only.

    page = pedigree(workspace, release)
    page.ancestors[0].name, page.card["use"]["purpose"], page.parts
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from whytune.errors import NotFoundError
from whytune.records.candidate import ARM_TITLES, Adapter, Base
from whytune.records.data import Dataset
from whytune.records.decision import Decision
from whytune.records.release import Acceptance, AliasMove, Approval, Release, Retirement
from whytune.workspace import privacy, registering, releasing
from whytune.workspace.registering import Listed

if TYPE_CHECKING:
    from whytune.workspace.workspace import Workspace


@dataclass(frozen=True)
class Ancestor:
    """One thing a release was made from. page: where the browser shows it, empty where it does not."""

    what: str
    name: str
    told: str
    id: str
    page: str = ""


@dataclass(frozen=True)
class Part:
    """A line of the bill of materials."""

    kind: str
    name: str
    version: str
    licence: str
    sha256: str


@dataclass(frozen=True)
class Pedigree:
    """Everything that a release's page shows; card is empty where a release has none."""

    listed: Listed
    card: dict[str, Any]
    parts: tuple[Part, ...]
    ancestors: tuple[Ancestor, ...]
    approvals: tuple[Approval, ...]
    acceptance: Acceptance | None
    retirement: Retirement | None
    moves: tuple[AliasMove, ...]


def pedigree(workspace: Workspace, release: Release) -> Pedigree:
    """The whole of one release."""
    privacy.check(workspace, release.project)
    store, manifest = workspace.store, release.manifest
    listed = next(each for each in registering.listed(workspace, release.project) if each.release.id == release.id)
    card, bom = _told(workspace, release, "card.json"), _told(workspace, release, "bom.json")
    return Pedigree(
        listed=listed, card=card, parts=tuple(_part(each) for each in bom.get("components", ())), ancestors=tuple(_ancestors(workspace, release)),
        approvals=tuple(store.get(Approval, each) for each in manifest.approvals), acceptance=_known(workspace, Acceptance, release.acceptance),
        retirement=releasing.retirement(workspace, release), moves=tuple(move for move in store.list(AliasMove) if release.id in (move.release, move.before)),
    )  # fmt: skip


def card(workspace: Workspace, release: Release) -> dict[str, Any]:
    """The model card as JSON values; empty where the release has none."""
    return _told(workspace, release, "card.json")


def _told(workspace: Workspace, release: Release, name: str) -> dict[str, Any]:
    if name not in release.manifest.files:
        return {}
    found: dict[str, Any] = json.loads(registering.document(workspace, release, name))
    return found


def _ancestors(workspace: Workspace, release: Release) -> list[Ancestor]:
    manifest, project = release.manifest, f"/projects/{release.project}"
    found = [Ancestor("Use case", manifest.project, manifest.purpose or manifest.task, "", f"{project}/map")]
    if dataset := _known(workspace, Dataset, manifest.dataset):
        counts = ", ".join(f"{count:,} {name}" for name, count in dataset.counts.items())
        found.append(Ancestor("Dataset", f"version {dataset.number}", counts, dataset.id, f"{project}/data/versions/{dataset.number}"))
    if base := _known(workspace, Base, manifest.base.id):
        found.append(Ancestor("Base model", base.name, f"licence {base.licence or 'not known'}", base.id))
    if manifest.adapter and (adapter := _known(workspace, Adapter, manifest.adapter.id)):
        found.append(Ancestor("Adapter", _brief(adapter.id), f"{manifest.adapter.method}, {adapter.rows:,} rows, best at step {adapter.best_step:,}", adapter.id, f"{project}/runs"))
    if manifest.index:
        found.append(Ancestor("Passages", _brief(manifest.index.id), f"{manifest.index.passages:,} passages", manifest.index.id, f"{project}/data/documents"))
    found.append(Ancestor("Candidate", ARM_TITLES.get(release.arm, release.arm), f"prompt {_brief(manifest.prompt)}", release.candidate))
    if manifest.decision and (decision := _known(workspace, Decision, manifest.decision)):
        found.append(Ancestor("Decision", decision.verdict.headline, decision.verdict.sentence, decision.id, f"{project}/decide"))
    if acceptance := _known(workspace, Acceptance, release.acceptance):
        found.append(Ancestor("Acceptance", "accepted" if acceptance.accepted else "refused", acceptance.sentence, acceptance.id, f"{project}/decide"))
    return found


def _known(workspace: Workspace, kind: type[Any], id: str) -> Any:
    try:
        return workspace.store.get(kind, id)
    except NotFoundError:  # a release that came from elsewhere may name what is not here
        return None


def _part(each: dict[str, Any]) -> Part:
    hashes = {one.get("alg", ""): one.get("content", "") for one in each.get("hashes", ())}
    licences = [one.get("license", {}) for one in each.get("licenses", ())]
    named = ", ".join(str(one.get("id") or one.get("name") or "") for one in licences)
    return Part(each.get("type", ""), each.get("name", ""), str(each.get("version", "")), named, hashes.get("SHA-256", ""))


def _brief(id: str) -> str:
    return id.rpartition(":")[2][:12]

"""Makes a release of what was accepted, and finds releases again: manifest, signature, card, datasheet, bill of materials.

    release = make(project)                  # RefusedError unless the newest acceptance still holds today
    whole(workspace, release)                # every digest computed again
    export(workspace, release, Path("out"))  # a folder that can be checked without this workspace
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from whytune.errors import NotFoundError, RefusedError, UsageError
from whytune.jobs.progress import Progress, Silent
from whytune.records.candidate import Adapter, Base, Candidate
from whytune.records.data import Dataset, Validation
from whytune.records.decision import Decision
from whytune.records.evidence import Trial
from whytune.records.proposal import DatasetApproval
from whytune.records.record import Record, canonical_json
from whytune.records.release import (
    Acceptance,
    Approval,
    BoundAdapter,
    BoundBase,
    BoundEngine,
    BoundIndex,
    Manifest,
    Policy,
    Release,
    Retirement,
)
from whytune.records.responsible import ResponsibleReport, Waiver
from whytune.records.review import HumanEvaluation, RowReview
from whytune.release import bom, card, datasheet, digests
from whytune.release import folder as folders
from whytune.release.about import About
from whytune.workspace import accepting, releasing, roles

if TYPE_CHECKING:
    from whytune.release.folder import Verified
    from whytune.workspace.project import Project
    from whytune.workspace.workspace import Workspace

R = TypeVar("R", bound=Record)
LOCAL = ("torch", "transformers", "tokenizers", "peft", "safetensors", "llguidance", "whytune")
REMOTE = ("httpx", "whytune")


@dataclass(frozen=True)
class Listed:
    """A release as it is listed: where it stands, and under which names it is live."""

    release: Release
    state: str
    """released, live or retired."""
    aliases: tuple[str, ...]


def make(project: Project, progress: Progress | None = None) -> Release:
    """Release what was accepted. The same acceptance gives the same release; a stale one is refused with every reason."""
    progress = progress or Silent()
    workspace, store = project.workspace, project.workspace.store
    roles.check(workspace.person, "release.made")  # before anything is hashed
    acceptance = store.latest(Acceptance, project.key)
    if acceptance is None:
        raise NotFoundError(f"Nothing was accepted for {project.name}", next=f"whytune accept {project.name}")
    if not acceptance.accepted:
        raise RefusedError(acceptance.sentence, problems=[objection.sentence for objection in acceptance.objections], next=f"whytune accept {project.name} --arm {acceptance.arm}")
    now = accepting.judge(project, acceptance.arm)
    if not now.accepted:
        raise RefusedError(
            "It was accepted and would not be today", problems=[objection.sentence for objection in now.objections], next=f"whytune accept {project.name} --arm {acceptance.arm}"
        )
    if now.id != acceptance.id:
        raise RefusedError("The evidence or the signatures are not those that were accepted", next=f"whytune accept {project.name} --arm {acceptance.arm}")
    for known in releasing.releases(workspace, project.key):
        if known.acceptance == acceptance.id and releasing.retirement(workspace, known) is None:
            return known
    progress.phase("hashing the base model", 0)
    about, bound = _about(project, acceptance)
    files = {name: store.put_blob(content) for name, content in _files(about, progress).items()}
    manifest = Manifest(
        project=project.key, number=about.number, task=about.usecase.task, purpose=about.usecase.purpose, arm=acceptance.arm,
        candidate=about.candidate.id, base=bound, adapter=_bound_adapter(workspace, about.adapter), index=_bound_index(workspace, about.candidate),
        prompt=about.candidate.prompt.id, engine=about.engine, dataset=about.dataset.id, rows=about.dataset.rows, documents=about.dataset.documents,
        policy=acceptance.policy, decision=acceptance.decision, acceptance=acceptance.id, evidence=acceptance.evidence, approvals=acceptance.approvals,
        solo=acceptance.solo, files=files, ledger_head=store.head()[1], made=about.made, by=workspace.person.name,
    )  # fmt: skip
    with project.act("release.made", read=[acceptance.id, about.candidate.id, about.dataset.id]) as act:
        signer = store.signer()
        act.facts.update(number=str(about.number), arm=acceptance.arm, solo=str(acceptance.solo).lower(), key=signer.public_key_hex)
        return act.write(
            Release(
                project=project.key, number=about.number, candidate=about.candidate.id, arm=acceptance.arm, dataset=about.dataset.id,
                acceptance=acceptance.id, solo=acceptance.solo, manifest=manifest, public_key=signer.public_key_hex,
                signature=signer.sign(folders.message(manifest)).hex(),
            )
        )


def listed(workspace: Workspace, project: str | None = None) -> list[Listed]:
    """Every release, newest first, with where it stands."""
    names: dict[str, list[str]] = {}
    for name, release in releasing.aliases(workspace).items():
        names.setdefault(release, []).append(name)
    gone = {each.release for each in workspace.store.list(Retirement)}
    return [
        Listed(each, "retired" if each.id in gone else "live" if each.id in names else "released", tuple(sorted(names.get(each.id, []))))
        for each in reversed(releasing.releases(workspace, project))
    ]


def search(workspace: Workspace, text: str, *, licence: str = "", task: str = "") -> list[Listed]:
    """Releases of the whole organisation in which every word of the text stands: name, purpose, task, approach, base model, licence, alias."""
    words = text.casefold().split()
    found = []
    for each in listed(workspace):
        manifest = each.release.manifest
        told = " ".join((
            manifest.project, str(manifest.number), manifest.purpose, manifest.task, manifest.arm, manifest.base.name, manifest.base.licence,
            each.state, *each.aliases, each.release.id, manifest.by,
        )).casefold()  # fmt: skip
        fits = all(word in told for word in words)
        if fits and licence.casefold() in ("", manifest.base.licence.casefold()) and task in ("", manifest.task):
            found.append(each)
    return found


def verify(workspace: Workspace, release: Release) -> list[str]:
    """Everything about a release that is not what was signed, this workspace's part in it included."""
    _, problems = releasing.examine(workspace, release)
    event = next((event for event in workspace.store.events(release.project) if event.act == "release.made" and release.id in event.wrote), None)
    if event is None:
        problems.append("no event of the ledger says that it was made")
    elif event.facts.get("key") != release.public_key:
        problems.append("the ledger says that it was signed with another key")
    return problems


def verify_folder(folder: Path, key: str = "") -> Verified:
    """An exported release, looked at without a workspace."""
    from whytune.store.keys import verify as check

    return folders.verify(folder, check, key)


def export(workspace: Workspace, release: Release, target: Path) -> list[str]:
    """Write the release as a folder that others can check. Refused where it is no longer what was signed."""
    ready = releasing.load(workspace, release)
    contents = {name: workspace.store.blob_path(kept).read_bytes() for name, kept in release.manifest.files.items()}
    return folders.write(release, contents, ready.adapter_folder, target)


def document(workspace: Workspace, release: Release, name: str) -> str:
    """One file of a release: card.md, card.json, datasheet.md, bom.json, ..."""
    files = release.manifest.files
    if name not in files:
        raise NotFoundError(f"The release has no {name}", where=f"there are: {', '.join(files)}", next="whytune release show RELEASE")
    return workspace.store.blob_path(files[name]).read_text("utf-8")


def retire(workspace: Workspace, release: Release, reason: str) -> Retirement:
    """Take a release out of use. Refused while a name stands for it."""
    if not reason.strip():
        raise UsageError("Retiring needs a reason", next='whytune release retire RELEASE --reason "..."')
    known = releasing.retirement(workspace, release)
    if known is not None:
        return known
    names = [name for name, stands in releasing.aliases(workspace).items() if stands == release.id]
    if names:
        raise RefusedError(
            f"Release {release.project}/{release.number} is live as {', '.join(names)}", next=f"whytune alias rollback {names[0]}, or set it to another release"
        )
    with workspace.act("release.retired", project=release.project, read=[release.id]) as act:
        act.facts["number"] = str(release.number)
        return act.write(Retirement(release=release.id, reason=reason.strip(), person=workspace.person.name))


def _about(project: Project, acceptance: Acceptance) -> tuple[About, BoundBase]:
    """What the release is told from, and its base model with today's digests. Heavy: the base model is hashed."""
    store = project.workspace.store
    candidate = store.get(Candidate, acceptance.candidate)
    base, dataset = store.get(Base, candidate.base), store.get(Dataset, acceptance.dataset)
    evidence = set(acceptance.evidence)

    def newest(kind: type[R], fits: Callable[[R], bool] = lambda _: True) -> R | None:
        return next((made for made in reversed(project.records(kind)) if made.id in evidence and fits(made)), None)

    validation = next((v for v in reversed(project.records(Validation)) if v.dataset == dataset.id), None)
    bound, base = _bound_base(project, base)
    engine = _engine(project, base, candidate)
    index = candidate.retrieval.index if candidate.retrieval else ""
    about = About(
        number=len(releasing.releases(project.workspace, project.key)) + 1, made=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        usecase=project.file.usecase, candidate=candidate, base=base, adapter=store.get(Adapter, candidate.adapter) if candidate.adapter else None,
        engine=engine, dataset=dataset, policy=store.get(Policy, acceptance.policy), acceptance=acceptance,
        approvals=[store.get(Approval, each) for each in acceptance.approvals],
        decision=store.get(Decision, acceptance.decision) if acceptance.decision else None, trial=newest(Trial, lambda t: t.split == "test"),
        validation=validation, report=newest(ResponsibleReport), waivers=[w for w in project.records(Waiver) if w.id in evidence],
        evaluation=newest(HumanEvaluation), row_review=newest(RowReview), dataset_approval=newest(DatasetApproval),
        passages=sum(1 for _ in store.passages.passages(index)) if index else 0,
    )  # fmt: skip
    return about, bound


def _files(about: About, progress: Progress) -> dict[str, bytes]:
    progress.phase("writing card, datasheet and bill of materials", 0)
    told = card.card(about)
    texts = {
        "card.md": card.markdown(told), "card.json": _json(told), "datasheet.md": datasheet.datasheet(about), "bom.json": _json(bom.bom(about, about.engine.versions.get("whytune", "from source"))),
        "candidate.json": canonical_json(about.candidate.model_dump(mode="json")), "acceptance.json": canonical_json(about.acceptance.model_dump(mode="json")),
        "policy.json": canonical_json(about.policy.model_dump(mode="json")),
    }  # fmt: skip
    return {name: text.encode() for name, text in texts.items()}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _bound_base(project: Project, base: Base) -> tuple[BoundBase, Base]:
    told = {"id": base.id, "name": base.name, "source": base.source, "digest": base.digest, "revision": base.revision, "licence": base.licence}
    if base.source == "endpoint":
        return BoundBase(**told), base
    from whytune.answering.backends.folder import folder_digest

    here = releasing.located(project.workspace, project.key, base)
    place = Path(here.location)
    if not place.is_dir():
        raise RefusedError(f"The base model {base.name} is no longer at {place}", next="put its folder back, or run again with the base model you have")
    found = folder_digest(place)
    if base.source != "bundled" and found != base.digest:
        raise RefusedError(f"The files of the base model {base.name} at {place} are not those that were measured", next=f"whytune run {project.name}")
    return BoundBase(**told, tokenizer=digests.tokenizer_digest(place), template=digests.template_digest(place), files=found), here


def _engine(project: Project, base: Base, candidate: Candidate) -> BoundEngine:
    settings, prompt = project.workspace.settings, candidate.prompt
    decoding = {"sampling": "none (greedy)", "max_new_tokens": str(prompt.decoding.max_new_tokens), "constrained": str(prompt.decoding.constrained).lower()}
    if base.source == "endpoint":
        return BoundEngine(name="endpoint", versions=releasing.versions(REMOTE), dtype="", decoding=decoding)
    dtype = settings.dtype
    if dtype == "auto":
        from whytune.answering.backends.machine import choose

        dtype = choose("auto", settings.threads, settings.device).dtype
    return BoundEngine(name="transformers", versions=releasing.versions(LOCAL), dtype=dtype, decoding=decoding)


def _bound_adapter(workspace: Workspace, adapter: Adapter | None) -> BoundAdapter | None:
    if adapter is None:
        return None
    files = digests.file_digests(workspace.store.folder_path(adapter.digest))
    return BoundAdapter(id=adapter.id, digest=adapter.digest, recipe=adapter.recipe.id, method=adapter.recipe.method, files=files)


def _bound_index(workspace: Workspace, candidate: Candidate) -> BoundIndex | None:
    if candidate.retrieval is None:
        return None
    index = workspace.store.passages.open(candidate.retrieval.index)
    return BoundIndex(id=index.id, content=index.content, passages=sum(1 for _ in index.passages()), files=digests.file_digests(index.folder))

"""A release: made once of what was accepted, looked at again whenever it is loaded, live under names whose history is kept."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.workspace.desks import acting
from tests.workspace.judged_desks import alone, desk, kept, operator, released, signed

from whytune.errors import NotAllowedError, NotFoundError, RefusedError, TamperedError, UsageError
from whytune.records.record import canonical_json
from whytune.records.release import Release
from whytune.settings import Settings
from whytune.workspace import accepting, aliasing, registering, releasing
from whytune.workspace.project import Project
from whytune.workspace.workspace import Workspace

TOLD = Settings(person="olga", dtype="float32")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one release, made by olga; not to be changed."""
    folder = tmp_path_factory.mktemp("released")
    shutil.copytree(kept(tmp_path_factory.getbasetemp()), folder, dirs_exist_ok=True)
    room = Workspace.open(folder)
    released(Project(room.as_person("root"), folder / "desk"))
    room.store.close()
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Iterator[Project]:
    """A copy of it, as olga works on it, with a base model of its own."""
    shutil.copytree(made, tmp_path / "room")
    room = Workspace.open(tmp_path / "room", settings=TOLD).as_person("olga")
    yield Project(room, room.root / "desk")
    room.store.close()


@pytest.fixture
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the base model's files are: beside the desk that was copied."""
    return kept(tmp_path_factory.getbasetemp()) / "base"


@pytest.fixture
def release(project: Project, base: Path) -> Iterator[Release]:
    """The release, whose base model is put back as it was afterwards."""
    before = {path: (path.read_bytes(), path.stat()) for path in base.iterdir()}
    yield releasing.releases(project.workspace)[0]
    for path in base.iterdir():
        if path not in before:
            path.unlink()
    for path, (content, stat) in before.items():
        path.write_bytes(content)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def again(project: Project) -> Release:
    """Another release of the same acceptance: the first one is retired."""
    first = releasing.releases(project.workspace)[0]
    registering.retire(project.workspace, first, "to make another")
    return registering.make(project)


def test_a_release_binds_everything_and_is_made_once(project: Project, release: Release) -> None:
    manifest = release.manifest
    assert registering.make(project).id == release.id
    assert manifest.base.files
    assert manifest.base.tokenizer
    assert manifest.base.template
    assert (manifest.engine.dtype, manifest.adapter, manifest.index) == ("float32", None, None)
    assert set(manifest.files) == {"card.md", "card.json", "datasheet.md", "bom.json", "candidate.json", "acceptance.json", "policy.json"}
    assert manifest.files["candidate.json"] == release.candidate.removeprefix("candidate:")
    event = next(event for event in project.workspace.events() if event.act == "release.made")
    assert manifest.ledger_head == event.previous, "the head of the ledger as it was"
    assert not release.solo
    assert "Not independently" not in registering.document(project.workspace, release, "card.md")


def test_loaded_it_has_all_that_answering_needs(project: Project, release: Release) -> None:
    ready = releasing.load(project.workspace, release)
    assert ready.candidate.id == release.candidate
    assert ready.dataset.labels == ("delay", "loss", "refund")
    assert ready.task.name == "categorization"
    assert (ready.adapter_folder, ready.adapter_digest, ready.index, ready.pool) == (None, "", "", ())
    assert Path(ready.base.location, "model.safetensors").is_file()
    assert (ready.dtype, ready.solo, ready.notices) == ("float32", False, ())


def weights(project: Project, release: Release) -> Release:
    place = Path(releasing.load(project.workspace, release).base.location) / "model.safetensors"
    stat = place.stat()
    place.write_bytes(b"weightz")
    os.utime(place, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as one does who wants not to be seen
    return release


def extra_file(project: Project, release: Release) -> Release:
    (Path(releasing.load(project.workspace, release).base.location) / "chat_template.jinja").write_text("{{ evil }}", "utf-8")
    return release


def card(project: Project, release: Release) -> Release:
    path = project.workspace.store.folder / "blobs"
    found = next(file for file in path.rglob("*") if file.name == release.manifest.files["card.md"])
    found.chmod(0o644)
    found.write_text("# A better card", "utf-8")
    return release


def manifest(project: Project, release: Release) -> Release:
    return release.model_copy(update={"manifest": release.manifest.model_copy(update={"solo": True})})


def beside(project: Project, release: Release) -> Release:
    return release.model_copy(update={"solo": True})


def signature(project: Project, release: Release) -> Release:
    return release.model_copy(update={"signature": "00" * 64})


def no_signature(project: Project, release: Release) -> Release:
    return release.model_copy(update={"signature": "not hexadecimal"})


def other_key(project: Project, release: Release) -> Release:
    from whytune.store.keys import signer

    mine = signer(project.folder / "mine.pem")
    changed = release.manifest.model_copy(update={"purpose": "something else"})
    message = canonical_json(changed.model_dump(mode="json")).encode()
    return release.model_copy(update={"manifest": changed, "public_key": mine.public_key_hex, "signature": mine.sign(message).hex()})


@pytest.mark.parametrize("change", [weights, extra_file, card, manifest, beside, signature, no_signature])
def test_whatever_is_changed_is_seen_and_not_served(project: Project, release: Release, change: Callable[[Project, Release], Release]) -> None:
    changed = change(project, release)
    room = Workspace.open(project.workspace.root, settings=TOLD).as_person("olga")
    with pytest.raises(TamperedError) as told:
        releasing.load(room, changed)
    assert told.value.problems
    with pytest.raises(TamperedError):
        aliasing.set_alias(room, "champion", changed)
    room.store.close()


def test_a_release_signed_by_somebody_else_is_not_in_the_ledger(project: Project, release: Release) -> None:
    forged = other_key(project, release)
    assert releasing.examine(project.workspace, forged)[1] == [], "by itself it is whole"
    assert registering.verify(project.workspace, forged) == ["no event of the ledger says that it was made"]


def test_a_base_model_that_is_gone_is_said(project: Project, release: Release, base: Path) -> None:
    base.rename(base.parent / "elsewhere")
    try:
        with pytest.raises((TamperedError, NotFoundError)):
            releasing.load(project.workspace, release)
    finally:
        (base.parent / "elsewhere").rename(base)


@pytest.mark.slow
def test_only_what_was_accepted_and_still_would_be_is_released(tmp_path: Path) -> None:
    project = desk(tmp_path)
    olga = operator(project)
    with pytest.raises(NotFoundError, match="Nothing was accepted"):
        registering.make(olga)
    bea = acting(project, "bea")
    accepting.accept(bea)
    with pytest.raises(RefusedError, match="not accepted"):
        registering.make(olga)
    signed(project)
    accepting.accept(bea)
    with pytest.raises(NotAllowedError):
        registering.make(Project(project.workspace.as_person("dana"), project.folder))
    accepting.sign(acting(project, "rita"), "responsible_ai", "reject", "seen something")
    with pytest.raises(RefusedError, match="would not be today") as told:
        registering.make(olga)
    assert any("seen something" in problem for problem in told.value.problems)


@pytest.mark.slow
def test_one_person_alone_is_stamped_everywhere(tmp_path: Path) -> None:
    project = alone(tmp_path)
    for role in ("business_owner", "responsible_ai", "tester"):
        accepting.sign(project, role, "approve", "nobody else")
    assert accepting.accept(project).accepted
    room = Workspace(project.workspace.root, project.workspace.store, Settings(dtype="float32"))
    release = registering.make(Project(room, project.folder))
    assert release.solo
    assert release.manifest.solo
    for name in ("card.md", "card.json", "bom.json"):
        assert "not independently approved" in registering.document(room, release, name)


def test_names_are_found_and_refused(project: Project, release: Release) -> None:
    room = project.workspace
    for name in (release.id, release.id[:16], release.id.removeprefix("release:")[:8], "desk/1"):
        assert releasing.named(room, name).id == release.id
    for name in ("desk/2", "abcdef", "r"):
        with pytest.raises(NotFoundError):
            releasing.named(room, name)
    with pytest.raises(NotFoundError, match="No release is live"):
        releasing.live(room, "champion")


def test_aliases_keep_their_history_and_roll_back(project: Project, release: Release) -> None:
    room = project.workspace
    aliasing.set_alias(room, "champion", release, "first")
    assert aliasing.set_alias(room, "champion", release).number == 1, "nothing moves where nothing changes"
    between = aliasing.history(room, "champion")[-1].when
    aliasing.set_alias(room, "stable", release)
    aliasing.remove(room, "champion", "")
    with pytest.raises(NotFoundError):
        releasing.live(room, "champion")
    with pytest.raises(NotFoundError, match="stands for nothing"):
        releasing.named(room, "champion")
    aliasing.set_alias(room, "champion", release, "back")
    assert [step.move.how for step in aliasing.history(room, "champion")] == ["set", "removed", "set"]
    then = aliasing.at(room, "champion", between)
    assert then.release is not None
    assert then.release.id == release.id
    assert {approval.person for approval in then.signed} == {"bea", "rita", "tess"}
    with pytest.raises(NotFoundError, match="stood for nothing"):
        aliasing.at(room, "champion", "2020-01-01")
    with pytest.raises(UsageError, match="not a time"):
        aliasing.at(room, "champion", "yesterday")
    with pytest.raises(NotFoundError, match="no earlier release"):
        aliasing.rollback(room, "champion", "worse")
    with pytest.raises(RefusedError, match="live as champion, stable"):
        registering.retire(room, release, "old")
    assert registering.search(room, "SMALL champion")[0].state == "live"
    assert registering.search(room, "desk", licence="mit") == []
    assert registering.search(room, "desk", task="categorization")
    assert registering.search(room, "poetry") == []


def test_rollback_goes_back_over_what_was_left_and_never_to_a_retired_one(project: Project, release: Release) -> None:
    room = project.workspace
    first = again(project)
    aliasing.set_alias(room, "champion", first)
    aliasing.remove(room, "champion", "")
    second = again_of(project, first)
    aliasing.set_alias(room, "champion", second)
    with pytest.raises(NotFoundError, match="no earlier release"):
        aliasing.rollback(room, "champion", "first is retired")
    with pytest.raises(RefusedError, match="is retired"):
        aliasing.set_alias(room, "champion", first)
    with pytest.raises(RefusedError, match="is retired"):
        releasing.load(room, release)


def again_of(project: Project, before: Release) -> Release:
    registering.retire(project.workspace, before, "to make another")
    return registering.make(project)


def test_back_and_forth_between_two_releases(project: Project, release: Release) -> None:
    room = project.workspace
    aliasing.set_alias(room, "champion", release)
    acting_bea = Project(room.as_person("bea"), project.folder)
    policy_changed = project.folder / "policy.toml"
    text = policy_changed.read_text("utf-8")
    policy_changed.write_text(text.replace("smallest = 10", "smallest = 11"), "utf-8")
    from whytune.workspace import policies

    policies.fix(acting_bea)
    signed(project)
    accepting.accept(acting_bea)
    second = registering.make(project)
    assert second.number == 2
    aliasing.set_alias(room, "champion", second, "newer policy")
    assert releasing.live(room, "champion").id == second.id
    with pytest.raises(UsageError, match="needs a reason"):
        aliasing.rollback(room, "champion", "")
    with pytest.raises(NotAllowedError):
        aliasing.rollback(room.as_person("bea"), "champion", "I do not like it")
    aliasing.rollback(room, "champion", "wrong about fees")
    assert releasing.live(room, "champion").id == release.id
    with pytest.raises(NotFoundError):
        aliasing.rollback(room, "champion", "once more")


def test_roll_forward_asks_the_gate_again(project: Project, release: Release) -> None:
    accepting.sign(Project(project.workspace.as_person("rita"), project.folder), "responsible_ai", "reject", "found a leak")
    accepting.accept(Project(project.workspace.as_person("bea"), project.folder))
    with pytest.raises(RefusedError, match="was refused") as told:
        aliasing.set_alias(project.workspace, "champion", release)
    assert any("found a leak" in problem for problem in told.value.problems)


def test_bad_names_and_people_without_the_role(project: Project, release: Release) -> None:
    room = project.workspace
    for name in ("", "a b", "../x", "a/b/c", "x" * 80):
        with pytest.raises(UsageError, match="cannot be an alias"):
            aliasing.set_alias(room, name, release)
    with pytest.raises(NotAllowedError):
        aliasing.set_alias(room.as_person("tess"), "champion", release)
    with pytest.raises(UsageError, match="needs a reason"):
        registering.retire(room, release, " ")


def test_an_exported_folder_is_checked_without_the_workspace(project: Project, release: Release, tmp_path: Path) -> None:
    out = tmp_path / "out"
    registering.export(project.workspace, release, out)
    looked = registering.verify_folder(out, release.public_key)
    assert looked.whole
    assert len(looked.elsewhere) == 1
    assert json.loads((out / "card.json").read_text("utf-8"))["title"] == "desk 1"
    with pytest.raises(UsageError, match="not an empty folder"):
        registering.export(project.workspace, release, out)
    assert not registering.verify_folder(out, "ab" * 32).whole

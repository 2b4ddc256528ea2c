"""A workspace with two signed releases of one use case, made record by record: what the pages about releases need, and no model."""

from __future__ import annotations

import json
from pathlib import Path

from tests.release.abouts import about

from whytune.records.content import Message
from whytune.records.record import Record
from whytune.records.release import AliasMove, BoundBase, Manifest, Release
from whytune.records.served import ConsumerKey, Dialogue, Response
from whytune.release import bom, card
from whytune.release.folder import message
from whytune.settings import Settings
from whytune.workspace import feedback
from whytune.workspace.feedback import Said
from whytune.workspace.workspace import Workspace

FILE = 'name = "support"\ntask = "qna"\n[data]\nfrom = ["rows.csv"]\n[acceptance]\nmetric = "facts"\nbar = 0.7\nmargin = 0.05\n'
SHOP = ConsumerKey(key="k1", consumer="shop")
DAYS = ("sunday", "monday", "tuesday", "wednesday")
EVIL = "<script>alert(1)</script>\x1b[31m\u202e"


def shelf(folder: Path) -> Workspace:
    """The workspace, for one person alone: releases support/1 and support/2, of which `champion` stands for the second."""
    room = Workspace.open(folder, settings=Settings(person="ada"), create=True)
    (folder / "support").mkdir()
    (folder / "support" / "whytune.toml").write_text(FILE, "utf-8")
    told = about()
    records = [told.usecase, told.dataset, told.base, told.adapter, told.candidate, told.policy, *told.approvals, told.decision, told.trial, told.validation, told.report, told.acceptance]
    _write(room, "project.created", *(record for record in records if record))
    before = ""
    for number in (1, 2):
        made = release(room, number)
        _write(room, "release.made", made)
        _write(room, "alias.set", AliasMove(name="champion", number=number, release=made.id, before=before, how="set", reason=f"better {EVIL}", person="ada"))
        before = made.id
    return room


def release(room: Workspace, number: int) -> Release:
    """A release of what `about` tells of, signed by this workspace."""
    told, store = about(number=number), room.store
    assert told.adapter
    files = {"card.json": card.card(told), "bom.json": bom.bom(told, "0.1.0")}
    base = told.base
    manifest = Manifest(
        project="support", number=number, task=told.usecase.task, purpose=f"Answer <b>customers</b> {EVIL}", arm=told.candidate.arm, candidate=told.candidate.id,
        base=BoundBase(id=base.id, name=base.name, source=base.source, digest=base.digest, licence=base.licence), adapter=None, index=None,
        prompt=told.candidate.prompt.id, engine=told.engine, dataset=told.dataset.id, rows=told.dataset.rows, policy=told.policy.id, decision=told.acceptance.decision,
        acceptance=told.acceptance.id, evidence=told.acceptance.evidence, approvals=tuple(each.id for each in told.approvals), solo=False,
        files={name: store.put_blob(json.dumps(content).encode()) for name, content in files.items()}, ledger_head="", made=told.made, by="ada",
    )  # fmt: skip
    signer = store.signer()
    return Release(
        project="support", number=number, candidate=told.candidate.id, arm=told.candidate.arm, dataset=told.dataset.id, acceptance=told.acceptance.id,
        solo=False, manifest=manifest, public_key=signer.public_key_hex, signature=signer.sign(message(manifest)).hex(),
    )  # fmt: skip


def said(room: Workspace, number: int, *, kept: bool = True, consent: bool = True) -> str:
    """A piece of feedback about an answer of the newest release; gives its id."""
    newest = room.store.list(Release)[-1]
    answered = Response(
        id=f"resp_{number}", release=newest.id, project="support", alias="champion", consumer=SHOP.consumer, key=SHOP.key, conversation=f"c-{number}",
        when="2026-11-01T10:00:00+00:00", tokens_in=9, tokens_out=3,
    )  # fmt: skip
    asked = (Message.of("user", f"When, {number}? {EVIL}"),)
    room.store.traffic.record([(answered, Dialogue(asked=asked, answer="On Friday.") if kept else None)])
    return feedback.receive(room, SHOP, Said(answered.id, "down", consent=consent, correction=f"On {DAYS[number]} {EVIL}")).id


def _write(room: Workspace, act: str, *records: Record) -> None:
    room.store.append_event(act, "support", room.person, records=records)

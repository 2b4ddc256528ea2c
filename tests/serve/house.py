"""A workspace with real releases of a tiny model, made record by record: what the gateway needs and no more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from whytune.answering.backends.folder import folder_digest
from whytune.answering.backends.models import calm, prepare_folder
from whytune.answering.retrieval.passages import cut
from whytune.records.candidate import Adapter, Base, Candidate, Prompt, Recipe, Retrieval
from whytune.records.data import Certificate, Dataset, Document, Origin, SplitPlan
from whytune.records.record import Record
from whytune.records.release import (
    AliasMove,
    BoundAdapter,
    BoundBase,
    BoundEngine,
    BoundIndex,
    Manifest,
    Release,
    Retirement,
)
from whytune.release.digests import file_digests
from whytune.release.folder import message
from whytune.settings import Settings
from whytune.tasks import TASKS
from whytune.workspace import releasing
from whytune.workspace.creating import SplitRow
from whytune.workspace.workspace import Workspace

ORIGIN = Origin(source="0" * 64, file="here")
CODES = {"allotment": "the code is lemon", "boathouse": "the code is quince", "chapel": "the code is walnut"}


def workspace(folder: Path) -> Workspace:
    """A new one, for one person alone, on one thread."""
    return Workspace.open(folder, settings=Settings(person="ada", threads=1, dtype="float32", device="cpu", cache=str(folder / "cache")), create=True)


def write(room: Workspace, *records: Record, project: str = "shop") -> None:
    """Put records as one act."""
    room.store.append_event("project.created", project, room.person, records=records)


def dataset(room: Workspace, task: str, labels: Sequence[str] = (), rows: Sequence[SplitRow] = ()) -> Dataset:
    """A version with these rows, or none."""
    seal = Certificate(same_group=0, exact=0, near=0, purged=0, pairs_verified=0, components=1, method="none")
    made = Dataset(
        project="shop", number=1, task=task, sources=(), plan=SplitPlan(), counts={"train": 0, "dev": 0, "test": 0}, removed={},
        labels=tuple(labels), certificate=seal, rows=room.store.put_pack(rows, "rows"), removals=room.store.put_pack([], "removals"),
    )  # fmt: skip
    write(room, made)
    return made


def adapter(room: Workspace, base: Base, made: Dataset, folder: Path, seed: int) -> Adapter:
    """A LoRA adapter with weights drawn by the seed: not trained, but each answers in its own way."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    with calm():
        model = AutoModelForCausalLM.from_pretrained(base.location, dtype="float32")
        tuned = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
    with torch.no_grad():
        for name, weights in tuned.named_parameters():
            if "lora_" in name:
                weights.normal_(0, 0.6)
    place = folder / f"adapter-{seed}"
    tuned.save_pretrained(place)
    kept = Adapter(
        base=base.id, recipe=Recipe(rank=4, seed=seed), dataset=made.id, prompt="", digest=room.store.put_folder(place), rows=1,
        trained_tokens=1, tokens=1, seconds=1.0, dtype="float32", best_step=1, curve=(),
    )  # fmt: skip
    write(room, kept)
    return kept


def index(room: Workspace) -> BoundIndex:
    """One document a place, and one that only the desk may read."""
    pages = [(place, text, ()) for place, text in CODES.items()] + [("safe", "the code is medlar", ("desk",))]
    documents = [Document(title=f"The {place}", text=f"For the {place} {text}.", access=access, origin=ORIGIN) for place, text, access in pages]
    passages = [passage for document in documents for passage in cut(document, words=40, overlap=5)]
    room.store.passages.build("index:places", passages)
    made = room.store.passages.open("index:places")
    return BoundIndex(id=made.id, content=made.content, passages=len(passages), files=file_digests(made.folder))


class House:
    """A workspace on one tiny model, from which releases are made."""

    def __init__(self, folder: Path, model: Path, task: str = "chat", labels: Sequence[str] = ()) -> None:
        self.folder = folder
        self.room = workspace(folder)
        self.base = prepare_folder(model, folder / "cache")
        self.dataset = dataset(self.room, task, labels)
        self.prompt: Prompt = TASKS[task].prompt(labels=tuple(labels))
        self.number = 0
        write(self.room, self.base)

    def release(self, *, seed: int = 0, rag: bool = False, tokens: int = 12, system: str = "") -> Release:
        """Sign one. seed: with the adapter of that seed; rag: with passages."""
        self.number += 1
        kept = adapter(self.room, self.base, self.dataset, self.folder, seed) if seed else None
        bound = index(self.room) if rag else None
        decoding = self.prompt.decoding.model_copy(update={"max_new_tokens": tokens})
        candidate = Candidate(
            base=self.base.id, prompt=self.prompt.model_copy(update={"decoding": decoding, "system": system or self.prompt.system}),
            adapter=kept.id if kept else "", retrieval=Retrieval(index=bound.id, k=2) if bound else None,
        )  # fmt: skip
        engine = BoundEngine(name="transformers", versions={}, dtype="float32", decoding={})
        base = BoundBase(id=self.base.id, name=self.base.name, source="folder", digest=self.base.digest, files=folder_digest(Path(self.base.location)))
        files = BoundAdapter(id=kept.id, digest=kept.digest, recipe=kept.recipe.id, method="lora", files={}) if kept else None
        manifest = Manifest(
            project="shop", number=self.number, task=self.dataset.task, purpose="", arm=candidate.arm, candidate=candidate.id, base=base,
            adapter=files, index=bound, prompt=candidate.prompt.id, engine=engine, dataset=self.dataset.id, rows=self.dataset.rows,
            policy="", decision="", acceptance="acceptance:0", evidence=(), approvals=(), solo=True, files={}, ledger_head="",
            made="2026-01-01T00:00:00+00:00", by="ada",
        )  # fmt: skip
        signer = self.room.store.signer()
        made = Release(
            project="shop", number=self.number, candidate=candidate.id, arm=candidate.arm, dataset=self.dataset.id, acceptance="acceptance:0",
            solo=True, manifest=manifest, public_key=signer.public_key_hex, signature=signer.sign(message(manifest)).hex(),
        )  # fmt: skip
        write(self.room, candidate, made)
        return made

    def point(self, alias: str, release: Release) -> None:
        """Have the alias stand for it."""
        moves = releasing.moves_of(self.room, alias)
        before = moves[-1].release if moves else ""
        write(self.room, AliasMove(name=alias, number=len(moves) + 1, release=release.id, before=before, how="set", reason="test", person="ada"))

    def retire(self, release: Release) -> None:
        """Take it out of use."""
        write(self.room, Retirement(release=release.id, reason="test", person="ada"))


def events_of(body: str) -> list[dict[str, object]]:
    """The JSON of every server-sent event, without the closing mark."""
    lines = [line.removeprefix("data: ") for line in body.split("\n\n") if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]

"""Find data, create dataset, validate dataset: from the files that `whytune.toml` names to one sealed version and its index.

Nothing is built twice: the version is known by its sources' hashes, how they are read, and the plan of the split.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from whytune.errors import DataError, RefusedError
from whytune.jobs.progress import Progress
from whytune.records.data import (
    Dataset,
    Document,
    Example,
    Finding,
    Passage,
    Source,
    SplitName,
    Validation,
)  # fmt: skip
from whytune.records.proposal import AcceptedRows, ProposedRow
from whytune.records.record import Value, canonical_json, digest
from whytune.records.release import Acceptance
from whytune.workspace import roles
from whytune.workspace.config import RetrievalSection
from whytune.workspace.erased import erased_ids, without
from whytune.workspace.reading import located, spec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from whytune.datasets.accepted import Taken
    from whytune.datasets.documents import Corpus
    from whytune.datasets.evidence import Linked
    from whytune.datasets.spec import Reading
    from whytune.datasets.split import Built
    from whytune.workspace.project import Project


class SplitRow(Value):
    """A row of the pack: an example and where it went."""

    split: SplitName
    example: Example


@dataclass(frozen=True)
class Prepared:
    """Everything of a version but its place in the store. `before` is the version it follows, `same` says that it is the same."""

    before: Dataset | None
    same: bool
    reading: dict[str, str]
    read: Reading | None = None
    corpus: Corpus | None = None
    linked: Linked | None = None
    built: Built | None = None
    anew: bool = True
    """Whether its test set goes on with none of an earlier version."""

    @property
    def counts(self) -> dict[SplitName, int]:
        """Rows a split."""
        if self.built:
            return self.built.counts
        return self.before.counts if self.before else {}


def prepare(project: Project, progress: Progress, *, to_keep: bool = False) -> Prepared:
    """Read, clean and split today's files by today's plan; nothing is kept. Where nothing changed, nothing is read.

    to_keep: whoever asks wants to keep it, and is refused before anything is read where they may not.
    """
    from whytune.datasets.accepted import merge
    from whytune.datasets.evidence import link_evidence
    from whytune.datasets.importing import read_source
    from whytune.datasets.inheriting import inherited
    from whytune.datasets.spec import Reading
    from whytune.datasets.split import Earlier, build
    from whytune.stats.power import smallest_difference

    file = project.file
    wanted = spec(file, project.folder)
    taken = project.records(AcceptedRows)
    if not wanted.paths and not taken:
        raise DataError("No data is named", where=f"{project.folder}/whytune.toml [data] from", next="add from = [\"FILE\"] under [data]")
    places = [*wanted.paths, *(p for p in (wanted.labels_file, wanted.mapping_file) if p), *_document_places(project)]
    told = {**file.data.model_dump(mode="json", by_alias=True, exclude_defaults=True), "files": _fingerprint(places)}
    if taken:
        told["accepted"] = [one.id for one in taken]
    gone = erased_ids(project)
    if gone:
        told["erased"] = digest("\n".join(sorted(gone)))
    reading = {key: canonical_json(value) for key, value in told.items()}
    before = project.latest_dataset
    if before and before.reading == reading and before.plan == file.split and before.task == file.task:
        return Prepared(before, True, reading)
    if to_keep:
        roles.check(project.workspace.person, "dataset.created")
    corpus = _corpus(project, progress)
    read = read_source(wanted, progress) if wanted.paths else Reading([], [], (), (), before.fields if before else ())
    linked = link_evidence(read.examples, corpus.documents) if corpus else None
    # Linked first: what was erased is known by the ids that rows and documents had when they were erased.
    examples, lost = without(linked.examples if linked else read.examples, gone)
    stood = [(row.example, row.split) for row in project.workspace.store.read_pack(before.rows, SplitRow)] if before else []
    previous = {**inherited(examples, stood, file.split.near), **{example.id: split for example, split in stood}} if before else None
    accepted = _accepted(project, taken, corpus)
    merged = merge(examples, accepted, project.task, read.fields, previous)
    if previous is not None and not {example.id for example in merged.examples} & previous.keys():
        previous = None  # other data altogether: no row says nearly what one of the version before said
        merged = merge(examples, accepted, project.task, read.fields, None)
    earlier = Earlier(merged.assigned, merged.train_side) if previous is not None or taken else None
    built = build(merged.examples, file.split, project.task, previous=earlier, power=lambda n: smallest_difference(n, 0.2), progress=progress)
    built.removals.extend([*merged.removals, *lost])
    if corpus and gone:
        corpus = replace(corpus, documents=[document for document in corpus.documents if document.id not in gone])
    sources = tuple(
        Source(file=one.proposal, sha256=one.rows, bytes=0, format="jsonl", encoding="utf-8", rows=one.count)
        for one in taken
    )
    return Prepared(before, False, reading, replace(read, sources=(*read.sources, *sources)), corpus, linked, built, not _goes_on(built, previous))


def _goes_on(built: Built, previous: Mapping[str, SplitName] | None) -> bool:
    """Whether a row of the test set was one in the version before."""
    return any((previous or {}).get(example.id) == "test" for example in built.of("test"))


def _accepted(project: Project, taken: Sequence[AcceptedRows], corpus: Corpus | None) -> list[Taken]:
    """What people accepted, oldest first, with the ids of today's documents."""
    from whytune.datasets.accepted import Taken, with_evidence

    found = []
    for one in taken:
        rows = list(project.workspace.store.read_pack(one.rows, ProposedRow))
        found.append(Taken(one.proposal, one.rows, one.kind, with_evidence(rows, corpus.documents) if corpus else rows))
    return found


def dataset(project: Project, progress: Progress, prepared: Prepared | None = None) -> Dataset:
    """The version for today's files and plan: the one there is, or a new one whose parent is the one before. prepared: read already."""
    ready = prepared or prepare(project, progress, to_keep=True)
    before, read, corpus, linked, built = ready.before, ready.read, ready.corpus, ready.linked, ready.built
    if before and ready.same:
        return before
    assert read is not None  # these are missing only where nothing changed
    assert built is not None
    file, store = project.file, project.workspace.store
    progress.phase("storing", len(built.rows), "rows")
    removals = [*read.problems, *(corpus.problems if corpus else ()), *built.removals]
    accepted = json.loads(ready.reading.get("accepted", "[]"))
    # A version that follows a "not accepted" says so: what it is to mend stands in that record.
    mends = [said.id for said in project.records(Acceptance) if before and said.dataset == before.id and not said.accepted][-1:]
    with project.act("dataset.created", read=[*([before.id] if before else []), *accepted, *mends]) as act:
        number = before.number + 1 if before else 1
        made = Dataset(
            project=project.key, number=number, task=file.task, parent=before.id if before else "",
            sources=(*read.sources, *(corpus.sources if corpus else ())), reading=ready.reading, plan=file.split, counts=built.counts,
            removed=dict(sorted(Counter(removal.reason for removal in removals).items())),
            labels=built.labels, fields=read.fields, certificate=built.certificate,
            rows=store.put_pack((SplitRow(split=where, example=example) for example, where in built.rows), "rows"),
            removals=store.put_pack(removals, "removals"),
            documents=store.put_pack(corpus.documents, "documents") if corpus else "",
            test_rows=digest("\n".join(sorted(example.id for example in built.of("test")))), test_since=before.test_since if before and not ready.anew else number,
        )  # fmt: skip
        act.facts["rows"] = ", ".join(f"{name} {count}" for name, count in made.counts.items())
        if before and ready.anew:
            act.facts["test set"] = f"begins anew: none of its rows was a test row of version {before.number}"
        if mends:
            act.facts["follows a no"] = mends[0]
        if linked:
            act.facts["linked to documents"] = f"{linked.declared} declared, {linked.found} found, {len(linked.unknown)} names unknown"
        act.write(made)
    progress.advance(len(built.rows))
    return made


def examples_of(project: Project, made: Dataset, split: SplitName) -> list[Example]:
    """The rows of one split."""
    return [row.example for row in project.workspace.store.read_pack(made.rows, SplitRow) if row.split == split]


def validate(project: Project, made: Dataset, progress: Progress) -> Validation:
    """Every check of the task over this version; kept once."""
    from whytune.checks import registry
    from whytune.checks.subject import Subject
    from whytune.workspace.ruling import ruler

    found = next((v for v in reversed(project.records(Validation)) if v.dataset == made.id), None)
    if found:
        return found
    splits: dict[SplitName, Sequence[Example]] = {name: examples_of(project, made, name) for name in ("train", "dev", "test")}
    findings: list[Finding] = registry.run(
        Subject(project.task, splits, made.certificate, made.labels, made.fields, made.removed, ruler(project, made)), progress
    )
    with project.act("dataset.checked", read=[made.id]) as act:
        act.facts["failed"] = ", ".join(f.check for f in findings if f.status == "fail") or "none"
        return act.write(Validation(dataset=made.id, findings=tuple(findings)))


def gate(project: Project, validation: Validation) -> None:
    """Nothing is trained or measured on data that failed a check."""
    failed = [finding for finding in validation.findings if finding.status == "fail"]
    if failed:
        raise RefusedError(
            "The dataset does not pass its checks, so nothing is measured on it",
            problems=[f"{finding.check}: {finding.message}" for finding in failed],
            next=f"mend the data, then: whytune run {project.name}; see whytune data check {project.name}",
        )


def index(project: Project, made: Dataset, progress: Progress) -> str:
    """The id of the passage index over this version's documents, built once; empty where there are no documents."""
    if not made.documents:
        return ""
    from whytune.answering.retrieval.passages import cut

    how = project.file.retrieval
    identity = index_id(made, how)
    indexes = project.workspace.store.passages
    if indexes.has(identity):
        return identity
    documents = list(project.workspace.store.read_pack(made.documents, Document))
    progress.phase("cutting documents", len(documents), "documents")
    passages: list[Passage] = []
    for document in documents:
        passages += cut(document, words=how.words, overlap=how.overlap)
        progress.advance()
    vectors = None
    if how.hybrid != "off":
        vectors = _vectors(passages, progress)
    with project.act("index.built", read=[made.id]) as act:
        indexes.build(identity, passages, vectors)
        act.facts.update(index=identity, passages=str(len(passages)), documents=str(len(documents)))
    return identity


def index_id(made: Dataset, how: RetrievalSection) -> str:
    """Documents and the way they are cut and embedded decide an index."""
    content = {"documents": made.documents, "words": how.words, "overlap": how.overlap, "vectors": how.hybrid != "off"}
    return f"index:{digest(canonical_json(content))}"


def _vectors(passages: Sequence[Passage], progress: Progress) -> NDArray[np.float32]:
    import numpy as np

    from whytune.answering.retrieval.passages import indexed_text
    from whytune.workspace.bases import embedder

    embed = embedder()
    progress.phase("embedding passages", len(passages), "passages")
    parts = []
    for start in range(0, len(passages), 64):
        batch = passages[start : start + 64]
        parts.append(embed([indexed_text(passage) for passage in batch]))
        progress.advance(len(batch))
    return np.concatenate(parts)


def _document_places(project: Project) -> list[Path]:
    return [located(project.folder, name) for name in project.file.data.documents]


def _corpus(project: Project, progress: Progress) -> Corpus | None:
    from whytune.datasets.documents import DocumentSpec, read_corpus

    places = _document_places(project)
    return read_corpus(places, DocumentSpec(access=project.file.data.access, root=project.folder), progress) if places else None


def _fingerprint(places: Sequence[Path]) -> str:
    """sha256 over the names and bytes of all files. Raises DataError naming every path that is not there."""
    missing = [str(place) for place in places if not place.exists()]
    if missing:
        raise DataError("Some files are not there", problems=missing, next="mend the paths under [data] in whytune.toml; they are relative to its folder")
    return digest("\n".join(f"{name}\t{_file_digest(path)}" for name, path in _files(places)))


def _files(places: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    for place in places:
        if place.is_dir():
            for path in sorted(place.rglob("*")):
                if path.is_file() and not path.is_symlink():
                    yield f"{place.name}/{path.relative_to(place).as_posix()}", path
        else:
            yield place.name, place


def _file_digest(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


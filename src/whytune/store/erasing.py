"""Taking a subject's bytes out of the store for good: rows of packs, passages, records that quote it, kept answers.

It decides nothing: the caller says what matches, and writes the ledger's event. What is erased leaves its place behind -
the leaf of a row, the id of a record - so that everything else can still be proven. The database is
written anew, and its log is folded in and emptied. What a disk, a backup or a snapshot of the file system keeps beside
that is out of reach.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, delete, select, update

from whytune.errors import NotFoundError, TamperedError
from whytune.records.data import Passage
from whytune.records.job import LIVE
from whytune.store import records as record_table
from whytune.store import tables
from whytune.store.blobs import Blobs
from whytune.store.database import Database
from whytune.store.failures import told
from whytune.store.files import TEMPORARY, remove, sweep_dead
from whytune.store.jobs import jobs, points
from whytune.store.opinions import opinions
from whytune.store.packs import Packs
from whytune.store.passages import Indexes
from whytune.store.submissions import submissions

Matches = Callable[[str], bool]
"""Whether a text, mostly JSON, speaks of the subject."""
PORTION = 500
_JOB_WORDS = {"arguments": "{}", "phase": "", "note": "", "said": "", "next": "", "error": ""}
"""Columns of a job that may quote a row, with what stands there once it is erased."""
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")


class QuotingRecord(NamedTuple):
    """A record whose content speaks of the subject."""

    id: str
    kind: str


class Erasing:
    """The one part of the store that takes away."""

    def __init__(self, database: Database, packs: Packs, blobs: Blobs, passages: Indexes) -> None:
        self._database = database
        self._packs = packs
        self._blobs = blobs
        self._passages = passages

    # Packs and indexes

    def packs(self) -> list[str]:
        """The digests of all packs."""
        return sorted(self._packs.digests())

    def lines(self, pack: str) -> Iterator[tuple[str, str]]:
        """(id, row as JSON) of each row that is there."""
        return self._packs.lines(pack)

    def kind(self, pack: str) -> str:
        """What the pack holds: rows, documents, answers, ..."""
        return self._packs.kind(pack)

    def can_blank(self, pack: str) -> bool:
        """Whether single rows can be erased from it: not where an earlier whytune wrote it."""
        return self._packs.gives_up_rows(pack)

    def blank_rows(self, pack: str, lost: Callable[[str, str], bool]) -> int:
        """Erase the rows for which `lost(id, row as JSON)` says so; gives how many."""
        return self._packs.redact(pack, lost)

    def erased_rows(self, pack: str) -> int:
        """How many rows of the pack were erased so far."""
        return self._packs.erased(pack)

    def indexes(self) -> list[str]:
        """The ids of all passage indexes."""
        return self._passages.ids()

    def passages(self, index: str) -> Iterator[Passage]:
        """All passages of an index."""
        return self._passages.passages(index)

    def take_out(self, index: str, lost: Callable[[Passage], bool]) -> tuple[str, ...]:
        """Take passages out of an index, for every process that has it open; gives their ids."""
        return self._passages.redact(index, lost)

    # The database

    def quoting(self, matches: Matches, project: str = "") -> list[QuotingRecord]:
        """Records whose content matches, of one project or of all."""
        with self._database.reading("look for a subject") as connection:
            rows = connection.execute(_records_of(project))
            return [QuotingRecord(row.id, row.kind) for row in rows if row.content != record_table.ERASED and matches(row.content)]

    def named_by(self, project: str) -> set[str]:
        """Every digest that a record of the project names: its packs are among them."""
        with self._database.reading("look for a subject") as connection:
            return {digest for row in connection.execute(_records_of(project)) for digest in _DIGEST.findall(row.content)}

    def blank_records(self, ids: Collection[str]) -> None:
        """Take the content of these records away; their ids stay, and whoever asks for one is told that it was erased."""
        if not ids:
            return
        with self._database.writing("erase records") as connection:
            # The guard is lifted inside this transaction only: nobody else ever sees the tables without it.
            _guard(connection, ("records", "placings"), up=False)
            for part in _portions(ids):
                connection.execute(update(tables.records).where(tables.records.c.id.in_(part)).values(content=record_table.ERASED))
                for id in part:
                    blank = {"beside": "{}", "seal": record_table.seal(id, "{}")}
                    connection.execute(update(tables.placings).where(tables.placings.c.record == id).values(**blank))
            _guard(connection, ("records", "placings"), up=True)

    def answers(self, items: Collection[str], matches: Matches) -> list[tuple[str, str]]:
        """(candidate, item) of kept answers to one of the items, or that match."""
        table, wanted = tables.answers, frozenset(items)
        with self._database.reading("look for a subject") as connection:
            rows = connection.execute(select(table.c.candidate, table.c.item, table.c.content))
            return [(row.candidate, row.item) for row in rows if row.item in wanted or matches(row.content)]

    def forget_answers(self, keys: Collection[tuple[str, str]]) -> None:
        """Delete kept answers."""
        table = tables.answers
        with self._database.writing("erase answers") as connection:
            for candidate, item in keys:
                connection.execute(delete(table).where(table.c.candidate == candidate, table.c.item == item))

    def said(self, matches: Matches, project: str = "") -> list[str]:
        """Jobs and forms whose words speak of it, by name: operational, and nothing rests on them. project: only its jobs."""
        with self._database.reading("look for a subject") as connection:
            rows = connection.execute(_jobs_of(project)).all()
            found = {f"job {row.id}" for row in rows if any(matches(getattr(row, name)) for name in _JOB_WORDS)}
            spoken = connection.execute(select(points.c.job, points.c.content).where(points.c.job.in_(_jobs_of(project).with_only_columns(jobs.c.id))))
            found |= {f"job {row.job}" for row in spoken if matches(row.content)}
            if not project:
                forms = connection.execute(select(submissions.c.once, submissions.c.location, submissions.c.said))
                found |= {f"form {row.once}" for row in forms if matches(row.location) or matches(row.said)}
        logs = ((row.id, self._log(row.id)) for row in rows)
        found |= {f"job {id}" for id, log in logs if log.is_file() and matches(log.read_text("utf-8", "replace"))}
        return sorted(found)

    def unsay(self, names: Collection[str]) -> None:
        """Blank the words of these jobs and forms; that they were, and how they ended, stays."""
        for name in names:
            kind, _, id = name.partition(" ")
            with self._database.writing("erase what a job said") as connection:
                if kind == "form":
                    connection.execute(update(submissions).where(submissions.c.once == id).values(location="/", said=""))
                else:
                    connection.execute(update(jobs).where(jobs.c.id == id).values(_JOB_WORDS))
                    connection.execute(delete(points).where(points.c.job == id))
            if kind == "job":
                self._log(id).unlink(missing_ok=True)

    def _log(self, job: str) -> Path:
        return self._database.file.parent / "jobs" / f"{job}.log"

    def left(self, matches: Matches) -> list[str]:
        """Every table in which a text still matches, with how many rows: `traffic_feedback: 2 rows`."""
        found = []
        with self._database.reading("look for a subject") as connection:
            for table in tables.metadata.sorted_tables:
                count = sum(any(isinstance(value, str) and matches(value) for value in row) for row in connection.execute(select(table)))
                found += [f"table {table.name}: {count} row{'s' if count > 1 else ''}"] if count else []
        return found

    def note(self, subject: str) -> Path:
        """Where an erasure that is at work notes what it found. subject: its keyed hash."""
        return self._database.file.parent / "erasing" / f"{subject}.json"

    def begun(self) -> list[str]:
        """When each erasure began that is at work now, or was cut short: UTC, ISO 8601, oldest first."""
        noted = [path.stat().st_mtime for path in self.note("*").parent.glob("*.json")]
        return [datetime.fromtimestamp(when, UTC).isoformat(timespec="seconds") for when in sorted(noted)]

    def rewrite(self) -> None:
        """Write the database anew, so that no page holds what was erased. Takes as much free space as it is large."""
        self._database.rewrite()

    def fold(self) -> bool:
        """Empty the database's log, so that nothing overwritten is left in it; False where another process holds it."""
        self._database.fold()
        log = self._database.file.with_name(f"{self._database.file.name}-wal")
        return not log.exists() or log.stat().st_size == 0

    def kept_files(self) -> Iterator[tuple[str, Path]]:
        """(digest, path) of every file that is kept, those of kept folders under the folder's digest."""
        return self._blobs.files()

    def runs(self) -> list[Path]:
        """The folders of training runs: checkpoints and notes to go on from. What came of them is kept elsewhere."""
        return sorted(path for path in (self._database.file.parent / "runs").glob("*") if path.is_dir())

    def drop_run(self, run: Path) -> None:
        """Remove the folder of a training run."""
        with told("remove a training run", run):
            remove(run)

    def unfinished(self) -> int:
        """Files that running processes have lying aside; what killed ones left is gone afterwards."""
        sweep_dead(self._database.file.parent)
        return sum(1 for _ in (self._database.file.parent / TEMPORARY).glob("*"))

    def written_about(self, matches: Matches) -> list[tuple[str, str]]:
        """(queue, item) of everything that reviewers wrote in their own words and that matches."""
        with self._database.reading("look for a subject") as connection:
            rows = connection.execute(select(opinions.c.queue, opinions.c.item, opinions.c.said).where(opinions.c.said != ""))
            return list(dict.fromkeys((row.queue, row.item) for row in rows if matches(row.said)))

    # The proof

    def damaged(self, accounted: Mapping[str, int]) -> list[str]:
        """Read everything that is kept and recompute its digest. accounted: rows that erasures blanked, by pack."""
        found: list[str] = []
        for pack in self.packs():
            try:
                erased = self._packs.check(pack)
            except (TamperedError, NotFoundError) as error:
                found.append(f"pack {pack}: {error.what}")
                continue
            if erased != accounted.get(pack, 0):
                found.append(f"pack {pack}: {erased} rows are blank, and erasures account for {accounted.get(pack, 0)}")
        for digest in self._blobs.digests():
            try:
                self._blobs.check(digest)
            except TamperedError as error:
                found.append(f"kept file or folder {digest}: {error.what}")
        return found


def _records_of(project: str) -> Select[tuple[str, str, str]]:
    query = select(tables.records.c.id, tables.records.c.kind, tables.records.c.content)
    if not project:
        return query
    placed = select(tables.placings.c.record).where(tables.placings.c.project == project)
    return query.where(tables.records.c.id.in_(placed))


def _jobs_of(project: str) -> Select[Any]:
    ended = select(jobs).where(jobs.c.state.not_in(LIVE))
    return ended.where(jobs.c.project == project) if project else ended


def _guard(connection: Connection, names: Collection[str], *, up: bool) -> None:
    for table in names:
        name = f"{table}_never_update"
        connection.exec_driver_sql(tables.triggers()[name] if up else f"DROP TRIGGER {name}")


def _portions(ids: Collection[str]) -> Iterator[list[str]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), PORTION):
        yield ordered[start : start + PORTION]

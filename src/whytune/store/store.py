"""The store's face: everything the rest of whytune may ask of it.

A store is one folder (`.whytune`): a database with the records, the ledger and the answers; packs of rows; blobs and
folders; passage indexes; locks. It knows no stage and no role; it adds and never changes.

Example:

    with Store.open(Path(".whytune"), create=True) as store:
        event = store.append_event("rule.set", "support", person, records=(rule,))
        assert store.get(AcceptanceRule, rule.id) == rule and store.verify().head == event.id
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack, overload

from whytune.records.evidence import Answer
from whytune.records.ledger import Event, Person
from whytune.records.record import Record, Value
from whytune.store import answers as answer_table
from whytune.store import keys, ledger
from whytune.store import records as record_table
from whytune.store.accounts import Accounts
from whytune.store.blobs import Blobs
from whytune.store.database import Database
from whytune.store.drafts import Drafts
from whytune.store.endpoints import Endpoints
from whytune.store.erasing import Erasing
from whytune.store.failures import told
from whytune.store.files import TEMPORARY, sweep
from whytune.store.jobs import Jobs
from whytune.store.ledger import Entry, LedgerReport
from whytune.store.locks import check_free, locked
from whytune.store.packs import Packs
from whytune.store.passages import Indexes
from whytune.store.queue import Queues
from whytune.store.submissions import Submissions
from whytune.store.traffic import Traffic

R = TypeVar("R", bound=Record)
V = TypeVar("V", bound=Value)


class Parts(TypedDict, total=False):
    """What an event may say beside act, project and person; the fields of `Entry`."""

    read: Sequence[str]
    wrote: Sequence[str]
    facts: Mapping[str, str]
    records: Sequence[Record]


class Store:
    """One open store. Use it as a context manager, or call `close`."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self._database = database
        self._peek = database.shortcut()
        self._packs = Packs(folder)
        self._blobs = Blobs(folder)
        self.passages = Indexes(folder)
        self.accounts = Accounts(database)
        self.queues = Queues(database)
        self.traffic = Traffic(database)
        self.jobs = Jobs(database, folder)
        self.drafts = Drafts(database)
        self.endpoints = Endpoints(database)
        self.submissions = Submissions(database)
        self.erasing = Erasing(database, self._packs, self._blobs, self.passages)
        self.key_file = folder / "keys" / keys.SIGNING
        self._hashing_key = folder / "keys" / keys.HASHING

    @classmethod
    def open(cls, folder: Path, create: bool = False) -> Store:
        """Open the store in that folder; with `create`, make it where there is none. Raises StoreError."""
        folder = folder.absolute()
        with told("open the store", folder):
            if create:
                folder.mkdir(parents=True, exist_ok=True)
            database = Database(folder, create=create)
            sweep(folder)
        return cls(folder, database)

    def close(self) -> None:
        """Give all files back."""
        self.passages.close()
        self.traffic.close()
        self.queues.close()
        self.jobs.close()
        self._peek.close()
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Records

    def put(self, *records: Record, project: str = "") -> None:
        """Keep records, all or none; those there already stay as they are. Durable when this returns.

        What no event wrote is told by `verify`: an act hands its records over with its event.
        """
        new = [record_table.spell(record) for record in records]
        self._database.commits.do("keep records", lambda held: record_table.put(held, new, project))

    def get(self, kind_cls: type[R], id: str) -> R:
        """The record of that id, checked against it. Raises NotFoundError or TamperedError."""
        with self._database.reading("read a record") as connection:
            return record_table.get(connection, kind_cls, id)

    def list(self, kind_cls: type[R], project: str | None = None) -> builtins.list[R]:
        """All records of a kind, of one project or of all, in the order they were first put."""
        with self._database.reading("list records") as connection:
            return record_table.listed(connection, kind_cls, project)

    def gather(self, kinds: Sequence[type[Record]], project: str) -> dict[type[Record], record_table.Gathered]:
        """All of a project's records of these kinds, in one view: what a page needs, read once."""
        with self._database.reading("read a project's records") as connection:
            return record_table.gathered(connection, kinds, project)

    def standing(self, kind_cls: type[R], project: str | None = None) -> builtins.list[R]:
        """As `list`, in the order they were last put: where two speak of one name, the later stands, though it be put again."""
        with self._database.reading("list records") as connection:
            return record_table.listed(connection, kind_cls, project, by_last_put=True)

    def latest(self, kind_cls: type[R], project: str) -> R | None:
        """The record of a kind that was put last into the project; None where there is none."""
        with self._database.reading("read a record") as connection:
            return record_table.latest(connection, kind_cls, project)

    def named_in(self, ids: Sequence[str]) -> dict[str, frozenset[str]]:
        """What each of these records names: the ids in its content. Ids that are no record here are left out."""
        with self._database.reading("follow the lineage") as connection:
            return record_table.named_in(connection, ids)

    # The ledger

    def append_event(self, act: str, project: str, person: Person, **parts: Unpack[Parts]) -> Event:
        """Write one act down, together with its records, in one transaction. Durable when this returns.

        read, wrote: ids; the ids of `records` are added to `wrote`. facts: short strings, never personal content.
        """
        return self.append_events([Entry(act, project, person, **parts)])[0]

    def append_events(self, entries: Iterable[Entry]) -> tuple[Event, ...]:
        """Write several acts down in one transaction, in their order."""
        ready = [ledger.ready(entry) for entry in entries]
        return self._database.commits.do("write to the ledger", lambda held: ledger.append(held, ready))

    def events(self, project: str | None = None, after: int = 0) -> Iterator[Event]:
        """Events after a number, oldest first, of one project or of all. Raises TamperedError at the first that was changed."""
        while True:
            with self._database.reading("read the ledger") as connection:
                page = ledger.page(connection, project, after)
            yield from page
            if not page:
                return
            after = page[-1].number

    def head(self) -> tuple[int, str]:
        """Number and id of the last event; (0, "") where there is none."""
        number, _, id = (self._peek.value(ledger.HEAD) or "0 ").partition(" ")
        return int(number), id

    def verify(self, head: str = "", known: Mapping[int, str] | None = None) -> LedgerReport:
        """Recompute every hash of the ledger and the records; look for everything that events say they wrote.

        head: the id of an event known from elsewhere (a release, a decision); known: ids by number, from checkpoints.
        Without any, a ledger whose end was cut off, or that was rewritten as a whole, looks whole.
        """
        with self._database.reading("verify the ledger") as connection:
            return ledger.verify(
                connection, head, chain(self._packs.digests(), self._blobs.digests()), known
            )

    # Rows, files and folders

    def put_pack(self, rows: Iterable[Value | Mapping[str, Any]], kind: str) -> str:
        """Keep rows in their order, streamed; gives the digest."""
        return self._packs.put(rows, kind)

    @overload
    def read_pack(self, digest: str, cls: type[V]) -> Iterator[V]: ...
    @overload
    def read_pack(self, digest: str, cls: None = None) -> Iterator[dict[str, Any]]: ...
    def read_pack(self, digest: str, cls: type[V] | None = None) -> Iterator[V] | Iterator[dict[str, Any]]:
        """Rows of a pack, streamed, as `cls` or as dictionaries. The whole pack is checked before the first row comes."""
        return self._packs.read(digest, cls) if cls else self._packs.read(digest)

    def pack_lines(self, digest: str) -> Iterator[str]:
        """Rows of a pack as their canonical JSON: the cheap way to see which of two packs' rows are the same."""
        return (line for _, line in self._packs.lines(digest))

    def erased_rows(self, digest: str) -> int:
        """How many rows of a pack were erased since it was written; reading goes on without them."""
        return self._packs.erased(digest)

    def put_blob(self, source: Path | bytes) -> str:
        """Keep a file or some bytes; gives the sha256."""
        return self._blobs.put(source)

    def blob_path(self, digest: str) -> Path:
        """The kept file, checked on its first opening in this process."""
        return self._blobs.path(digest)

    def put_folder(self, source: Path) -> str:
        """Keep a folder such as an adapter's; gives its digest."""
        return self._blobs.put_folder(source)

    def folder_path(self, digest: str) -> Path:
        """The kept folder, checked on its first opening in this process."""
        return self._blobs.folder(digest)

    # Answers

    def put_answers(self, answers: Sequence[Answer]) -> None:
        """Keep answers so that they are never computed twice. Durable when this returns."""
        with self._database.writing("keep answers") as connection:
            answer_table.put(connection, answers)

    def answers(self, candidate_id: str, item_ids: Sequence[str]) -> dict[str, Answer]:
        """What the candidate answered already, by item."""
        with self._database.reading("read answers") as connection:
            return answer_table.get(connection, candidate_id, item_ids)

    # Keys

    def signer(self) -> keys.Signer:
        """Who signs checkpoints and releases for this store: the key at `key_file`, made on first use."""
        return keys.signer(self.key_file)

    def keyed_hash(self, text: str) -> str:
        """What stands for a person's name or address in records: it cannot be guessed without this store's key."""
        return keys.keyed_hash(self._hashing_key, text)

    # The whole

    def lock(self, project: str, wait: float = 0.0) -> AbstractContextManager[None]:
        """Be the one process that works on a project. Raises LockedError after `wait` seconds naming the other; dies with the process."""
        return locked(self.folder / "locks", project, wait=wait)

    def check_unlocked(self, project: str) -> None:
        """Raise LockedError where a process works on a project; takes the lock from nobody."""
        check_free(self.folder / "locks", project)

    def disk_use(self) -> dict[str, int]:
        """Bytes by what they hold: database, packs, blobs, folders, indexes, temporary."""
        parts = {
            "database": "store.db*",
            "packs": "packs/**/*",
            "blobs": "blobs/**/*",
            "folders": "folders/**/*",
        }
        parts |= {"indexes": "indexes/**/*", TEMPORARY: f"{TEMPORARY}/**/*"}
        with told("look at the store", self.folder):
            return {
                name: sum(path.lstat().st_size for path in self.folder.glob(pattern) if path.is_file())
                for name, pattern in parts.items()
            }

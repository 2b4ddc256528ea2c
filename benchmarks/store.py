"""How fast the store is, on generated data: run `python benchmarks/store.py` and read the JSON it prints.

It measures acts a second (one by one, by several threads and processes, and in one transaction) beside what this disk and
SQLite can do at most, answers a second, a pack of 100,000 rows (seconds and
memory), finding and blanking a subject in such a pack, and searches over 100,000 passages by words and by embedding.
Passages are drawn word by word from a vocabulary whose frequencies fall as in natural text (Zipf), vectors at random: for
exact search their values do not matter. Questions are words of a passage, common ones included.

    python benchmarks/store.py --passages 20000 --rows 20000      # a quick look
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import platform
import resource
import shutil
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy

from whytune.records.data import Document, Example, Origin, Passage
from whytune.records.evidence import Answer
from whytune.records.ledger import Person
from whytune.records.project import AcceptanceRule
from whytune.store.store import Entry, Store
from whytune.workspace.subjects import Sought

WORDS, DIMENSIONS, QUESTIONS, K = 60_000, 384, 200, 10
PERSON = Person(name="bench", roles=("admin",), solo=True)


def timed(work: Callable[[], Any]) -> float:
    """Seconds that the work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak_mb() -> int:
    """Most memory this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def acts(folder: Path, n: int = 2_000, blocks: int = 10) -> dict[str, float]:
    """Acts a second, each with a record and on the disk when it returns; beside them what this disk can do at most.

    fsync: 4 KB and a flush, at the end of a file or over what is there. sqlite: a commit of one row of an act's size by the
    bare driver with the store's settings; and of all the rows and indexes that an act writes, made beforehand. All take
    turns in short blocks, since a disk that others use too is now fast and now slow.
    """
    size, count = n // blocks, itertools.count()
    with Store.open(folder / "acts", create=True) as store, Store.open(folder / "copied", create=True), (folder / "flushed").open("wb") as flushed:
        acts_of(store, count, n)
        kept = copied_rows(folder / "acts", n)
        bare, whole = bare_connection(folder / "bare.db"), bare_connection(folder / "copied" / "store.db")
        bare.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
        block = bytes(4096)

        def flush(place: int | None) -> None:
            for each in range(size):
                os.pwrite(flushed.fileno(), block, (flushed.seek(0, 2) // 4096 if place is None else place + each) * 4096)
                os.fdatasync(flushed.fileno())

        def insert(connection: sqlite3.Connection, transactions: Sequence[Sequence[tuple[str, Sequence[Any]]]]) -> None:
            for each in transactions:
                connection.execute("BEGIN IMMEDIATE")
                for statement, given in each:
                    connection.execute(statement, given)
                connection.execute("COMMIT")

        ways: dict[str, Callable[[int], None]] = {
            "fsync_appending": lambda _: flush(None),
            "fsync_overwriting": lambda _: flush(0),
            "sqlite_one_row": lambda _: insert(bare, [[("INSERT INTO t (b) VALUES (?)", ["x" * 900])]] * size),
            "sqlite_the_rows_of_an_act": lambda at: insert(whole, kept[at * size : (at + 1) * size]),
            "acts_one_by_one": lambda _: acts_of(store, count, size),
            "acts_of_4_threads": lambda _: by_threads(store, count, size, 4),
            "acts_of_16_threads": lambda _: by_threads(store, count, size, 16),
        }
        spent = dict.fromkeys(ways, 0.0)
        for at in range(blocks):
            for name, way in ways.items():
                spent[name] += timed(lambda way=way, at=at: way(at))  # type: ignore[misc]
        busy = time.process_time()
        alone = timed(lambda: acts_of(store, count, size))
        busy = time.process_time() - busy
        entries = [Entry("bench.act", "bench", PERSON, read=("rule:x",)) for _ in range(10 * n)]
        at_once = timed(lambda: store.append_events(entries))
        verify = timed(store.verify)
        bare.close()
        whole.close()
    found = {f"{name}_per_second": round(size * blocks / seconds) for name, seconds in spent.items()}
    found["acts_of_4_processes_per_second"] = round(size * 4 / by_processes(folder / "acts", size, 4))
    return found | {
        "act_cpu_ms": round(1000 * busy / size, 2),
        "act_wall_ms": round(1000 * alone / size, 2),
        "acts_in_one_transaction_per_second": round(len(entries) / at_once),
        "verify_seconds_for_acts": round(verify, 2),
    }


def acts_of(store: Store, count: Iterator[int], n: int) -> None:
    """n acts, each with a record that nobody wrote before."""
    for _ in range(n):
        rule = AcceptanceRule(metric=f"m{next(count)} {os.getpid()}", bar=0.5, margin=0.1)
        store.append_event("bench.act", "bench", PERSON, records=(rule,))


def by_threads(store: Store, count: Iterator[int], n: int, threads: int) -> None:
    """The same by several threads of one process."""
    crew = [threading.Thread(target=acts_of, args=(store, count, n // threads)) for _ in range(threads)]
    for each in crew:
        each.start()
    for each in crew:
        each.join()


def by_processes(folder: Path, n: int, processes: int) -> float:
    """Seconds that several processes take for n acts each, from when all have opened the store."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(processes + 1)
    crew = [context.Process(target=_process, args=(folder, n, ready)) for _ in range(processes)]
    for each in crew:
        each.start()
    ready.wait(120)
    begun = time.perf_counter()
    for each in crew:
        each.join()
        assert each.exitcode == 0
    return time.perf_counter() - begun


def _process(folder: Path, n: int, ready: Any) -> None:
    with Store.open(folder) as store:
        ready.wait(120)
        acts_of(store, itertools.count(), n)


def bare_connection(file: Path) -> sqlite3.Connection:
    """SQLite as the store sets it."""
    held = sqlite3.connect(file, isolation_level=None)
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
        held.execute(f"PRAGMA {setting}")
    return held


def copied_rows(folder: Path, n: int) -> list[list[tuple[str, Sequence[Any]]]]:
    """For each of n acts the statements that write its rows again elsewhere."""
    with sqlite3.connect(folder / "store.db") as held:
        tables = [held.execute(f"SELECT * FROM {table} ORDER BY rowid LIMIT {n}").fetchall() for table in ("records", "placings", "events")]
    held.close()
    statements = ["INSERT INTO records VALUES (?,?,?)", "INSERT INTO placings VALUES (?,?,?,?,?,?)", "INSERT INTO events VALUES (?,?,?,?)"]
    return [list(zip(statements, act, strict=True)) for act in zip(*tables, strict=True)]


def answers(store: Store, n: int = 20_000, batch: int = 32) -> dict[str, float]:
    """Answers a second, durable after every batch."""
    made = [
        Answer(
            candidate="candidate:x",
            item=f"example:{place}",
            text="An answer.",
            tokens_in=90,
            tokens_computed=20,
            tokens_out=9,
            seconds=0.1,
        )
        for place in range(n)
    ]

    def keep() -> None:
        for start in range(0, n, batch):
            store.put_answers(made[start : start + batch])

    seconds = timed(keep)
    items = [answer.item for answer in made]
    return {
        "answers_kept_per_second": round(n / seconds),
        "answers_read_per_second": round(n / timed(lambda: store.answers("candidate:x", items))),
    }


def rows(n: int) -> Iterator[Example]:
    """Examples such as an import makes."""
    for place in range(n):
        origin = Origin(source="0" * 64, file="rows.csv", line=place + 2)
        text = f"Row {place}: the parcel with number {place * 7919 % 1_000_003} has not arrived, what can I do about it?"
        yield Example.of(text, f"category_{place % 77}", origin=origin)


def packs(store: Store, n: int) -> dict[str, float]:
    """Writing and reading a pack, streamed; memory is what the process held at most by then."""
    before = peak_mb()
    kept: list[str] = []
    write = timed(lambda: kept.append(store.put_pack(rows(n), "examples")))
    check_and_read = timed(lambda: sum(1 for _ in store.read_pack(kept[0], Example)))
    read = timed(lambda: sum(1 for _ in store.read_pack(kept[0], Example)))
    return {
        "pack_rows": n,
        "pack_write_seconds": round(write, 2),
        "pack_check_and_read_seconds": round(check_and_read, 2),
        "pack_read_again_seconds": round(read, 2),
        "pack_mb": round(store.disk_use()["packs"] / 1e6, 1),
        "pack_memory_added_mb": peak_mb() - before,
    }


def passages(n: int, chance: numpy.random.Generator) -> list[Passage]:
    """Passages of 60 to 140 words with natural frequencies; one in ten may be read only by "staff"."""
    weights = numpy.cumsum(1 / numpy.arange(1, WORDS + 1) ** 1.05)
    vocabulary = numpy.array([f"w{place:x}q" for place in range(WORDS)])
    document = Document(title="Handbook", text="x", origin=Origin(source="0" * 64, file="x")).id
    made = []
    for place in range(n):
        drawn = vocabulary[numpy.searchsorted(weights, chance.random(chance.integers(60, 140)) * weights[-1])]
        text = " ".join(drawn)
        access = ("staff",) if place % 10 == 0 else ()
        made.append(
            Passage(
                document=document,
                title="Handbook > Part",
                text=text,
                start=place,
                end=place + len(text),
                access=access,
            )
        )
    return made


def erasing(store: Store, n: int) -> dict[str, float]:
    """Finding one subject among n rows and blanking its rows; a full audit of everything that is kept."""
    kept = store.put_pack(rows(n), "examples")
    sought = Sought("parcel with number 7919")
    found: list[int] = []
    look = timed(lambda: found.append(sum(sought.in_json(line) for _, line in store.erasing.lines(kept))))
    blank = timed(lambda: store.erasing.blank_rows(kept, lambda _, line: sought.in_json(line)))
    assert store.erased_rows(kept) == found[0] > 0
    return {
        "erase_rows": n,
        "erase_look_seconds": round(look, 2),
        "erase_blank_seconds": round(blank, 2),
        "deep_audit_seconds": round(timed(lambda: store.erasing.damaged({kept: found[0]})), 2),
    }


def searches(store: Store, n: int) -> dict[str, Any]:
    """Building an index and asking it: milliseconds for words, for embedding, and for both after one another."""
    chance = numpy.random.default_rng(17)
    made = passages(n, chance)
    vectors = chance.standard_normal((n, DIMENSIONS), dtype=numpy.float32)
    build = timed(lambda: store.passages.build("index:bench", made, vectors))
    index = store.passages.open("index:bench")
    questions = []
    for _ in range(QUESTIONS):
        words = made[int(chance.integers(n))].text.split()
        questions.append(
            (" ".join(chance.choice(words, size=10, replace=False)), chance.standard_normal(DIMENSIONS))
        )
    by_words, by_vector, both = [], [], []
    for question, vector in questions:
        start = time.perf_counter()
        index.search(question, K)
        between = time.perf_counter()
        index.vector_search(vector.astype(numpy.float32), K)
        end = time.perf_counter()
        by_words.append(between - start)
        by_vector.append(end - between)
        both.append(end - start)
    return {
        "passages": n,
        "index_build_seconds": round(build, 1),
        "index_mb": round(store.disk_use()["indexes"] / 1e6),
        "words_ms": spread(by_words),
        "embedding_ms": spread(by_vector),
        "both_ms": spread(both),
    }


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds: the median, and what 95 of 100 stay below."""
    ordered = sorted(1000 * second for second in seconds)
    return {
        "p50": round(statistics.median(ordered), 2),
        "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=100_000)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="whytune-bench-"))
    try:
        with Store.open(folder / ".whytune", create=True) as store:
            told: dict[str, Any] = {"python": platform.python_version(), "machine": platform.machine()}
            told |= packs(store, asked.rows)
            told |= acts(folder)
            told |= answers(store)
            told |= erasing(store, asked.rows)
            told |= searches(store, asked.passages)
        print(json.dumps(told, indent=2))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

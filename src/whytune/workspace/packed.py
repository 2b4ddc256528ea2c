"""Rows of a pack by their place, their words or their id, without parsing those that are not asked for.

A row of a dataset's pack is one line of canonical JSON, `{"example":{...},"split":"train"}`; quotation marks within texts
are escaped, so the marks looked for here can only be the row's own.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from whytune.records.data import Example, SplitName
from whytune.records.record import digest
from whytune.workspace.creating import SplitRow

if TYPE_CHECKING:
    from whytune.store.store import Store

T = TypeVar("T")
HELD = 32
"""Sums that are kept in memory, the oldest first to go."""
LINES_HELD = 48_000_000
"""Characters of packs that are kept in memory, so that going from page to page reads no file. A larger pack is streamed."""
_sums: dict[tuple[str, str, str], tuple[int, Any]] = {}
_lines: dict[tuple[str, str], tuple[int, int, list[str]]] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class RowsFound:
    """One page of rows, and how many there are in all."""

    total: int
    rows: list[SplitRow]


def rows(store: Store, pack: str, splits: Collection[SplitName], query: str = "", *, offset: int = 0, limit: int = 50) -> RowsFound:
    """Rows of these splits that say `query` somewhere, in any case, in the order of the pack."""
    ends = tuple(f'"split":"{split}"}}' for split in splits)
    sought = query.casefold()
    # As it stands in a line: a text that cannot be there spares parsing the row.
    spelled = json.dumps(query, ensure_ascii=False)[1:-1].casefold()
    total, found = 0, []
    for line in lines(store, pack) if ends else ():
        if not line.endswith(ends) or (sought and (spelled not in line.casefold() or not _says(line, sought))):
            continue
        if offset <= total < offset + limit:
            found.append(SplitRow.model_validate_json(line))
        total += 1
    return RowsFound(total, found)


def by_id(store: Store, pack: str, ids: Collection[str]) -> dict[str, SplitRow]:
    """The rows of these ids, whatever their split; those that are not there, or were erased, are left out."""
    return of_ids(lines(store, pack), ids)


def of_ids(lines: Iterable[str], ids: Collection[str]) -> dict[str, SplitRow]:
    """Of these lines of a pack the rows of these ids."""
    wanted = set(ids)
    found: dict[str, SplitRow] = {}
    for line in lines if wanted else ():
        id = id_of(line)
        if id in wanted:
            found[id] = SplitRow.model_validate_json(line)
            if len(found) == len(wanted):
                break
    return found


def examples(store: Store, pack: str, split: SplitName) -> list[Example]:
    """The examples of a split, with their ids: rows of other splits are not parsed, and no id is worked out from a parsed one."""
    end, found = f'"split":"{split}"}}', []
    for line in lines(store, pack):
        if line.endswith(end):
            found.append(SplitRow.model_validate_json(line).example)
            found[-1].__dict__["id"] = id_of(line)
    return found


def saying(store: Store, pack: str, query: str) -> set[int]:
    """Places, from 0, of the lines that say `query` somewhere, in any case."""
    spelled = json.dumps(query, ensure_ascii=False)[1:-1].casefold()
    return {place for place, line in enumerate(lines(store, pack)) if spelled in line.casefold()}


def lines(store: Store, pack: str) -> Iterable[str]:
    """The lines of a pack as they are now: from memory where it was read before and nothing of it was erased since."""
    erased, key = store.erased_rows(pack), (str(store.folder), pack)
    with _lock:
        known = _lines.get(key)
        if known is not None and known[0] == erased:
            return known[2]
        _lines.pop(key, None)
    read: list[str] = []
    size, remaining = 0, store.pack_lines(pack)
    for line in remaining:
        read.append(line)
        size += len(line)
        if size > LINES_HELD // 2:
            return chain(read, remaining)
    with _lock:
        _lines[key] = (erased, size, read)
        while sum(held[1] for held in _lines.values()) > LINES_HELD:
            _lines.pop(next(iter(_lines)))
    return read


def id_of(line: str) -> str:
    """The id of the example in a row's line: the hash of it without where it came from."""
    head, _, rest = line.removeprefix('{"example":').partition(',"origin":{')
    _, _, tail = rest.rpartition('},"tags":[')
    body = tail.rpartition(',"split":')[0]
    content = f'{head},"tags":[{body}'
    return f"{Example.KIND}:{digest(content)}"


def summed(store: Store, pack: str, name: str, how: Callable[[Iterator[str]], T]) -> T:
    """What `how` makes of a pack's lines, worked out once: a pack changes only by an erasure, and then it is made anew."""
    erased, key = store.erased_rows(pack), (str(store.folder), pack, name)
    with _lock:
        known = _sums.get(key)
    if known is not None and known[0] == erased:
        made: T = known[1]
        return made
    made = how(store.pack_lines(pack))
    with _lock:
        _sums.pop(key, None)
        _sums[key] = (erased, made)
        while len(_sums) > HELD:
            _sums.pop(next(iter(_sums)))
    return made


def _says(line: str, sought: str) -> bool:
    example = json.loads(line)["example"]
    texts = [part.get("text", "") for message in example["messages"] for part in message["parts"]] + [part.get("text", "") for part in example["target"]]
    return any(sought in text.casefold() for text in texts)

"""Getting back what can be read of a damaged journal; nothing is ever deleted."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from core.errors import PermanentError, WrongJournalKey
from storage import damage
from storage.journal import salvage
from storage.journal.appender_lock import AppenderLock
from storage.journal.schema import check, classify, connect, locked, unwritable
from storage.journal.sealing import Seal

# Far more than can have been given beyond the newest one still readable: no position may ever be given twice.
_GAP = 1_000_000

Batches = Callable[[sqlite3.Connection], Iterator[salvage.Row]]


@dataclass(frozen=True)
class RescueReport:
    """What a rescue found: ``damaged`` is the old file under its new name, the rest counts what was copied.

    ``lost`` is how many entries are known to be missing (there may have been newer ones); numbering goes on from
    ``next_position``. A reader that could not be read starts again at the oldest entry, and is counted again.
    """

    damaged: Path
    batches: int
    entries: int
    lost: int
    readers: int
    ledger_rows: int
    rejections: int
    next_position: int


def go_on_after(path: Path, position: int) -> bool:
    """Let the journal at ``path``, made where there is none, number what comes from ``position`` on; tell if it moved.

    Alerts are decided up to a position: a journal that ends before it would be taken for another installation's. Stop
    every part of Anju first. Raises what `connect` raises.
    """
    with closing(connect(path)) as connection:
        ends_before = "(SELECT coalesce(max(last_position), 0) FROM batches) < ?1 AND trimmed < ?1"
        moving = f"UPDATE numbering SET trimmed = ?1 WHERE {ends_before}"  # noqa: S608 - our own words
        return connection.execute(moving, (position,)).rowcount == 1


def rescue(path: Path, seal: Seal | None = None, *, without_key: bool = False) -> RescueReport:
    """Copy what can be read of the journal at ``path`` into a new file and put that in its place.

    Batches that are sealed with another key than ``seal`` raise `WrongJournalKey`; ``without_key`` gives them up, and
    the report counts them as lost: they are in the damaged file, should the key come back.

    Stop every part of Anju that uses the file first; an appender that still runs is noticed. The damaged file stays as
    ``<name>.damaged-<n>`` beside the new one. Raises `StartupError` (in use), `PermanentError` (no such file,
    unwritable) or `TemporaryError` (disk full); after an error the damaged journal is still in its place.
    """
    if not path.is_file():
        raise PermanentError(f"journal {path}: there is no such file; expected a damaged journal")
    lock = AppenderLock(path)
    lock.acquire()
    try:
        fresh, kept = _free_name(path, "rescued"), _free_name(path, "damaged")
        try:
            report = _fill(fresh, path, kept, partial(salvage.batches, seal=seal, without_key=without_key), seal)
        except WrongJournalKey as error:
            fresh.unlink(missing_ok=True)
            raise locked(path, error) from error
        _swap(path, fresh, kept)
        damage.accept(path)
        damage.mark(path)
        return report
    finally:
        lock.release()


def _free_name(path: Path, word: str) -> Path:
    number = 1
    while (name := path.with_name(f"{path.name}.{word}-{number}")).exists():
        number += 1
    return name


def _fill(fresh: Path, path: Path, kept: Path, batches: Batches, seal: Seal | None) -> RescueReport:
    # Read-only, so that even closing it does not move its write-ahead log into the damaged file.
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with (
            closing(connect(fresh)) as target,
            closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as source,
        ):
            # This makes SQLite read what there is of a file that was cut, rather than nothing.
            source.execute("PRAGMA writable_schema = ON")
            target.execute("BEGIN IMMEDIATE")
            report = _copy(source, target, kept, batches(source), seal)
            target.execute("COMMIT")
            target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            check(target, fresh)
    except sqlite3.DatabaseError as error:
        raise classify(error, fresh) from error
    return report


def _swap(path: Path, fresh: Path, kept: Path) -> None:
    try:
        # The write-ahead log belongs to the damaged file: it goes along, under the name SQLite looks for.
        for suffix in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(kept.with_name(kept.name + suffix))
        if os.geteuid() == 0:
            # Rescued by root, it is still the file of whoever Anju runs as.
            said = kept.stat()
            os.chown(fresh, said.st_uid, said.st_gid)
        fresh.rename(path)
    except OSError as error:
        raise unwritable(path, error) from error


def _copy(
    source: sqlite3.Connection, target: sqlite3.Connection, kept: Path, found: Iterator[salvage.Row], seal: Seal | None
) -> RescueReport:
    batches = _insert(target, "batches", found)
    readers = _insert(target, "readers", salvage.readers(source))
    ledger = _insert(target, "ledger", salvage.ledger(source))
    rejections = _insert(target, "quarantine", salvage.rejections(source, seal))
    spans = target.execute("SELECT first_position, last_position FROM batches ORDER BY last_position").fetchall()
    trimmed, floor = salvage.numbering(source) or (spans[0][0] - 1 if spans else 0, 0)
    newest = max(trimmed, floor, spans[-1][1] if spans else 0, _newest_known(target))
    target.execute("UPDATE numbering SET trimmed = ?, floor = ?", (trimmed, newest + _GAP))
    entries = sum(last - first + 1 for first, last in spans)
    lost = _missing(spans, trimmed, newest)
    return RescueReport(kept, batches, entries, lost, readers, ledger, rejections, newest + _GAP + 1)


def _insert(target: sqlite3.Connection, table: str, rows: Iterable[salvage.Row]) -> int:
    inserted = 0
    for row in rows:
        marks = ", ".join("?" * len(row))
        inserted += target.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row).rowcount  # noqa: S608 - ours
    return inserted


def _newest_known(target: sqlite3.Connection) -> int:
    """Return the newest position that the books prove was given: a reader's, or all messages ever received."""
    (row,) = target.execute(
        "SELECT max((SELECT coalesce(max(position), 0) FROM readers), (SELECT coalesce(sum(received), 0) FROM ledger))"
    )
    return int(row[0])


def _missing(spans: Iterable[tuple[int, int]], trimmed: int, newest: int) -> int:
    """Return how many positions are in no span; the gap that an earlier rescue left never held anything."""
    missing, before = 0, trimmed
    for first, last in [*spans, (newest + 1, newest)]:
        gap = first - before - 1
        missing += gap if gap < _GAP else 0
        before = last
    return missing

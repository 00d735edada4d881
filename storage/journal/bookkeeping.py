"""What the journal keeps beside the messages: readers, the ledger and the quarantine."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar

import structlog

from core.clock import from_microseconds, to_microseconds
from core.errors import PermanentError, WrongJournalKey
from core.observations import Entry, Rejection, RejectionReason
from core.wire.topics import community_of
from ingest.ports import LedgerRow
from storage.journal.sealing import Seal, Tampered, opened

_Decoded = TypeVar("_Decoded")
_log = structlog.get_logger()
Tally = Mapping[tuple[date, str], int]
"""How many, by UTC day received and community."""


def tally(messages: Sequence[Entry] | Sequence[Rejection]) -> Tally:
    """Count ``messages`` as the ledger does."""
    return Counter((message.received_at.date(), community_of(message.topic)) for message in messages)


COMMUNITIES_A_DAY = 1_000
"""Ours: far more than one installation serves. Those invented beyond it are counted together, under `OTHERS`."""
OTHERS = "-"

_ADD = {
    column: f"INSERT INTO ledger (day, community, {column}) VALUES (?, ?, ?) "  # noqa: S608 - a closed set of names
    f"ON CONFLICT DO UPDATE SET {column} = {column} + excluded.{column}"
    for column in ("received", "stored", "duplicate", "rejected")
}


_RAISE = {
    column: f"UPDATE ledger SET {column} = {column} + ? WHERE day = ? AND community = ?"  # noqa: S608 - as above
    for column in _ADD
}


def count(cursor: sqlite3.Cursor, column: str, counts: Tally) -> None:
    """Add ``counts`` to a column of the ledger.

    A community is counted on a day by the name under which it was first counted on that day, so the columns add up.
    """
    beyond: Counter[str] = Counter()
    for (at, community), number in counts.items():
        day = at.isoformat()
        if cursor.execute(_RAISE[column], (number, day, community)).rowcount:
            continue
        if community == OTHERS or (day not in beyond and _has_room(cursor, day)):
            cursor.execute(_ADD[column], (day, community, number))
        else:
            beyond[day] += number
    for day, number in beyond.items():
        cursor.execute(_ADD[column], (day, OTHERS, number))


def _has_room(cursor: sqlite3.Cursor, day: str) -> bool:
    named = cursor.execute("SELECT count(*) FROM ledger WHERE day = ? AND community != ?", (day, OTHERS)).fetchone()
    return int(named[0]) < COMMUNITIES_A_DAY


def advance(cursor: sqlite3.Cursor, reader: str, position: int) -> bool:
    """Move ``reader`` up to ``position`` and tell whether it moved. Raises `PermanentError` for an unknown reader."""
    moved = cursor.execute(
        "UPDATE readers SET position = ? WHERE name = ? AND position < ?", (position, reader, position)
    ).rowcount
    if not moved and not cursor.execute("SELECT 1 FROM readers WHERE name = ?", (reader,)).fetchone():
        raise unknown_reader(reader)
    return moved == 1


def unknown_reader(reader: str) -> PermanentError:
    """Return the error for a reader that never registered: silence would let its messages go uncounted."""
    return PermanentError(f"journal reader {reader!r} is unknown; expected one that was registered")


def keep(cursor: sqlite3.Cursor, rejections: Sequence[Rejection], seal: Seal | None) -> None:
    """Put ``rejections`` into quarantine, their excerpts sealed."""
    cursor.executemany(
        "INSERT OR IGNORE INTO quarantine VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                one.position,
                to_microseconds(one.received_at),
                one.topic,
                one.reason.value,
                one.detail,
                one.excerpt if seal is None else seal.close(one.excerpt),
            )
            for one in rejections
        ],
    )


def rejection(row: tuple[int, int, str, str, str, bytes], seal: Seal | None) -> Rejection:
    """Return a row of the quarantine as it was put in; of an excerpt that does not open, nothing."""
    position, received_at, topic, reason, detail, excerpt = row
    if not isinstance(topic, str) or not isinstance(detail, str):
        raise TypeError(f"expected texts for topic and detail, found {topic!r:.40} and {detail!r:.40}")
    try:
        excerpt = opened(excerpt, seal)
    except (WrongJournalKey, Tampered):
        excerpt = b""
    return Rejection(position, from_microseconds(received_at), topic, RejectionReason(reason), detail, excerpt)


def ledger_row(row: tuple[str, str, int, int, int, int]) -> LedgerRow:
    """Return a row of the ledger. Raises `ValueError` where a column is of a foreign type, or no day."""
    day, community, *counts = row
    if not isinstance(day, str) or not isinstance(community, str) or not all(type(one) is int for one in counts):
        raise ValueError(f"expected a day, a community and counts, found {row!r:.200}")
    return LedgerRow(date.fromisoformat(day), community, *counts)


def readable(table: str, rows: Iterable[Any], decode: Callable[[Any], _Decoded]) -> list[_Decoded]:
    """Return ``rows`` decoded, without those that cannot be, which are logged; each begins with its key."""
    found = []
    for row in rows:
        try:
            found.append(decode(row))
        except (ValueError, TypeError, AttributeError, OverflowError) as error:
            _log.error("journal.row_unreadable", table=table, row=str(row[0]), reason=str(error))
    return found


def bound_quarantine(cursor: sqlite3.Cursor, newest: int) -> None:
    """Forget all but the ``newest`` rejections."""
    cursor.execute(
        "DELETE FROM quarantine WHERE position <= "
        "(SELECT position FROM quarantine ORDER BY position DESC LIMIT 1 OFFSET ?)",
        (newest,),
    )

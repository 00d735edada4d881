"""Numbers in SQLite that are of no use any more: of rows, and of the counters that number the next ones.

A row at the end of the range keeps out every further row. A counter that is no number, or lower than a number that was
given, makes every commit fail that takes one from it.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Column, Connection, Table, column, func, insert, not_, select, table, update

from storage.records.all_tables import metadata
from storage.records.kept_tables import put_aside

LARGEST = 2**53
"""The largest number that JSON carries exactly; no installation gets anywhere near it."""
GAP = 1_000_000
"""Added where a counter was lost: no number may be given twice, and the newest that is there may not be the newest."""
COUNTERS = (
    (
        "transition_counter",
        "last_sequence",
        (("transitions", "sequence"), ("desk_progress", "sequence"), ("calls_progress", "followed")),
    ),
    ("calls_progress", "last_call", (("calls", "number"),)),
    ("calls_progress", "last_event", (("call_events", "number"),)),
)
"""Each counter, and where else its numbers stand."""
_FOLLOWED_AGAIN = 1_000  # Ours: far more steps than are written between an alarm and its call.
_sequences = table("sqlite_sequence", column("name"), column("seq"))


def mend(connection: Connection, now: datetime) -> None:
    """Raise counters above every number that was given, and give rows numbered beyond `LARGEST` the next number.

    What was changed is noted as put aside. SQLite only: it says "database or disk is full" for a table whose numbers
    are used up.
    """
    for of, name, known in COUNTERS:
        _mend_counter(connection, metadata.tables[of].c[name], known, now)
    _mend_followed(connection, now)
    for numbered in metadata.sorted_tables:
        if numbered.dialect_options["sqlite"]["autoincrement"]:
            last = _renumber(connection, numbered, now)
            beyond = (_sequences.c.name == numbered.name, not_(_sequences.c.seq <= LARGEST))
            connection.execute(update(_sequences).where(*beyond).values(seq=last))


def _renumber(connection: Connection, numbered: Table, now: datetime) -> int:
    """Return the last number given."""
    its = numbered.c.number
    last = connection.execute(select(func.max(its)).where(its <= LARGEST)).scalar_one() or 0
    for found in connection.execute(select(its).where(its > LARGEST)).scalars().all():
        last += 1
        connection.execute(update(numbered).where(its == found).values(number=last))
        reason = f"number {found} is beyond all use, and no row could be added after it: the row has number {last} now"
        _note(connection, numbered.name, str(last), reason, now)
    return int(last)


def _mend_counter(
    connection: Connection, counter: Column[int], known: Sequence[tuple[str, str]], now: datetime
) -> None:
    newest = 0
    for of, name in known:
        its = metadata.tables[of].c[name]
        given = connection.execute(select(func.max(its)).where(its <= LARGEST)).scalar_one()
        newest = max(newest, given or 0)
    found = connection.execute(select(counter)).scalar_one()
    if isinstance(found, int) and newest <= found <= LARGEST:
        return
    connection.execute(update(counter.table).values({counter.name: newest + GAP}))
    reason = f"{counter.name} holds {found!r:.40}, expected a number from {newest} on: it is {newest + GAP} now"
    _note(connection, str(counter.table), "1", reason, now)


def _note(connection: Connection, of: str, key: str, reason: str, now: datetime) -> None:
    said = {"table_name": of, "row_key": key, "content": b"", "reason": reason, "at": now}
    connection.execute(insert(put_aside), said)


def _mend_followed(connection: Connection, now: datetime) -> None:
    """Follow the newest steps again where nobody knows how far they were: the key of a step makes that harmless."""
    followed, newest = (
        metadata.tables["calls_progress"].c.followed,
        metadata.tables["transition_counter"].c.last_sequence,
    )
    found = connection.execute(select(followed)).scalar_one()
    last = connection.execute(select(newest)).scalar_one()
    if not isinstance(found, int) or not 0 <= found <= last:
        sequence = metadata.tables["transitions"].c.sequence
        given = connection.execute(select(func.max(sequence)).where(sequence <= last)).scalar_one()
        again = max(0, (given or 0) - _FOLLOWED_AGAIN)
        connection.execute(update(followed.table).values(followed=again))
        reason = f"followed holds {found!r:.40}, expected a number up to {last}: it is {again} now"
        _note(connection, str(followed.table), "1", reason, now)

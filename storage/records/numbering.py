"""Row numbers of SQLite that are beyond all use: one at the end of the range, and no further row can be added."""

from datetime import datetime

from sqlalchemy import Connection, Table, column, func, insert, not_, select, table, update

from storage.records.all_tables import metadata
from storage.records.kept_tables import put_aside

LARGEST = 2**53
"""The largest number that JSON carries exactly; no installation gets anywhere near it."""
_sequences = table("sqlite_sequence", column("name"), column("seq"))


def mend(connection: Connection, now: datetime) -> None:
    """Give the rows that are numbered beyond `LARGEST` the next number, go on after it, and note each as put aside.

    SQLite only: it says "database or disk is full" for a table whose numbers are used up.
    """
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
        said = {"table_name": numbered.name, "row_key": str(last), "content": b"", "reason": reason, "at": now}
        connection.execute(insert(put_aside), said)
    return int(last)

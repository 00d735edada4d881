"""Putting a SQLite file into WAL mode, which lasts; the mode every file of ours is in."""

import sqlite3
import time

_AGAIN_SECONDS = 0.02


def switch_to_wal(connection: sqlite3.Connection, seconds: float) -> None:
    """Put the file of ``connection`` into WAL mode; raises `sqlite3.OperationalError` when it is held for ``seconds``.

    Two that switch a new file at once refuse each other without waiting, whatever SQLite's own time-out is: so this is
    tried again.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(_AGAIN_SECONDS)
        else:
            return

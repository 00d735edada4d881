"""Damage of SQLite files: found before a file is used, with the command that rescues it in the refusal.

A *marker* beside the file, ``<name>.marker``, says that there was a database, and which one: the ``application_id`` of
SQLite is drawn at random when the file is first used and kept in both. A file that was emptied, removed or replaced
is otherwise like a new installation: it would start *ready*, without the alerts and calls of before.
"""

import secrets
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import msgspec

from core.errors import StartupError

_BUSY_SECONDS = 5.0
_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR_SHORT_READ", "SQLITE_IOERR_CORRUPTFS")


class Marker(msgspec.Struct, frozen=True):
    """Which database stood here."""

    application_id: int


def marker_of(path: Path) -> Path:
    """Return the marker of the database file ``path``."""
    return path.with_name(f"{path.name}.marker")


def is_damage(error: sqlite3.Error) -> bool:
    """Tell whether ``error`` says that the file is damaged: no repetition mends it."""
    return getattr(error, "sqlite_errorname", "").startswith(_DAMAGE)


def refusal(what: str, path: Path, found: str) -> StartupError:
    """Return the refusal of a damaged file: ``what`` is ``records``, the word of the command that rescues it."""
    return StartupError(
        f"{what} database {path} is damaged ({found}). Nothing was changed. Restore a backup, or copy what can be read "
        f"into a new file and keep the damaged one beside it: `anju {what} rescue {path}`"
    )


def require_sound(path: Path, what: str) -> None:
    """Raise `StartupError` where the file is damaged, or is not the one that its marker names.

    Reads every page (about a second per GB).
    """
    if path.is_file() and _is_filled(path):
        verdict = _answer(path, what, "PRAGMA quick_check(1)")
        if verdict not in (None, "ok"):
            raise refusal(what, path, " ".join(str(verdict).split()))
    require_known(path, what)


def require_known(path: Path, what: str) -> None:
    """Raise `StartupError` where the file is missing, empty or another database than the one that its marker names.

    A folder in the place of the file, of its marker or of its write-ahead log is refused as well, and a link into
    a folder that is not there.

    Without a marker a missing file is a new installation. Reads one page.
    """
    for each in (path, marker_of(path), *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
        if each.is_dir():
            raise _a_folder(each, what)
    if path.is_symlink() and not path.resolve().parent.is_dir():
        target = path.resolve()
        raise StartupError(f"{what} database: {path} is a link to {target}, whose folder is not there: mount it")
    if marker_of(path).exists() and not _is_filled(path):
        raise _not_the_one(path, what, "is empty" if path.exists() else "is missing")
    marker = _read(marker_of(path))
    if marker is not None and _answer(path, what, "PRAGMA application_id") not in (None, marker.application_id):
        raise _not_the_one(path, what, "holds another database")


def mark(path: Path) -> None:
    """Give the file its identity, where it has none, and keep that in its marker. Many may do so at once.

    Where the disk is full or the file is locked, the next start marks it: that is no reason not to start.
    """
    with suppress(sqlite3.OperationalError, OSError):
        _keep(marker_of(path), Marker(_identity(path)))


def _identity(path: Path) -> int:
    """Return the `application_id` of the file, drawn at random where it has none."""
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        application_id = int(connection.execute("PRAGMA application_id").fetchone()[0])
        if application_id == 0:
            application_id = 1 + secrets.randbelow(2**31 - 1)
            connection.execute(f"PRAGMA application_id = {application_id}")
        connection.execute("COMMIT")
    return application_id


def _keep(path: Path, marker: Marker) -> None:
    if _read(path) != marker:
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        draft.write_bytes(msgspec.json.encode(marker))
        draft.replace(path)


def accept(path: Path) -> bool:
    """Forget what stood here, so that the next start takes the file as it is; tell whether there was a marker."""
    there = marker_of(path).exists()
    marker_of(path).unlink(missing_ok=True)
    return there


def _is_filled(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _answer(path: Path, what: str, question: str) -> object:
    """Return what SQLite answers, ``None`` where the file is locked or may not be read: whoever opens it says so."""
    # By SQLite alone: to open the file and close it again would drop the locks of this process's other connections to
    # it (POSIX), and whoever closes it next would take itself for the last one and delete the write-ahead log in use.
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
            (answer,) = connection.execute(question).fetchone()
            return answer
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise refusal(what, path, str(error)) from error
        return None


def _read(marker: Path) -> Marker | None:
    try:
        return msgspec.json.decode(marker.read_bytes(), type=Marker)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError:
        return None  # It tells that there was a database, and of which nobody knows; it is written anew.


def _a_folder(path: Path, what: str) -> StartupError:
    return StartupError(
        f"{what} database: {path} is a folder, expected a file. Move it away, `mv {path} {path}.moved`, and bring the "
        f"file back from a backup"
    )


def _not_the_one(path: Path, what: str, found: str) -> StartupError:
    return StartupError(
        f"{what} database {path} {found}, but {marker_of(path).name} says that there was one: starting would forget all"
        f" that it held. Bring it back from a backup, or go on without it deliberately: `anju {what} accept {path}`"
    )

"""Backups: one consistent copy of records, journal, telemetry and keys, taken while everything runs, and its return.

The order makes the copy consistent without stopping anybody. Records first: a journal that reaches further than the
alerts were decided is only decided on, one that ends earlier is refused at a start. Telemetry last: a point that is
written twice changes nothing, one that the journal counts as stored and the store does not have would be missing.
"""

import asyncio
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy import URL, make_url

from app import wiring
from app.installation_lock import in_use, replacing
from app.settings import Settings
from core.errors import AnjuError, Conflict, StartupError, TemporaryError
from storage.journal.appender_lock import AppenderLock
from storage.records import RecordsAdapter
from storage.telemetry import influx_backup

MANIFEST = "manifest.json"
RECORDS, DUMP, JOURNAL, TELEMETRY = "records.sqlite", "records.dump", "journal.sqlite", "telemetry.sqlite"
# Beside the databases: keys, and the anchor of the steady clock on which stored deadlines lie.
_BESIDE = ("*.key", "clock*.json")
# The journal may be trimmed past the decided position of the records' copy while it is copied itself: then once more.
_ATTEMPTS = 3
# The marker too: bringing back is as deliberate as accepting, and a backup may be older than a rescue.
_COMPANIONS = ("-wal", "-shm", "-journal", ".marker")


class Copied(msgspec.Struct, frozen=True):
    """One file of a backup."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds; written last, so that a folder without one is a backup that was not finished."""

    made_at: datetime
    version: str
    decided_position: int
    last_position: int
    files: dict[str, Copied]
    elsewhere: list[str] = []
    """What belongs to the installation and is not in the folder."""


async def backup(settings: Settings, folder: Path, now: datetime, version: str) -> Manifest:
    """Copy everything into ``folder``, which must be empty or new; return what it holds.

    Raises `StartupError` with the way out where a file, a folder, a program or room is missing, and `TemporaryError`.
    """
    _require_empty(folder)
    try:
        with in_use(settings):
            return await _copied_installation(settings, folder, now, version)
    except OSError as error:
        raise StartupError(
            f"{error.filename or folder}: {error.strerror}; the backup in {folder} is not finished: take a new folder, "
            f"on a disk with room"
        ) from error


async def _copied_installation(settings: Settings, folder: Path, now: datetime, version: str) -> Manifest:
    for _ in range(_ATTEMPTS):
        decided = await _decided(settings)
        await _copy_records(settings, folder)
        await asyncio.to_thread(_copy_database, settings.journal_path, folder / JOURNAL)
        last, trimmed = await asyncio.to_thread(_reach, folder / JOURNAL)
        if trimmed <= decided:
            break
    else:
        raise TemporaryError("the journal is trimmed faster than it can be copied: raise journal.max_bytes, try again")
    elsewhere = []
    if settings.telemetry.store == "embedded":
        await asyncio.to_thread(_copy_database, settings.telemetry_path, folder / TELEMETRY)
    else:
        elsewhere += await _save_bucket(settings, folder)
    for path in (each for pattern in _BESIDE for each in settings.var.glob(pattern)):
        _copy_file(path, folder / path.name)
    names = sorted(path.name for path in folder.iterdir())
    files = {name: await asyncio.to_thread(_copied, folder / name) for name in names}
    manifest = Manifest(now, version, decided, last, files, elsewhere)
    _write(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=2))
    return manifest


async def _save_bucket(settings: Settings, folder: Path) -> list[str]:
    """Copy the bucket; return why it is not in the backup: an InfluxDB that is away does not end the whole backup."""
    try:
        await wiring.influx_backup(settings).save(folder)
    except AnjuError as error:
        for path in folder.glob("influx-*"):
            path.unlink()
        return [f"telemetry: bucket {settings.influx.bucket} at {settings.influx.url}: {error}"]
    return []


async def restore(settings: Settings, folder: Path, *, keep_telemetry: bool = False) -> Manifest:
    """Bring a backup back into an installation that has no journal and no records; return what was brought back.

    Every file is compared with the manifest before the first one is copied, and no part may run on the installation,
    even where its files were moved away from under it. ``keep_telemetry`` leaves InfluxDB as it is, for one that has
    lost nothing. Raises `StartupError`, and `TemporaryError` or `PermanentError` of InfluxDB.
    """
    manifest = await asyncio.to_thread(verified, folder)
    targets = _targets(settings, manifest.files)
    wiring.require_writable(settings.var)
    lock = AppenderLock(settings.journal_path)
    async with replacing(settings.var, *(path.parent for path in targets.values())):
        lock.acquire()
        try:
            _require_free(targets)
            if influx_backup.DESCRIPTION in manifest.files and not keep_telemetry:
                await _bring_back_bucket(settings, folder)
            await _bring_back(settings, folder, manifest, targets)
        finally:
            lock.release()
    return manifest


def _require_free(targets: Mapping[str, Path]) -> None:
    for name, target in targets.items():
        if target.exists() and name in (RECORDS, JOURNAL, TELEMETRY):
            raise StartupError(
                f"{target} exists: a backup is brought back only where there is none; move it away first"
            )


async def _bring_back_bucket(settings: Settings, folder: Path) -> None:
    """Before the files, because it is what may fail, and leaves nothing behind then."""
    if settings.telemetry.store != "influx":
        raise StartupError("the backup's telemetry is of InfluxDB, and the settings (telemetry.store) say otherwise")
    try:
        await wiring.influx_backup(settings).bring_back(folder)
    except Conflict as error:
        raise StartupError(
            f"{error}: rename or delete it first, or leave it as it is with `anju restore --keep-telemetry`"
        ) from None


async def _bring_back(settings: Settings, folder: Path, manifest: Manifest, targets: Mapping[str, Path]) -> None:
    for name, target in targets.items():
        for companion in _COMPANIONS:
            target.with_name(target.name + companion).unlink(missing_ok=True)
        await asyncio.to_thread(_copy_file, folder / name, target)
    if DUMP in manifest.files:
        url = _postgres(settings)
        await run_client(
            "pg_restore", ["--exit-on-error", "--single-transaction", "--no-owner", str(folder / DUMP)], url
        )


def verified(folder: Path) -> Manifest:
    """Return the manifest of a backup whose files are all there and whole. Raises `StartupError`."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise StartupError(f"{folder} has no {MANIFEST}: it is no backup, or one that was not finished") from None
    except (OSError, msgspec.DecodeError) as error:
        raise StartupError(f"{folder / MANIFEST} cannot be read: {error}") from None
    for name, wanted in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise StartupError(f"{path} is missing: the backup is incomplete")
        if (found := _copied(path)) != wanted:
            raise StartupError(f"{path} is damaged: {found.bytes} bytes, expected {wanted.bytes} with another digest")
    return manifest


def _targets(settings: Settings, names: Mapping[str, Copied]) -> dict[str, Path]:
    """Return where each file of a backup goes. Raises `StartupError` where the settings want another kind of store."""
    databases = (RECORDS, DUMP, JOURNAL, TELEMETRY)
    beside = [name for name in names if name not in databases and not name.startswith("influx-")]
    targets = {name: settings.var / name for name in beside}
    targets[JOURNAL] = settings.journal_path
    if TELEMETRY in names:
        targets[TELEMETRY] = settings.telemetry_path
    records = settings.records_path
    if (RECORDS in names) != (records is not None):
        kind = "a SQLite file" if RECORDS in names else "a PostgreSQL dump"
        raise StartupError(f"the backup's records are {kind}, and the settings (records.url) say otherwise")
    if records is not None:
        targets[RECORDS] = records
    return targets


async def _copy_records(settings: Settings, folder: Path) -> None:
    if (path := settings.records_path) is not None:
        await asyncio.to_thread(_copy_database, path, folder / RECORDS)
        return
    await run_client("pg_dump", ["--format=custom", "--no-owner", f"--file={folder / DUMP}"], _postgres(settings))


async def _decided(settings: Settings) -> int:
    """Return the decided position now: never beyond the one of a copy that is made afterwards."""
    database = wiring.records(settings)
    await database.open()
    try:
        return await RecordsAdapter(database).alert_position()
    finally:
        await database.close()


def _copy_database(source: Path, target: Path) -> None:
    """Copy a SQLite file as it stands at one instant, whatever is written meanwhile. Raises `StartupError`."""
    if not source.is_file():
        raise StartupError(f"{source} does not exist: is ANJU_VAR the folder of the installation?")
    try:
        with closing(_opened(source)) as reading, closing(sqlite3.connect(target)) as writing:
            reading.backup(writing)
    except sqlite3.Error as error:
        raise StartupError(f"{source} cannot be copied to {target}: {error}") from None
    target.chmod(0o600)


def _opened(path: Path) -> sqlite3.Connection:
    """Open a database that exists; not read-only, because a write-ahead log that nobody has open needs its index."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)


def _reach(journal: Path) -> tuple[int, int]:
    """Return the newest position of a journal, and up to which it was trimmed."""
    with closing(_opened(journal)) as reading:
        ((last, trimmed),) = reading.execute(
            "SELECT (SELECT coalesce(max(last_position), 0) FROM batches), (SELECT trimmed FROM numbering)"
        ).fetchall()
    return max(int(last), int(trimmed)), int(trimmed)


def _require_empty(folder: Path) -> None:
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise StartupError(f"{folder} is not empty: a backup goes into a folder of its own")
        folder.chmod(0o700)
    except OSError as error:
        raise StartupError(f"{folder} cannot be written: {error.strerror}") from None


def _copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(0o700, parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o600)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(0o600)


def _copied(path: Path) -> Copied:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
        return Copied(file.tell(), digest.hexdigest())


def _postgres(settings: Settings) -> URL:
    return make_url(settings.records_url)


async def run_client(program: str, arguments: Sequence[str], url: URL) -> None:
    """Run a client program of PostgreSQL on the database at ``url``; its password is not among the arguments.

    Raises `StartupError`, in one line, where the program is missing or fails.
    """
    environment = {**os.environ, **dict(_connection(url))}
    name = url.database or ""
    command = [*arguments, f"--dbname={name}"] if program == "pg_restore" else [*arguments, name]
    try:
        running = await asyncio.create_subprocess_exec(
            program, *command, env=environment, stderr=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise StartupError(f"{program} is not on the PATH: install postgresql-client") from None
    _, said = await running.communicate()
    if running.returncode:
        # What follows the first line is a hint, or the query.
        reason = next(iter(said.decode(errors="replace").strip().splitlines()), f"exit code {running.returncode}")
        raise StartupError(f"{program} failed: {reason.removeprefix(f'{program}: ').removeprefix('error: ')}")


def _connection(url: URL) -> Iterator[tuple[str, str]]:
    given: dict[str, Callable[[URL], object]] = {
        "PGHOST": lambda each: each.host,
        "PGPORT": lambda each: each.port,
        "PGUSER": lambda each: each.username,
        "PGPASSWORD": lambda each: each.password,
    }
    for name, read in given.items():
        if (value := read(url)) is not None:
            yield name, str(value)

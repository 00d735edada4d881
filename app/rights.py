"""Who may read the files under ``ANJU_VAR``: only the user that Anju runs as, whatever the files were made with.

A new file is private because the command sets the umask to `PRIVATE_UMASK`; older files, and those that other programs
made (an older Anju, a copy, a restored backup), are mended at each start. What cannot be mended is logged and does not
keep Anju from starting: somebody may be trapped in a lift meanwhile, and the files are as open as they were before.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

_log = structlog.get_logger()
PRIVATE_UMASK = 0o077
_OTHERS = 0o077
# SQLite's companions of a database file, and the journal's lock.
_COMPANIONS = ("", "-wal", "-shm", "-journal", ".lock")
# A line of the log names so many files at most.
_NAMED = 10


@dataclass
class Mending:
    """The result of one look: ``mended`` were open to others, ``open`` still are (with the reason)."""

    mended: list[Path] = field(default_factory=list)
    open: list[str] = field(default_factory=list)


def mend_folder(folder: Path) -> Mending:
    """Take the rights on ``folder`` and everything in it from other users; log what was open and what still is."""
    return _mend(_of_folder(folder))


def mend_database(path: Path) -> Mending:
    """Do the same for one database file, wherever it is, and its companions; its folder may be another's."""
    return _mend(path.with_name(path.name + companion) for companion in _COMPANIONS)


def entries(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield ``folder`` and everything in it; what goes away meanwhile (a draft that is renamed) is passed over."""
    for path in _of_folder(folder):
        with suppress(FileNotFoundError):
            yield path, path.lstat()


def is_open(said: os.stat_result) -> bool:
    """Return whether other users may do anything with a file or a folder; of links and sockets the target counts."""
    return _is_folder_or_file(said) and said.st_mode & _OTHERS != 0


def _is_folder_or_file(said: os.stat_result) -> bool:
    return stat.S_ISDIR(said.st_mode) or stat.S_ISREG(said.st_mode)


def _mend(paths: Iterable[Path]) -> Mending:
    result = Mending()
    for path in paths:
        _mend_one(path, result)
    if result.mended:
        _log.warning("files.made_private", count=len(result.mended), files=_names(result.mended))
    if result.open:
        _log.warning("files.open_to_others", count=len(result.open), files=result.open[:_NAMED])
    return result


def _of_folder(folder: Path) -> Iterator[Path]:
    yield folder
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(parent) / name


def _mend_one(path: Path, result: Mending) -> None:
    try:
        said = path.lstat()
        if not _is_folder_or_file(said):
            return
        if is_open(said):
            path.chmod(stat.S_IMODE(said.st_mode) & ~_OTHERS)
            result.mended.append(path)
        if said.st_uid not in (0, os.geteuid()) and os.geteuid():
            result.open.append(f"{path} belongs to user {said.st_uid}: `chown -R {os.geteuid()} {path}`")
    except FileNotFoundError:
        return  # A companion that is not there, or a draft that its writer has just renamed.
    except OSError as error:
        result.open.append(f"{path}: {error.strerror}: `chown -R {os.geteuid()} {path}; chmod -R go= {path}`")


def _names(paths: Sequence[Path]) -> list[str]:
    return [str(path) for path in paths[:_NAMED]]

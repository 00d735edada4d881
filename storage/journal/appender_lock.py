"""One appender a journal: a lock beside the file, which the kernel lets go of even at ``kill -9``."""

import fcntl
import os
from pathlib import Path

from core.errors import StartupError
from storage.journal.schema import unwritable


class AppenderLock:
    """An exclusive ``flock`` on ``<path>.lock``; the file stays, the lock goes with the one who held it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    @property
    def held(self) -> bool:
        return self._file is not None

    def acquire(self) -> None:
        """Take the lock. Raises `StartupError` when another appender holds it, `PermanentError` when it cannot be."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path.with_name(f"{self._path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise unwritable(self._path, error) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            raise StartupError(
                f"journal {self._path}: another Anju is writing into it; stop that one first, or give this one its own"
            ) from error
        self._file = file

    def release(self) -> None:
        """Let go; calling it again does nothing."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

"""Configuration files: their text, and watching them for changes by what the file system says of them."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import structlog

from core.errors import AnjuError
from core.source import RuleError, UnreadableText

Fingerprint = tuple[str, int, int, int]
"""Name, instant of the last change, size and inode: a file that is put in another's place is seen as well."""

# PyYAML reads some 70 kB/s: more would keep a processor busy for a quarter of a minute at every save.
_BYTES_AT_MOST = 1_000_000
_Parsed = TypeVar("_Parsed")
_log = structlog.get_logger()
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class UnreadableFile(RuleError):
    """The operating system does not give the file; that may change without any change of the file: try again."""


def fingerprint(path: Path) -> Fingerprint:
    """Return what differs once ``path`` has changed; of a file that is not there, zeros."""
    try:
        said = path.stat()
    except OSError:
        return str(path), 0, 0, 0
    return str(path), said.st_mtime_ns, said.st_size, said.st_ino


def read_text(path: Path, what: str) -> str:
    """Return the text of ``path``, which should be ``what``: ``a rule file``.

    Raises `RuleError`, and nothing else, for what is no regular file, cannot be read, is too large or is not UTF-8. A
    pipe or a device is never opened: that could block, and a device may be without end.
    """
    try:
        written = _bytes(path, what)
    except OSError as error:
        raise UnreadableFile(str(path), 1, f"{error.strerror or error}: expected {what}") from None
    if len(written) > _BYTES_AT_MOST:
        raise RuleError(str(path), 1, f"more than {_BYTES_AT_MOST} bytes: expected {what} of that size at most")
    try:
        return written.decode("utf-8")
    except UnicodeDecodeError as error:
        line = written.count(b"\n", 0, error.start) + 1
        found = f"not UTF-8 at byte {error.start}{', but UTF-16' if written.startswith(_UTF_16) else ''}"
        raise UnreadableText(str(path), line, f"{found}: expected text in UTF-8") from None


def parsed(load: Callable[[str, str], _Parsed], text: str, name: str) -> _Parsed:
    """Return what ``load`` makes of ``text``, which stands in the file ``name``.

    Raises `RuleError`, also for a fault of the loader's own, and otherwise only what ``load`` raises on purpose.
    """
    try:
        return load(text, name)
    except AnjuError:
        raise
    except Exception as error:  # The border to what people write: no file may end what runs.
        _log.exception("configuration.fault", file=name)
        fault = f"{type(error).__name__}: {error}"
        raise RuleError(name, 1, f"cannot be read, by a fault of Anju ({fault}): expected another text") from error


def _bytes(path: Path, what: str) -> bytes:
    _require_regular(path, os.stat(path), what)
    # Whatever took its place between the two looks cannot block either.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        _require_regular(path, os.fstat(descriptor), what)
        return file.read(_BYTES_AT_MOST + 1)


def _require_regular(path: Path, found: os.stat_result, what: str) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise UnreadableFile(str(path), 1, f"a folder: expected {what}")
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableFile(str(path), 1, f"a pipe, a socket or a device: expected {what}")

"""Watching files for changes by what the file system says of them."""

from pathlib import Path

Fingerprint = tuple[str, int, int, int]
"""Name, instant of the last change, size and inode: a file that is put in another's place is seen as well."""


def fingerprint(path: Path) -> Fingerprint:
    """Return what differs once ``path`` has changed; of a file that is not there, zeros."""
    try:
        said = path.stat()
    except OSError:
        return str(path), 0, 0, 0
    return str(path), said.st_mtime_ns, said.st_size, said.st_ino

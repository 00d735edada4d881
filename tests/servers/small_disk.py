"""A real file system that is small enough to be filled: a tmpfs, mounted where root may."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

_BLOCK = 64 * 1024


class SmallDisk:
    """A mounted file system at ``folder``; `fill` takes what is left of it, `make_room` gives that back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    @property
    def free(self) -> int:
        """How many bytes can still be written."""
        said = os.statvfs(self.folder)
        return said.f_bavail * said.f_frsize

    def fill(self, leaving: int = 0) -> None:
        """Write until only ``leaving`` bytes are free; with none, until the disk refuses the next byte."""
        with self._filler.open("ab", buffering=0) as file:
            while self.free > leaving:
                try:
                    file.write(bytes(min(_BLOCK, max(1, self.free - leaving))))
                except OSError:
                    return

    def make_room(self) -> None:
        """Delete what `fill` wrote."""
        self._filler.unlink(missing_ok=True)


@contextlib.contextmanager
def small_disk(folder: Path, size: str, *, inodes: int = 0) -> Iterator[SmallDisk]:
    """Mount a tmpfs of ``size`` (``64m``) at ``folder``; skips the test where this user may not mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={size}" + (f",nr_inodes={inodes}" if inodes else "")
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "anju-test", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        # Lazily: a child that is still ending may have a file open.
        subprocess.run(["umount", "-l", str(folder)], check=True)

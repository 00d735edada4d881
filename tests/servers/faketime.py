"""A wall clock for child processes that a test sets while they run, by libfaketime."""

from pathlib import Path

# Where Debian puts it, for every architecture; MT is the one for programs with threads.
_LIBRARIES = "*/faketime/libfaketimeMT.so.1"


class WallClock:
    """The wall clock of processes that have its `environment`; other clocks of theirs are the machine's."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "wall-clock"
        self._library = next(Path("/usr/lib").glob(_LIBRARIES))
        self.ahead = 0
        """By how many seconds it is ahead of the machine's."""
        self.jump(0)

    @property
    def environment(self) -> dict[str, str]:
        """What makes a process go by this clock."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            # Else waits for the interpreter's lock, which go by that clock, end at once and are made anew without end.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
            "NO_FAKE_STAT": "1",
        }

    def jump(self, seconds: int) -> None:
        """Set it forward, or back, by that many seconds; the processes see it within a second."""
        self.ahead += seconds
        draft = self._file.with_suffix(".draft")
        draft.write_text(f"{self.ahead:+d}\n", encoding="ascii")
        draft.replace(self._file)

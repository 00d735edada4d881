"""Clocks of child processes that a test sets while they run, by libfaketime."""

from pathlib import Path

# Where Debian puts it, for every architecture; MT is the one for programs with threads.
_LIBRARIES = "*/faketime/libfaketimeMT.so.1"
_BOOT_CLOCK = Path(__file__).parent / "suspended"


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
        self._write(f"{self.ahead:+d}\n")

    def _write(self, text: str) -> None:
        draft = self._file.with_suffix(".draft")
        draft.write_text(text, encoding="ascii")
        draft.replace(self._file)


class SuspendedMachine(WallClock):
    """The clocks of processes on a machine that can be suspended: afterwards its wall clock and its boot clock went on.

    CLOCK_MONOTONIC, by which event loops and waits for locks go, stands still meanwhile, as Linux has it. Since
    libfaketime moves CLOCK_BOOTTIME together with that one or not at all, `tests/servers/suspended` moves it inside the
    interpreter. Both go by one file that is replaced in one step: nobody sees one clock moved and not the other.
    """

    def __init__(self, folder: Path) -> None:
        self._slept = 0
        super().__init__(folder)

    @property
    def environment(self) -> dict[str, str]:
        own = {"PYTHONPATH": str(_BOOT_CLOCK), "FAKETIME_NO_CACHE": "1"}
        return {**super().environment, **own}

    def sleep(self, seconds: int) -> None:
        """Suspend the machine for that many seconds, which pass at once."""
        self._slept += seconds
        self.jump(seconds)

    def _write(self, text: str) -> None:
        super()._write(f"# seconds suspended: {self._slept}\n{text}")

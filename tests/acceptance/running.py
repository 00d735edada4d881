"""Anju as its users run it: real child processes of the `anju` command, each with settings of its own."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from app import heartbeat
from core.clock import SystemClock
from tests.servers.influx import Influx

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from app.cli import main; main()"]
READY_DEADLINE_SECONDS = 60.0  # Two busy cores import the whole product in some 3 s.
STOP_DEADLINE_SECONDS = 30.0
POLL_SECONDS = 0.02
LOG_TAIL_LINES = 40


def wait_until(condition: Callable[[], bool], what: Callable[[], str], seconds: float = READY_DEADLINE_SECONDS) -> None:
    """Return once ``condition`` holds; fails with ``what`` when it does not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds:g} s still: {what()}"
        time.sleep(POLL_SECONDS)


def environment(var: Path, settings: Mapping[str, object]) -> dict[str, str]:
    """The whole environment of a child: a developer's own settings never reach it."""
    path = os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    fixed = {"PATH": path, "HOME": str(var.parent), "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
    return {**fixed, "ANJU_VAR": str(var), **{name: str(value) for name, value in settings.items()}}


def influx_settings(influx: Influx) -> dict[str, object]:
    """The settings that make Anju write to ``influx``."""
    return {
        "ANJU_TELEMETRY__STORE": "influx",
        "ANJU_INFLUX__URL": influx.url,
        "ANJU_INFLUX__TOKEN": influx.token,
        "ANJU_INFLUX__ORG": influx.org,
        "ANJU_INFLUX__BUCKET": influx.bucket,
    }


def run_command(var: Path, settings: Mapping[str, object], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Return what a command of Anju said of the folder ``var``, and its exit code."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, env=environment(var, settings), capture_output=True, text=True, timeout=60
    )


class Anju:
    """One `anju PART` on the folder ``var``; may be killed and started again, and never outlives its `with` block.

    ``prefix`` is a command that becomes it, such as one that sets limits.
    """

    def __init__(
        self,
        part: str,
        var: Path,
        settings: Mapping[str, object],
        *options: str,
        log: Path | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.part = part
        self.var = var
        self.log = log or var.parent / f"{part}.log"
        self._options = options
        self._environment = environment(var, settings)
        self._prefix = tuple(prefix)
        self._child: subprocess.Popen[bytes] | None = None
        self._started_at = SystemClock().now()

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int | None:
        """The running process's id, None when it is down."""
        return self._child.pid if self.running and self._child else None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._child.poll() if self._child else None

    @property
    def beats(self) -> bool:
        """Whether this very process has written a heartbeat, of whatever kind, within the last seconds."""
        said = heartbeat.read(self.var, self.part, SystemClock().now())
        return said.status != "down" and (said.steady or said.at) >= self._started_at

    def start(self) -> None:
        """Start the process and return at once."""
        assert not self.running, f"{self.part} runs already"
        self._started_at = SystemClock().now()
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C in the terminal reaches pytest, which then stops the part.
            self._child = subprocess.Popen(
                [*self._prefix, *COMMAND, self.part, *self._options],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Return once this very process says in its heartbeat that it is up."""
        wait_until(self._is_up, lambda: f"{self.part} is not up; {self.tail()}")

    def _is_up(self) -> bool:
        assert self.running, f"{self.part} ended while starting; {self.tail()}"
        said = heartbeat.read(self.var, self.part, SystemClock().now())
        return said.status == "up" and (said.steady or said.at) >= self._started_at

    def kill(self) -> None:
        """SIGKILL; returns once the process is gone. Fails when it had ended by itself before."""
        assert self._child is not None
        assert self.running, f"{self.part} ended by itself; {self.tail()}"
        self._child.kill()
        self._child.wait()

    def limit_file_size(self, most: int) -> tuple[int, int]:
        """Let the process write no file beyond ``most`` bytes, and return the limits that were (RLIMIT_FSIZE)."""
        assert self._child is not None
        former = resource.prlimit(self._child.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._child.pid, resource.RLIMIT_FSIZE, (most, former[1]))
        return former

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """End it the orderly way and return its exit code."""
        assert self._child is not None
        if self.running:
            self._child.send_signal(number)
        return self._child.wait(STOP_DEADLINE_SECONDS)

    def wait(self) -> int:
        """Return its exit code once it has ended by itself."""
        assert self._child is not None
        return self._child.wait(READY_DEADLINE_SECONDS)

    def output(self) -> str:
        """Everything it has printed and logged since its first start."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def tail(self) -> str:
        """The end of its output, for messages."""
        return "\n".join([f"the end of {self.log.name}:", *self.output().splitlines()[-LOG_TAIL_LINES:]])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None and self.running:
            self._child.kill()
            self._child.wait()

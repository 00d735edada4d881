"""What the servers share: their own folder, a free port, readiness by connecting, and an end by their own pid."""

import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

START_DEADLINE_SECONDS = 60.0  # A cold influxd on a busy two-core machine needs about 10.
STOP_DEADLINE_SECONDS = 30.0
POLL_SECONDS = 0.02
LOG_TAIL_LINES = 25


class ServerError(RuntimeError):
    """A test server did not come up or did not end; the message carries the end of its log."""


def free_port() -> int:
    """A loopback TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One server in one temporary folder, on one loopback port for its whole life.

    `start` after `stop` or `kill` serves the same store on the same port. `close` (or leaving the `with` block)
    stops it and removes the folder.
    """

    name = "server"
    stop_signal = signal.SIGTERM
    account: str | None = None
    """The Unix account to run as; None is our own."""

    def __init__(self, program: Path) -> None:
        self.program = program
        self.port = 0
        self._folder: Path | None = None
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return "127.0.0.1"

    @property
    def folder(self) -> Path:
        """The server's own folder; raises before the first start."""
        if self._folder is None:
            raise ServerError(f"{self.name} has no folder before its first start")
        return self._folder

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def pid(self) -> int | None:
        """The running server's process id, None when it is down."""
        return self._child.pid if self.running and self._child else None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def command(self) -> Sequence[str]:
        """The command line; called at every start."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """The whole environment, so that a developer's own settings never reach a test server."""
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}

    def prepare(self) -> None:
        """Fill the new folder; called once, before the first start."""

    def answers(self) -> bool:
        """Whether one real connection succeeds now; never waits longer than about a second."""
        raise NotImplementedError

    def started(self) -> None:
        """Called after every start, once the server answers."""

    def start(self) -> None:
        """Return once the server answers; raises ServerError with its log's end when it does not."""
        if self.running:
            raise ServerError(f"{self.name} runs already")
        if self._folder is None:
            self._create()
        self._child = self.spawn(self.command())
        try:
            self._wait_until_it_answers()
            self.started()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End it the orderly way; nothing to do when it is down."""
        if not self.running or self._child is None:
            return
        self._child.send_signal(self.stop_signal)
        try:
            self._child.wait(STOP_DEADLINE_SECONDS)
        except subprocess.TimeoutExpired as late:
            self.kill()
            raise ServerError(self.with_log(f"did not stop within {STOP_DEADLINE_SECONDS} s")) from late

    def kill(self) -> None:
        """SIGKILL: no save, no goodbye. Returns once the process is gone."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def restart(self) -> None:
        """Stop it the orderly way if it runs, and start it on the same port with the same store."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it and remove its folder; may be called twice."""
        try:
            self.stop()
        finally:
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _create(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix=f"anju-{self.name}-"))
        self.port = free_port()
        try:
            if self.account:
                shutil.chown(self._folder, self.account)
            self.prepare()
        except BaseException:
            self.close()
            raise

    def spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Run the command as the server's account, in its folder, its output going to the log."""
        group = pwd.getpwnam(self.account).pw_gid if self.account else None
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=dict(self.environment()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A session of its own: Ctrl-C in the terminal reaches pytest, which then stops the server.
                start_new_session=True,
                user=self.account,
                group=group,
                extra_groups=None if group is None else [],
            )

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_DEADLINE_SECONDS
        while not self.answers():
            if not self.running:
                raise ServerError(self.with_log("ended while starting"))
            if time.monotonic() > deadline:
                raise ServerError(self.with_log(f"did not answer within {START_DEADLINE_SECONDS} s"))
            time.sleep(POLL_SECONDS)
        if not self.running:
            raise ServerError(self.with_log(f"ended, and something else answers on port {self.port}"))

    def with_log(self, happened: str) -> str:
        """A message for ServerError: what happened, and the end of the log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"{self.program} {happened}; the end of its log:", *lines[-LOG_TAIL_LINES:]])

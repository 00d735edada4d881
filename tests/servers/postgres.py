"""PostgreSQL in a folder of its own, and fresh databases on any PostgreSQL."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from tests.servers.places import Address
from tests.servers.running import POLL_SECONDS, Server, ServerError

ORDINARY_ACCOUNTS = ("postgres", "nobody")
KILL_DEADLINE_SECONDS = 10.0


class PostgresApi:
    """Databases on one server; the address's user must be allowed to create them."""

    def __init__(self, address: Address) -> None:
        self.url = libpq_url(address.url)

    def new_database(self) -> str:
        """Create an empty database with a name of its own and return the name."""
        name = f"test_{secrets.token_hex(6)}"
        self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return name

    def drop_database(self, name: str) -> None:
        """Drop the database, whoever is still connected to it."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def sqlalchemy_url(self, database: str) -> str:
        """SQLAlchemy's URL of the database, for the psycopg 3 driver."""
        return urlunsplit(urlsplit(self.url)._replace(scheme="postgresql+psycopg", path=f"/{database}"))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)


class Postgres(Server):
    """A PostgreSQL at `url` (user anju, random password), fsync on."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "Fast": it does not wait for clients to leave.

    def __init__(self, program: Path) -> None:
        super().__init__(program)
        self.password = secrets.token_hex(16)
        self.account = ordinary_account()

    @property
    def url(self) -> str:
        return f"postgresql://anju:{self.password}@{self.host}:{self.port}/postgres"

    @property
    def address(self) -> Address:
        return Address(self.url)

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def command(self) -> Sequence[str]:
        settings = ("listen_addresses=127.0.0.1", f"port={self.port}", "unix_socket_directories=")
        return [str(self.program), "-D", str(self.store), *(word for line in settings for word in ("-c", line))]

    def prepare(self) -> None:
        password_file = self.folder / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self.password + "\n")
        if self.account:
            shutil.chown(password_file, self.account)
        command = [str(self.program.with_name("initdb")), "-D", str(self.store), "-U", "anju", "-E", "UTF8"]
        command += ["--locale=C", "--auth=scram-sha-256", f"--pwfile={password_file}", "--no-sync"]
        child = self.spawn(command)
        if child.wait():
            raise ServerError(self.with_log("could not be prepared by initdb"))
        password_file.unlink()

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL the server and its children, which would outlive it for a moment and hold its shared memory."""
        if self._child is None:
            return
        children = _children(self._child.pid) if self.running else []
        super().kill()
        for pid in children:
            _kill_pid(pid)
        deadline = time.monotonic() + KILL_DEADLINE_SECONDS
        while any(Path("/proc", str(pid), "exe").exists() for pid in children):
            if time.monotonic() > deadline:
                raise ServerError("children of a killed postgres are still there")
            time.sleep(POLL_SECONDS)


def libpq_url(url: str) -> str:
    """The URL as libpq reads it: SQLAlchemy's driver suffix removed."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme=parts.scheme.partition("+")[0]))


def ordinary_account() -> str | None:
    """The account to run PostgreSQL as, which refuses to be root; None when we are not root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ORDINARY_ACCOUNTS if name in known), None)


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _kill_pid(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # It may have followed its parent by itself.
        os.kill(pid, signal.SIGKILL)

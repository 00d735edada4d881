"""Pytest fixtures for real servers. One that is missing skips with one line; under CI it fails instead."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest

from tests.servers.faketime import WallClock
from tests.servers.influx import Influx, InfluxApi
from tests.servers.mosquitto import Mosquitto
from tests.servers.places import PROGRAMS, VARIABLES, Address, find_address, find_program
from tests.servers.postgres import Postgres, PostgresApi

MakeMosquitto = Callable[..., Mosquitto]
MakeInflux = Callable[[], Influx]


def absent(name: str, *, address_will_do: bool = True) -> NoReturn:
    """Skip the test with one line that says what to do; under CI fail, because there nothing may be missing."""
    line = f"needs {PROGRAMS[name]}: run `make test-servers`"
    if address_will_do and name in VARIABLES:
        line += f" or set {VARIABLES[name]}"
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(line, pytrace=False)
    pytest.skip(line)


def required_program(name: str) -> Path:
    """The server's own program; skips or fails without it, even where an address is set."""
    return find_program(name) or absent(name, address_will_do=False)


def _program_or_absent(name: str) -> Path:
    return find_program(name) or absent(name)


@pytest.fixture(scope="session")
def mosquitto() -> Iterator[Address]:
    """One broker for the whole session; never stopped by a test. Keep topics and client ids to yourself."""
    address = find_address("mosquitto")
    if address:
        yield address
        return
    with Mosquitto(_program_or_absent("mosquitto"), save_every_change=False) as server:
        yield server.address


@pytest.fixture(scope="session")
def influx() -> Iterator[InfluxApi]:
    """One InfluxDB for the whole session; never stopped by a test."""
    address = find_address("influx")
    if address:
        yield InfluxApi(address)
        return
    with Influx(_program_or_absent("influx")) as server:
        yield InfluxApi(server.address)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresApi]:
    """One PostgreSQL for the whole session; never stopped by a test."""
    address = find_address("postgres")
    if address:
        yield PostgresApi(address)
        return
    with Postgres(_program_or_absent("postgres")) as server:
        yield PostgresApi(server.address)


@pytest.fixture
def influx_bucket(influx: InfluxApi) -> Iterator[str]:
    """The name of a bucket that this test has for itself."""
    name = influx.new_bucket()
    yield name
    influx.delete_bucket(name)


@pytest.fixture
def postgres_url(postgres: PostgresApi) -> Iterator[str]:
    """SQLAlchemy's URL of an empty database that this test has for itself."""
    name = postgres.new_database()
    yield postgres.sqlalchemy_url(name)
    postgres.drop_database(name)


@pytest.fixture
def make_mosquitto() -> Iterator[MakeMosquitto]:
    """Start brokers that this test may stop and kill: `make_mosquitto(extra_lines, save_every_change=True)`."""
    with ExitStack() as servers:

        def make(extra_lines: Sequence[str] = (), *, save_every_change: bool = True) -> Mosquitto:
            program = required_program("mosquitto")
            return servers.enter_context(Mosquitto(program, extra_lines, save_every_change=save_every_change))

        yield make


@pytest.fixture
def make_influx() -> Iterator[MakeInflux]:
    """Start InfluxDBs that this test may stop and kill: `make_influx()`."""
    with ExitStack() as servers:
        yield lambda: servers.enter_context(Influx(required_program("influx")))


@pytest.fixture
def make_postgres() -> Iterator[Callable[[], Postgres]]:
    """Start PostgreSQLs that this test may stop and kill: `make_postgres()`."""
    with ExitStack() as servers:
        yield lambda: servers.enter_context(Postgres(required_program("postgres")))


@pytest.fixture
def wall_clock(tmp_path: Path) -> WallClock:
    """A wall clock for child processes, which the test sets while they run."""
    required_program("faketime")
    return WallClock(tmp_path)

"""A backup taken while messages flow, brought back elsewhere: nothing that it reaches is missing, and all goes on."""

import asyncio
import csv
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url

from app.backup import restore, run_client, verified
from app.settings import Settings
from core.errors import StartupError
from storage.journal.appender_lock import AppenderLock
from storage.journal.sqlite import SqliteJournal
from tests.acceptance import outcome
from tests.acceptance.lifts import RULE_SETTINGS, LiftPublisher
from tests.acceptance.running import Anju, influx_settings, run_command, wait_until
from tests.servers.influx import Influx, InfluxApi
from tests.servers.mosquitto import Mosquitto
from tests.servers.plugin import MakeInflux, MakeMosquitto
from tests.servers.running import free_port

PARTS = ("ingest", "alerts")
BEFORE, MEANWHILE, AFTER = 1_500, 1_000, 500


@dataclass
class Estate:
    """An installation with lifts that never rest."""

    folder: Path
    broker: Mosquitto
    lifts: LiftPublisher
    settings: dict[str, object]

    def anju(self, var: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Anju on the folder ``var``."""
        return run_command(var, self.settings, *arguments)

    def settle(self, var: Path, count: int) -> None:
        """Return once the lifts have said ``count`` things and all of it is stored and decided."""
        self.lifts.allow(count)
        wait_until(lambda: self.lifts.sent >= count and self.lifts.all_acknowledged, lambda: f"{self.lifts.sent} sent")

        def written() -> bool:
            row = outcome.ledger(var)
            return row.received - row.duplicate >= count and row.in_flight == 0

        wait_until(written, lambda: f"{outcome.ledger(var)}", 120)
        records, end = outcome.Records(var), outcome.last_position(var)
        wait_until(lambda: records.position() >= end, lambda: f"{records.position()} of {end} decided")


@pytest.fixture(params=["sqlite", "postgres"])
def estate(request: pytest.FixtureRequest, tmp_path: Path, make_mosquitto: MakeMosquitto) -> Iterator[Estate]:
    broker = make_mosquitto(save_every_change=False)
    settings: dict[str, object] = {
        "ANJU_MQTT__PORT": broker.port,
        "ANJU_BROKER__EMBEDDED": "none",
        **RULE_SETTINGS,
    }
    if request.param == "postgres":
        settings["ANJU_RECORDS__URL"] = request.getfixturevalue("postgres_url")
    with LiftPublisher(broker.host, broker.port) as lifts:
        yield Estate(tmp_path, broker, lifts, settings)


@pytest.mark.timeout(300)
def test_a_backup_under_load_is_whole_and_goes_on_elsewhere(estate: Estate, request: pytest.FixtureRequest) -> None:
    first, copy = estate.folder / "var", estate.folder / "backup"
    url = _url(estate)
    with ExitStack() as stack:
        for name in PARTS:
            stack.enter_context(Anju(name, first, estate.settings)).wait_ready()
        estate.lifts.allow(BEFORE)
        wait_until(lambda: estate.lifts.sent >= BEFORE // 2, lambda: f"{estate.lifts.sent} sent")
        estate.lifts.allow(BEFORE + MEANWHILE)
        told = {step.alert_id for step in outcome.Records(first, _url(estate)).transitions()}
        done = estate.anju(first, "backup", str(copy))
        assert done.returncode == 0, done.stderr
        wait_until(lambda: estate.lifts.sent >= BEFORE + MEANWHILE, lambda: f"{estate.lifts.sent} sent")
        wait_until(lambda: estate.lifts.all_acknowledged, lambda: "unacknowledged messages")
    assert told
    manifest = verified(copy)
    assert manifest.last_position > 0
    assert manifest.decided_position <= manifest.last_position
    assert {stat.S_IMODE(path.stat().st_mode) for path in copy.iterdir()} == {0o600}
    assert stat.S_IMODE(copy.stat().st_mode) == 0o700

    if url is not None:  # The old database is lost: a new one takes its place.
        postgres = request.getfixturevalue("postgres")
        fresh = postgres.new_database()
        request.addfinalizer(lambda: postgres.drop_database(fresh))
        estate.settings["ANJU_RECORDS__URL"] = postgres.sqlalchemy_url(fresh)
    second = estate.folder / "elsewhere" / "var"
    back = estate.anju(second, "restore", str(copy))
    assert back.returncode == 0, back.stderr
    assert "pseudonym.key" in {path.name for path in second.iterdir()}
    again = estate.anju(second, "restore", str(copy))
    assert again.returncode == 1
    assert "exists" in again.stderr

    with ExitStack() as stack:
        for name in PARTS:
            stack.enter_context(Anju(name, second, estate.settings)).wait_ready()
        end = outcome.last_position(second)
        records = outcome.Records(second, _url(estate))
        wait_until(lambda: records.position() >= manifest.last_position, lambda: f"{records.position()} decided")
        wait_until(lambda: outcome.ledger(second).in_flight == 0, lambda: f"{outcome.ledger(second)}")
        assert end >= manifest.last_position
        row = outcome.ledger(second)
        assert row.received == row.stored + row.duplicate + row.rejected
        assert told <= {step.alert_id for step in records.transitions()}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("lost", [True, False], ids=["InfluxDB is lost as well", "InfluxDB has lost nothing"])
def test_what_the_journal_counts_as_stored_is_in_influx_after_a_restore(
    tmp_path: Path, make_mosquitto: MakeMosquitto, make_influx: MakeInflux, lost: bool
) -> None:
    broker, influx = make_mosquitto(save_every_change=False), make_influx()
    first, second, copy = tmp_path / "var", tmp_path / "elsewhere" / "var", tmp_path / "backup"
    settings = {"ANJU_MQTT__PORT": broker.port, **influx_settings(influx), **RULE_SETTINGS}
    with ExitStack() as stack:
        lifts = stack.enter_context(LiftPublisher(broker.host, broker.port))
        estate = Estate(tmp_path, broker, lifts, settings)
        for name in PARTS:
            stack.enter_context(Anju(name, first, settings)).wait_ready()
        estate.settle(first, AFTER)
        done = estate.anju(first, "backup", str(copy))
        assert (done.returncode, "not in it" in done.stdout) == (0, False), done.stdout + done.stderr
    before = _points(influx)
    assert before > 0
    if lost:
        InfluxApi(influx.address).delete_bucket(influx.bucket)
    else:
        refused = estate.anju(second, "restore", str(copy))
        assert (refused.returncode, "holds points already" in refused.stderr) == (1, True), refused.stderr
        assert not (second / "journal.sqlite").exists()
    back = estate.anju(second, "restore", str(copy), *([] if lost else ["--keep-telemetry"]))
    assert back.returncode == 0, back.stderr
    assert _points(influx) == before
    assert outcome.ledger(second).stored > 0


def _points(influx: Influx) -> int:
    """Return how many points the bucket holds."""
    flux = f'from(bucket: "{influx.bucket}") |> range(start: 0) |> group() |> count()'
    answer = httpx.post(
        f"{influx.url}/api/v2/query",
        params={"org": influx.org},
        headers={"Authorization": f"Token {influx.token}", "Content-Type": "application/vnd.flux"},
        content=flux,
        trust_env=False,
    )
    counts = [row["_value"] for row in csv.DictReader(answer.text.split()) if row["_value"].isdigit()]
    return sum(map(int, counts))


def _url(estate: Estate) -> str | None:
    url = estate.settings.get("ANJU_RECORDS__URL")
    return None if url is None else str(url)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A backup of an installation that has received nothing."""
    var, copy = tmp_path / "var", tmp_path / "backup"
    var.mkdir()
    journal = SqliteJournal(var / "journal.sqlite")
    journal.open()
    assert journal.ledger(date(2026, 1, 1)) == []
    journal.close()
    (var / "pseudonym.key").write_bytes(os.urandom(32))
    assert _anju(var, "token", "add", "li").returncode == 0
    done = _anju(var, "backup", str(copy))
    assert (done.returncode, "not in it: telemetry" in done.stdout) == (2, True), done
    return copy


def _anju(var: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = {"ANJU_TELEMETRY__STORE": "influx", "ANJU_INFLUX__TOKEN": "x"}
    return run_command(var, settings, *arguments)


def _cut(copy: Path) -> None:
    path = copy / "journal.sqlite"
    path.write_bytes(path.read_bytes()[:-1])


def _change(copy: Path) -> None:
    path = copy / "records.sqlite"
    content = bytearray(path.read_bytes())
    content[5_000] ^= 1
    path.write_bytes(content)


DAMAGE = {
    "unfinished": (lambda copy: (copy / "manifest.json").unlink(), "no manifest.json"),
    "a file missing": (lambda copy: (copy / "pseudonym.key").unlink(), "is missing"),
    "a file cut": (_cut, "is damaged"),
    "a byte changed": (_change, "is damaged"),
    "a manifest of nonsense": (lambda copy: (copy / "manifest.json").write_text("{}"), "cannot be read"),
}


@pytest.mark.parametrize(("damage", "said"), DAMAGE.values(), ids=DAMAGE)
def test_a_backup_that_is_not_whole_is_refused(whole: Path, damage, said: str) -> None:  # type: ignore[no-untyped-def]
    verified(whole)
    damage(whole)
    with pytest.raises(StartupError, match=said):
        verified(whole)


@pytest.mark.timeout(300)
def test_a_restore_under_a_running_part_is_refused(whole: Path, tmp_path: Path) -> None:
    var = tmp_path / "running" / "var"
    var.parent.mkdir()
    with Anju("api", var, {"ANJU_API__PORT": free_port()}) as part:
        part.wait_ready()
        for moved in (False, True):
            if moved:
                var.rename(tmp_path / "running" / "var-old")
            with pytest.raises(StartupError, match=f"api runs on {var}: stop every part first"):
                _restore(var, whole)
        assert not (var / "journal.sqlite").exists()
        assert part.stop() == 0
    # Its last heartbeat is a second old, and it is gone.
    _restore(var, whole)
    assert (var / "journal.sqlite").exists()


def test_a_restore_beside_an_appender_is_refused(whole: Path, tmp_path: Path) -> None:
    var = tmp_path / "appending"
    lock = AppenderLock(var / "journal.sqlite")
    lock.acquire()
    try:
        with pytest.raises(StartupError, match="another Anju is writing into it"):
            _restore(var, whole)
    finally:
        lock.release()
    assert [path.name for path in var.iterdir()] == ["journal.sqlite.lock"]


@pytest.mark.skipif(shutil.which("pg_dump") is None, reason="pg_dump is not installed")
async def test_a_failure_of_pg_dump_is_one_line(tmp_path: Path) -> None:
    url = make_url(f"postgresql+asyncpg://anju@127.0.0.1:{free_port()}/anju")
    with pytest.raises(StartupError) as refused:
        await run_client("pg_dump", [f"--file={tmp_path / 'dump'}"], url)
    assert str(refused.value).startswith("pg_dump failed: connection to server at ")
    assert "\n" not in str(refused.value)


def _restore(var: Path, copy: Path) -> None:
    asyncio.run(restore(Settings(var=var), copy))


def test_a_backup_goes_into_a_folder_of_its_own(whole: Path, tmp_path: Path) -> None:
    done = _anju(tmp_path / "var", "backup", str(whole))
    assert done.returncode == 1
    assert "is not empty" in done.stderr


def test_a_file_that_cannot_be_copied_is_named(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "var" / "old.key").mkdir()
    done = _anju(tmp_path / "var", "backup", str(tmp_path / "another"))
    assert done.returncode == 1
    assert "old.key: Is a directory; the backup in" in done.stderr
    assert "Traceback" not in done.stderr
    with pytest.raises(StartupError, match="no backup, or one that was not finished"):
        verified(tmp_path / "another")

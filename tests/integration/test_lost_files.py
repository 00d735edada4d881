"""Journal and telemetry files that are lost: a marker tells of them, and nothing starts as if there had been none."""

import asyncio
import os
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from app import wiring
from app.installation_lock import in_use, replacing
from app.opening import require_same_journal
from app.settings import RecordsSettings, Settings
from core.clock import ManualClock
from core.devices import DeviceKey, DeviceKind
from core.errors import StartupError, TemporaryError
from storage.damage import accept, marker_of, require_known, require_sound
from storage.journal.rescue import rescue
from storage.records import AlertRecordsAdapter, RecordsAdapter, RecordsDatabase, upgrade
from storage.telemetry.embedded import EmbeddedTelemetry
from tests.acceptance.running import Anju, run_command
from tests.contract.records_cases import START, commit
from tests.servers.running import free_port

LOST: dict[str, Callable[[Path], object]] = {
    "is empty": lambda path: path.write_bytes(b""),
    "is missing": lambda path: path.unlink(),
}


def opened_once(settings: Settings) -> None:
    with closing(wiring.journal(settings, appending=True)):
        pass


@pytest.mark.parametrize("found", LOST)
@pytest.mark.parametrize("appending", [True, False], ids=["ingest", "a reader"])
def test_a_lost_journal_is_not_begun_anew(tmp_path: Path, found: str, appending: bool) -> None:
    settings = Settings(var=tmp_path)
    opened_once(settings)
    LOST[found](settings.journal_path)
    with pytest.raises(StartupError, match=rf"journal database .* {found}.*`anju journal accept "):
        wiring.journal(settings, appending=appending)
    assert not settings.journal_path.exists() or settings.journal_path.stat().st_size == 0
    assert accept(settings.journal_path)
    opened_once(settings)
    assert marker_of(settings.journal_path).exists()


def test_the_journal_of_another_installation_is_refused(tmp_path: Path) -> None:
    mine, other = Settings(var=tmp_path / "mine"), Settings(var=tmp_path / "other")
    for settings in (mine, other):
        settings.var.mkdir()
        opened_once(settings)
    other.journal_path.replace(mine.journal_path)
    with pytest.raises(StartupError, match="holds another database"):
        wiring.journal(mine, appending=False)


def test_a_rescued_journal_is_the_one_that_its_marker_names(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path)
    opened_once(settings)
    rescue(settings.journal_path, wiring.journal_seal(settings))
    opened_once(settings)


@pytest.mark.parametrize("found", LOST)
async def test_a_lost_history_is_told_and_not_begun_anew(tmp_path: Path, found: str) -> None:
    path = tmp_path / "telemetry.sqlite"
    for _ in range(2):
        store = EmbeddedTelemetry(path)
        await store.prepare()
        await store.close()
    LOST[found](path)
    store = EmbeddedTelemetry(path)
    with pytest.raises(TemporaryError, match=rf"{found}.*`anju telemetry accept "):
        await store.prepare()
    assert accept(path)
    await store.prepare()
    await store.close()


@pytest.mark.parametrize("content", [b"", b"{", b"\x00" * 64])
def test_a_marker_that_cannot_be_read_still_tells_that_there_was_a_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "records.sqlite"
    marker_of(path).write_bytes(content)
    with pytest.raises(StartupError, match=r"is missing, but .* says that there was one"):
        require_known(path, "records")


def test_a_link_into_a_folder_that_is_not_there_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    path.symlink_to(tmp_path / "unmounted" / "records.sqlite")
    with pytest.raises(StartupError, match=r"is a link to .*unmounted/records.sqlite, whose folder is not there"):
        require_known(path, "records")


@pytest.mark.parametrize("end", ["", ".marker", "-wal", "-shm"])
def test_a_folder_in_the_place_of_a_file_is_refused_at_once(tmp_path: Path, end: str) -> None:
    path = tmp_path / "records.sqlite"
    path.with_name(path.name + end).mkdir()
    with pytest.raises(StartupError, match=rf"records database: .*records.sqlite{end} is a folder.*`mv "):
        require_sound(path, "records")


OTHER_THAN_KNOWN: dict[str, Callable[[Path], object]] = {
    **LOST,
    "holds another database": lambda path: path.with_name("other.sqlite").replace(path),
}


@pytest.mark.parametrize("found", OTHER_THAN_KNOWN)
async def test_a_lost_history_is_neither_read_nor_cleared_and_readiness_names_the_way_out(
    tmp_path: Path, found: str
) -> None:
    path = tmp_path / "telemetry.sqlite"
    for each in (path, tmp_path / "other.sqlite"):
        store = EmbeddedTelemetry(each)
        await store.prepare()
        await store.close()
    OTHER_THAN_KNOWN[found](path)
    store = EmbeddedTelemetry(path)
    for job in (
        store.ping,
        lambda: store.expire(timedelta(days=1), START),
        lambda: store.latest(DeviceKey("oak", DeviceKind.GATE, "g1")),
    ):
        with pytest.raises(TemporaryError, match=rf"{found}.*`anju telemetry accept "):
            await job()
    await store.close()


async def test_a_damaged_history_names_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.sqlite"
    path.write_bytes(b"no database at all" * 1_000)
    store = EmbeddedTelemetry(path)
    with pytest.raises(TemporaryError, match="damaged; new values wait in the journal"):
        await store.prepare()
    await store.close()


COMMANDS = [("records", "rescue"), ("records", "accept"), ("journal", "rescue"), ("journal", "accept")]


@pytest.mark.timeout(180)
def test_no_file_is_changed_under_a_running_part(tmp_path: Path) -> None:
    var = tmp_path / "var"
    settings = {"ANJU_API__PORT": free_port()}
    with Anju("api", var, settings) as part:
        part.wait_ready()
        marker = marker_of(var / "records.sqlite").read_bytes()
        for store, command in COMMANDS:
            done = run_command(var, settings, store, command, str(var / f"{store}.sqlite"))
            assert (done.returncode, "api runs on" in done.stderr) == (1, True), done
        assert marker_of(var / "records.sqlite").read_bytes() == marker
        assert not list(var.glob("*.damaged-*"))
        assert part.stop() == 0
    done = run_command(var, settings, "records", "accept", str(var / "records.sqlite"))
    assert done.returncode == 0, done
    assert not marker_of(var / "records.sqlite").exists()


USERS = {
    "api": ("api",),
    "ingest": ("ingest",),
    "alerts": ("alerts",),
    "everything": ("run",),
    "a new token": ("token", "add", "li"),
    "a cleared row": ("records", "clear", "calls", "c1"),
    "another rescue": ("records", "rescue", "records.sqlite"),
    "another accept": ("telemetry", "accept", "telemetry.sqlite"),
}


@pytest.mark.parametrize("arguments", USERS.values(), ids=USERS)
async def test_nothing_begins_while_a_command_replaces_files(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    var = tmp_path / "var"
    var.mkdir(0o700)
    paths = [str(var / each) if each.endswith(".sqlite") else each for each in arguments]
    async with replacing(var):
        done = await asyncio.to_thread(run_command, var, {}, *paths)
    assert (done.returncode, f" {var}: " in done.stderr, len(done.stderr.splitlines())) == (1, True, 1), done
    assert not list(var.glob("*.sqlite"))


async def test_files_are_not_replaced_before_the_first_heartbeat_of_a_part_either(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    settings = Settings(var=tmp_path, records=RecordsSettings(url=f"sqlite+aiosqlite:///{elsewhere}/records.sqlite"))
    with in_use(settings), in_use(settings):
        for folder in (tmp_path, elsewhere):
            with pytest.raises(StartupError, match=f"a part or another command of Anju works on {folder}: stop every"):
                async with replacing(folder):
                    raise AssertionError("both at once")
    async with replacing(tmp_path, elsewhere):
        pass


WAYS_OUT: dict[tuple[str, str], Callable[[Path], object]] = {
    **{("accept", found): lose for found, lose in LOST.items()},
    ("rescue", "is cut"): lambda path: os.truncate(path, 100),
}


@pytest.mark.parametrize(("command", "found"), WAYS_OUT)
async def test_after_the_way_out_of_a_lost_journal_the_alerts_go_on(tmp_path: Path, command: str, found: str) -> None:
    var = tmp_path / "var"
    settings = Settings(var=var)
    var.mkdir(0o700)
    opened_once(settings)
    await upgrade(settings.records_url)
    database = RecordsDatabase(settings.records_url)
    await database.open()
    await AlertRecordsAdapter(database, ManualClock(START)).commit(commit(91, previous=0))
    WAYS_OUT[command, found](settings.journal_path)
    done = await asyncio.to_thread(run_command, var, {}, "journal", command, str(settings.journal_path))
    assert done.returncode == 0, done
    with closing(wiring.journal(settings, appending=True)) as journal:
        await require_same_journal(journal, RecordsAdapter(database), settings)
        assert journal.last_position() == 91
    await database.close()

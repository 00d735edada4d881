"""The journal's file against what happens to files: killed writers, overwritten bytes, full disks, second openers."""

import os
import random
import select
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

import pytest

from core.errors import AnjuError, CorruptJournal, PermanentError, StartupError, TemporaryError
from core.observations import Entry
from storage.journal import schema
from storage.journal.rescue import rescue
from storage.journal.sqlite import SqliteJournal
from tests.contract.journal_cases import WRITER, message, messages, numbers_of, settle_next
from tests.kills import rounds

ROOT = Path(__file__).parents[2]
PAGE_BYTES = 4096
NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@contextmanager
def opened(path: Path, *, appending: bool = True) -> Iterator[SqliteJournal]:
    with closing(SqliteJournal(path)) as journal:
        journal.open(appending=appending)
        yield journal


@contextmanager
def appending_child(path: Path, seed: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.integration.journal_appender", str(path), str(seed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


def everything(journal: SqliteJournal, after: int = 0) -> list[Entry]:
    return journal.read(after, 1_000_000)


# --- kill -9 ---------------------------------------------------------------------------------------------------------


def _append_and_kill(path: Path, seed: int, seconds: float) -> list[tuple[int, int, int]]:
    """Let a child append for some seconds, kill it, and return what it was told is durable."""
    with appending_child(path, seed) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline()]
        # Nothing is waited for but the moment: the child must be killed at any, not at the end of a batch.
        select.select([], [], [], seconds)
        child.kill()
        lines += child.stdout.read().splitlines()
    promised = [line.split() for line in lines]
    return [(int(last), int(low), int(high)) for last, low, high in (line for line in promised if len(line) == 3)]


@pytest.mark.parametrize(("number", "count"), rounds("journal", 10))
def test_killed_at_any_moment_nothing_promised_is_lost(path: Path, number: int, count: int) -> None:
    chance = random.Random(20260301 + number)
    expected: set[int] = set()
    last = 0
    for seed in range(1, count + 1):
        promised = _append_and_kill(path, seed, chance.uniform(0.01, 0.3))
        expected |= {number for _, low, high in promised for number in range(low, high + 1)}
        with opened(path) as journal:
            entries = everything(journal)
            (row,) = journal.ledger(date.min)
            assert journal.last_position() >= promised[-1][0] > last
            last = journal.last_position()
        numbers = [number for number in numbers_of(entries) if number]
        assert expected <= set(numbers)
        assert len(numbers) == len(set(numbers))
        assert [entry.position for entry in entries] == list(range(1, last + 1))
        assert (row.received, row.duplicate) == (last, last - len(numbers))


def test_what_comes_again_after_a_restart_is_a_duplicate(path: Path) -> None:
    with opened(path) as journal:
        journal.append(messages(range(1, 101)))
    with opened(path) as journal:
        assert journal.append(messages([50, 101, 101])) == 103
        assert [entry.duplicate for entry in everything(journal, 100)] == [True, False, True]


# --- more than one process -------------------------------------------------------------------------------------------


def test_a_reader_sees_what_another_process_appends(path: Path) -> None:
    with appending_child(path, 1) as child, opened(path, appending=False) as journal:
        assert child.stdout is not None
        for _ in range(20):
            last, _, high = map(int, child.stdout.readline().split())
            assert journal.last_position() >= last
            assert high in numbers_of(everything(journal))
        journal.register(WRITER)
        journal.advance(WRITER, 1)
        assert journal.positions() == {WRITER: 1}


def test_a_second_appender_is_refused_until_the_first_is_gone(path: Path) -> None:
    with appending_child(path, 1) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(StartupError, match=r"journal\.sqlite: another Anju is writing into it") as refusal:
            SqliteJournal(path).open()
        assert "\n" not in str(refusal.value)
    with opened(path) as journal:
        assert journal.last_position() > 0
        with pytest.raises(StartupError):
            rescue(path)


def test_only_an_appender_may_append(path: Path) -> None:
    with opened(path, appending=False) as journal, pytest.raises(PermanentError, match="opened for reading"):
        journal.append(messages([1]))


@pytest.mark.parametrize("_round", range(20))
def test_many_may_open_a_new_file_at_once(path: Path, _round: int) -> None:
    failures: list[AnjuError] = []
    together = threading.Barrier(6)

    def open_one(appending: bool) -> None:
        together.wait()
        try:
            with opened(path, appending=appending) as journal:
                journal.register(WRITER)
        except AnjuError as error:
            failures.append(error)

    threads = [threading.Thread(target=open_one, args=(number == 0,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with opened(path, appending=False) as journal:
        assert journal.positions() == {WRITER: 0}


# --- conditions that pass, and those that do not ---------------------------------------------------------------------


def test_a_full_disk_is_temporary_and_the_batch_may_come_again(path: Path) -> None:
    with opened(path) as journal:
        journal.append(messages([1]))
        # SQLite reports a file at its largest number of pages exactly as it reports a full disk.
        writer = journal._connections._writer
        assert writer is not None
        (pages,) = writer.execute("PRAGMA page_count").fetchone()
        writer.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(TemporaryError, match="full"):
            journal.append([message(2, size=60_000)])
        assert journal.last_position() == 1
        writer.execute("PRAGMA max_page_count = 1000000")
        assert journal.append([message(2, size=60_000)]) == 2
        assert [entry.duplicate for entry in everything(journal)] == [False, False]
        assert [row.received for row in journal.ledger(date.min)] == [2]


def test_a_file_held_by_somebody_is_temporary(path: Path) -> None:
    with opened(path) as journal, closing(sqlite3.connect(path, isolation_level=None)) as holder:
        writer = journal._connections._writer
        assert writer is not None
        writer.execute("PRAGMA busy_timeout = 20")
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(TemporaryError, match="locked"):
            journal.append(messages([1]))
        holder.execute("ROLLBACK")
        assert journal.append(messages([1])) == 1


def test_a_format_of_the_future_is_refused(path: Path) -> None:
    with opened(path):
        pass
    with closing(sqlite3.connect(path)) as future:
        future.execute("PRAGMA user_version = 99")
    with pytest.raises(PermanentError, match="format 99, but this Anju reads 2"):
        SqliteJournal(path).open()


@contextmanager
def as_an_ordinary_user() -> Iterator[None]:
    """Root may write anywhere, so for a moment we are somebody else."""
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(mine)


@pytest.mark.parametrize("appending", [True, False])
def test_a_folder_that_may_not_be_written_is_one_clear_line(appending: bool) -> None:
    folder = Path("/") if os.geteuid() == 0 else Path("/usr")
    with (
        as_an_ordinary_user(),
        pytest.raises(PermanentError, match="expected a file in a folder this user may write") as refusal,
    ):
        SqliteJournal(folder / "journal-of-a-test.sqlite").open(appending=appending)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("appending", [True, False])
@pytest.mark.parametrize("place", ["taken/journal.sqlite", "folder"])
def test_a_place_that_is_no_file_is_one_clear_line(tmp_path: Path, place: str, appending: bool) -> None:
    (tmp_path / "taken").write_text("not a folder")
    (tmp_path / "folder").mkdir()
    with pytest.raises(PermanentError, match="expected a file in a folder this user may write") as refusal:
        SqliteJournal(tmp_path / place).open(appending=appending)
    assert "\n" not in str(refusal.value)


# --- damage ----------------------------------------------------------------------------------------------------------


def _filled(path: Path) -> list[Entry]:
    """Fill a journal with 300 batches of 10, of which 2,000 entries are settled, and close it."""
    with opened(path) as journal:
        journal.register(WRITER)
        journal.register("alerts")
        for batch in range(300):
            journal.append([message(batch * 10 + index, size=350) for index in range(1, 11)])
        settle_next(journal, 2_000)
        return everything(journal)


def _overwrite(path: Path, offset: int, filler: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(filler)


def _page_of_root(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    return int(page - 1) * PAGE_BYTES


def _assert_refused(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(CorruptJournal, match=f"anju journal rescue {path}") as refusal:
        SqliteJournal(path).open()
    assert "\n" not in str(refusal.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("pages", [1, 40])
def test_pages_overwritten_in_the_middle(path: Path, pages: int) -> None:
    entries = _filled(path)
    middle = path.stat().st_size // 2 // PAGE_BYTES * PAGE_BYTES
    _overwrite(path, middle, b"\x5a" * PAGE_BYTES * pages)
    _assert_refused(path)
    damaged_bytes = path.read_bytes()

    report = rescue(path)

    assert report.damaged.read_bytes() == damaged_bytes
    assert (report.readers, report.ledger_rows, report.rejections) == (2, 1, 666)
    assert 0 < report.lost <= 100 * pages
    with opened(path) as journal:
        found = everything(journal)
        assert len(found) == report.entries == 3_000 - report.lost
        assert set(map(_key, found)) < set(map(_key, entries))
        assert journal.positions() == {WRITER: 2_000, "alerts": 0}
        assert [(row.received, row.in_flight) for row in journal.ledger(date.min)] == [(3_000, 1_000)]
        assert len(journal.quarantine(None, 1_000)) == 666
        assert journal.append(messages([9_000])) == report.next_position > 3_000
        assert numbers_of(everything(journal, 3_000)) == [9_000]


def _key(entry: Entry) -> tuple[int, bytes]:
    return entry.position, entry.payload


def test_one_changed_letter_in_a_payload_is_found(path: Path) -> None:
    _filled(path)
    content = path.read_bytes()
    _overwrite(path, content.index(b"1501 "), b"1507")
    with opened(path, appending=False) as journal, pytest.raises(CorruptJournal, match="checksum"):
        everything(journal)
    _assert_refused(path)
    report = rescue(path)
    assert (report.entries, report.lost) == (2_990, 10)
    with opened(path) as journal:
        assert 1501 not in [entry.position for entry in everything(journal)]


def test_the_root_of_the_batches_gone_keeps_the_books(path: Path) -> None:
    _filled(path)
    _overwrite(path, _page_of_root(path, "batches"), b"\xff" * PAGE_BYTES)
    _assert_refused(path)
    report = rescue(path)
    assert (report.entries, report.lost, report.readers, report.rejections) == (0, 3_000, 2, 666)
    with opened(path) as journal:
        assert journal.append(messages([9_000])) == report.next_position > 3_000
        assert [(row.received, row.in_flight) for row in journal.ledger(date.min)] == [(3_001, 1_001)]


def test_a_file_that_was_cut(path: Path) -> None:
    _filled(path)
    os.truncate(path, path.stat().st_size // 2)
    _assert_refused(path)
    report = rescue(path)
    assert 0 < report.entries < 3_000
    with opened(path) as journal:
        assert journal.append(messages([9_000])) == report.next_position > report.entries


def test_a_file_that_is_no_journal_is_refused_and_put_aside(path: Path) -> None:
    path.write_bytes(b"Dear diary, nothing happened today.\n" * 400)
    _assert_refused(path)
    report = rescue(path)
    assert report.damaged.read_bytes().startswith(b"Dear diary")
    assert (report.entries, report.readers, report.rejections) == (0, 0, 0)
    with opened(path) as journal:
        assert journal.append(messages([1])) == report.next_position


def test_what_only_the_write_ahead_log_holds_is_rescued_and_kept(path: Path) -> None:
    promised = _append_and_kill(path, 1, 0.2)
    log = path.with_name(path.name + "-wal")
    database, log_bytes = path.read_bytes(), log.read_bytes()
    report = rescue(path)
    assert report.damaged.read_bytes() == database
    assert report.damaged.with_name(report.damaged.name + "-wal").read_bytes() == log_bytes
    with opened(path) as journal:
        numbers = numbers_of(everything(journal))
        assert {number for _, low, high in promised for number in range(low, high + 1)} <= set(numbers)
        assert report.lost == 0


def test_a_rescue_of_a_sound_journal_loses_nothing_and_may_be_repeated(path: Path) -> None:
    entries = _filled(path)
    first, second = rescue(path), rescue(path)
    assert (first.lost, second.lost, second.entries) == (0, 0, 3_000)
    assert first.damaged.name.endswith(".damaged-1")
    assert second.damaged.name.endswith(".damaged-2")
    with opened(path) as journal:
        assert everything(journal) == entries


def test_there_is_nothing_to_rescue(path: Path) -> None:
    with pytest.raises(PermanentError, match="there is no such file"):
        rescue(path)


def test_the_version_is_written_into_the_file(path: Path) -> None:
    with opened(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


BOOKS = ("ledger SET day = 'yesterday'", "ledger SET received = x'00'", "ledger SET community = x'fffe'")


@pytest.mark.parametrize("damage", BOOKS)
def test_a_damaged_row_of_the_ledger_hides_no_other(path: Path, damage: str) -> None:
    with opened(path) as journal:
        journal.append(messages(range(3)))
        change(path, "INSERT INTO ledger VALUES ('2026-07-01', 'oak', 1, 1, 0, 0)")
        change(path, f"UPDATE {damage} WHERE community != 'oak'")
        assert [row.community for row in journal.ledger(date(2000, 1, 1))] == ["oak"]


QUARANTINED = ("received_at = 'x'", "topic = x'00'", "reason = 'vanished'", "detail = 'ok', excerpt = 7")


@pytest.mark.parametrize("damage", QUARANTINED)
def test_a_damaged_row_of_the_quarantine_hides_no_other(path: Path, damage: str) -> None:
    with opened(path) as journal:
        for position in (1, 2):
            change(path, f"INSERT INTO quarantine VALUES ({position}, 0, 't', 'unknown_topic', '', x'00')")
        change(path, f"UPDATE quarantine SET {damage} WHERE position = 1")
        assert [one.position for one in journal.quarantine(None, 9)] == [2]


PLACES = ("readers SET position = 'x'", "numbering SET floor = 9223372036854775807", "numbering SET trimmed = x'00'")


@pytest.mark.parametrize("damage", [*PLACES, "batches SET entries = 'text'"])
def test_a_place_that_is_no_position_is_refused_and_rescued(path: Path, damage: str) -> None:
    with opened(path) as journal:
        journal.register(WRITER)
        journal.append(messages(range(3)))
    change(path, f"UPDATE {damage}")
    with pytest.raises(CorruptJournal, match="anju journal rescue"), opened(path):
        pass
    rescue(path)
    with opened(path) as journal:
        journal.register(WRITER)
        journal.append(messages(range(9, 10)))

"""A sealed journal: nothing in its files can be read without the key, and a wrong key is told from damage."""

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from app import wiring
from app.settings import Settings
from core.errors import CorruptJournal, StartupError, WrongJournalKey
from core.observations import Incoming, Rejection, RejectionReason
from ingest.ports import Settlement
from storage.journal import schema
from storage.journal.rescue import rescue
from storage.journal.sealing import Seal, Tampered, is_sealed
from storage.journal.sqlite import SqliteJournal
from tests.contract.journal_cases import NOON, WRITER, messages, numbers_of

CARD = b"card-number-4711-of-mrs-wang"
KEY, OTHER_KEY = Seal(b"k" * 32), Seal(b"o" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@contextmanager
def opened(path: Path, seal: Seal | None = KEY, *, appending: bool = True) -> Iterator[SqliteJournal]:
    with closing(SqliteJournal(path, seal=seal)) as journal:
        journal.open(appending=appending)
        yield journal


def swipe(number: int) -> Incoming:
    return Incoming("anju/v1/jinxiu/gate/east/event", CARD + str(number).encode(), 40, NOON, number)


def execute(path: Path, statement: str, *parameters: object) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement, parameters)


def test_no_file_of_the_journal_shows_a_card_number_not_even_of_a_rejected_message(path: Path) -> None:
    with opened(path) as journal:
        journal.append([swipe(1), swipe(2)])
        journal.register(WRITER)
        refused = Rejection(1, NOON, swipe(1).topic, RejectionReason.WRONG_SHAPE, "no such field", CARD)
        journal.settle(WRITER, Settlement(2, {}, [refused]))
        files = {file.name: file.read_bytes() for file in path.parent.iterdir()}
        assert {"journal.sqlite", "journal.sqlite-wal"} <= set(files)
        assert [name for name, content in files.items() if CARD in content] == []
        assert [entry.payload for entry in journal.read(0, 10)] == [CARD + b"1", CARD + b"2"]
        assert journal.quarantine(None, 10) == [refused]
    # So the test can fail: without a key the number is there to be read.
    with opened(path.with_name("plain.sqlite"), None) as journal:
        journal.append([swipe(1)])
        assert any(CARD in file.read_bytes() for file in path.parent.glob("plain.sqlite*"))


@pytest.mark.parametrize("seal", [OTHER_KEY, None], ids=["another key", "no key"])
def test_a_wrong_key_is_told_from_damage_and_changes_nothing(path: Path, seal: Seal | None) -> None:
    with opened(path) as journal:
        journal.append(messages(range(100)))
    with pytest.raises(WrongJournalKey, match=f"{KEY.key_id.hex()}.*key file.*--without-key {path}"):
        SqliteJournal(path, seal=seal).open()
    with opened(path, seal, appending=False) as journal, pytest.raises(WrongJournalKey, match="key file"):
        journal.read(0, 10)
    with opened(path) as journal:
        assert numbers_of(journal.read(0, 100)) == list(range(100))


def test_an_unsealed_journal_goes_on_sealed_and_an_older_anju_then_refuses_it(path: Path) -> None:
    with opened(path, None) as journal:
        journal.append(messages(range(10)))
    execute(path, "PRAGMA user_version = 1")
    with opened(path, None, appending=False) as journal:
        assert numbers_of(journal.read(0, 100)) == list(range(10))
    with opened(path) as journal:
        journal.append(messages(range(10, 20)))
        assert numbers_of(journal.read(0, 100)) == list(range(20))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
        blobs = [blob for (blob,) in connection.execute("SELECT entries FROM batches ORDER BY last_position")]
    assert [is_sealed(blob) for blob in blobs] == [False, True]


def test_a_byte_that_was_changed_is_damage_with_and_without_a_mended_checksum(path: Path) -> None:
    with opened(path) as journal:
        journal.append(messages(range(10)))
    with closing(sqlite3.connect(path)) as connection:
        (blob,) = connection.execute("SELECT entries FROM batches").fetchone()
    changed = blob[:-1] + bytes([blob[-1] ^ 1])
    execute(path, "UPDATE batches SET entries = ?, checksum = ?", changed, zlib.crc32(changed))
    with opened(path, appending=False) as journal, pytest.raises(CorruptJournal, match="was changed"):
        journal.read(0, 10)
    execute(path, "UPDATE batches SET checksum = checksum + 1")
    with pytest.raises(CorruptJournal, match="checksum"):
        SqliteJournal(path, seal=KEY).open()


def test_a_rescue_with_the_key_copies_what_is_sealed(path: Path) -> None:
    with opened(path) as journal:
        for start in (0, 10, 20):
            journal.append(messages(range(start, start + 10)))
    execute(path, "UPDATE batches SET checksum = checksum + 1 WHERE first_position = 11")
    report = rescue(path, KEY)
    assert (report.batches, report.lost) == (2, 10)
    with opened(path) as journal:
        assert numbers_of(journal.read(0, 100)) == [*range(10), *range(20, 30)]


def test_a_rescue_without_the_key_is_a_decision(path: Path) -> None:
    with opened(path, None) as journal:
        journal.append(messages(range(5)))
    with opened(path) as journal:
        journal.append(messages(range(5, 25)))
    before = path.read_bytes()
    with pytest.raises(WrongJournalKey, match="--without-key"):
        rescue(path, OTHER_KEY)
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*rescued*"))
    report = rescue(path, without_key=True)
    assert (report.entries, report.lost) == (5, 20)
    with opened(path, OTHER_KEY) as journal:
        assert journal.append(messages(range(100, 101))) == report.next_position
    with opened(report.damaged, appending=False) as journal:
        assert numbers_of(journal.read(0, 100)) == list(range(25))


def test_no_opening_seals_twice_under_one_number_and_key() -> None:
    heads = [Seal(b"k" * 32).close(b"the same")[:30] for _ in range(100)]
    seal = Seal(b"k" * 32)
    heads += [seal.close(b"the same")[:30] for _ in range(100)]
    assert len(set(heads)) == len(heads)
    with pytest.raises(Tampered):
        KEY.open(KEY.close(b"text")[:20])


def test_a_lost_key_file_is_missed_and_not_made_anew(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path)
    with closing(wiring.journal(settings, appending=True)) as journal:
        journal.append([swipe(1)])
    assert settings.journal_key_path.stat().st_mode & 0o777 == 0o600
    kept = settings.journal_key_path.rename(tmp_path / "elsewhere")
    with pytest.raises(StartupError, match=r"journal\.key is missing.*--without-key"):
        wiring.journal(settings, appending=False)
    assert not settings.journal_key_path.exists()
    kept.rename(settings.journal_key_path)
    with closing(wiring.journal(settings, appending=True)) as journal:
        assert [entry.payload for entry in journal.read(0, 10)] == [CARD + b"1"]

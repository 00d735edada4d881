"""What every journal promises, on the file and on its twin in memory."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import PermanentError
from ingest.ports import Journal, LedgerRow, Settlement
from storage.journal.bookkeeping import COMMUNITIES_A_DAY
from storage.journal.sealing import Seal
from storage.journal.sqlite import SqliteJournal
from storage.memory.journal import MemoryJournal
from tests.contract.journal_cases import NOON, WRITER, later, message, messages, numbers_of, rejected, settle_next

TODAY = NOON.date()
KINDS = ("sqlite", "sealed", "memory")
Make = Callable[..., Journal]


def _empty(kind: str, path: Path, **options: Any) -> Journal:
    if kind == "memory":
        return MemoryJournal(**options)
    journal = SqliteJournal(path, seal=Seal(bytes(32)) if kind == "sealed" else None, **options)
    journal.open()
    return journal


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes an empty journal with the options given."""
    with ExitStack() as stack:

        def build(**options: int) -> Journal:
            return stack.enter_context(closing(_empty(request.param, tmp_path / "journal.sqlite", **options)))

        yield build


@pytest.fixture
def journal(make: Make) -> Journal:
    return make()


def positions_of(journal: Journal, after: int = 0, limit: int = 1000) -> list[int]:
    return [entry.position for entry in journal.read(after, limit)]


def test_empty(journal: Journal) -> None:
    assert journal.last_position() == 0
    assert journal.read(0, 10) == []
    assert journal.positions() == {}
    assert (journal.size().first, journal.size().last) == (0, 0)
    assert journal.ledger(date.min) == []
    assert journal.quarantine(None, 10) == []
    assert journal.trim(older_than=later(days=1), beyond_bytes=0) == 0
    assert journal.append([]) == 0


def test_entries_come_back_as_they_were_given(journal: Journal) -> None:
    given_messages = [message(1), message(2, at=later(microseconds=1)), message(3, community="harbour", size=5)]
    assert journal.append(given_messages) == 3
    for entry, one in zip(journal.read(0, 10), given_messages, strict=True):
        kept = (entry.received_at, entry.topic, entry.payload, entry.size, entry.duplicate, entry.digest)
        assert kept == (one.received_at, one.topic, one.payload, one.size, False, one.digest)
    assert positions_of(journal) == [1, 2, 3]


@pytest.mark.parametrize(
    ("after", "limit", "expected"),
    [
        pytest.param(0, 3, [1, 2, 3], id="a part of the first batch"),
        pytest.param(2, 3, [3, 4, 5], id="from within one batch"),
        pytest.param(4, 4, [5, 6, 7, 8], id="across three batches"),
        pytest.param(5, 1, [6], id="a batch of one"),
        pytest.param(0, 100, [*range(1, 13)], id="everything"),
        pytest.param(11, 100, [12], id="the last one"),
        pytest.param(12, 5, [], id="at the end"),
        pytest.param(99, 5, [], id="beyond the end"),
        pytest.param(3, 0, [], id="nothing asked for"),
    ],
)
def test_reading_does_not_see_batches(journal: Journal, after: int, limit: int, expected: list[int]) -> None:
    for batch in (range(1, 6), range(6, 7), range(7, 13)):
        journal.append(messages(batch))
    assert positions_of(journal, after, limit) == expected


def test_duplicates_keep_their_place_and_lose_their_payload(journal: Journal) -> None:
    journal.append(messages([1, 2, 1]))
    assert journal.append(messages([2, 3])) == 5
    entries = journal.read(0, 10)
    assert [entry.duplicate for entry in entries] == [False, False, True, True, False]
    assert numbers_of(entries) == [1, 2, 0, 0, 3]
    assert [entry.size for entry in entries] == [60] * 5


def test_duplicates_are_looked_for_among_the_newest(make: Make) -> None:
    journal = make(remembered=10)
    journal.append(messages(range(1, 101)))
    for number in range(101, 151):
        journal.append([message(number)])
    journal.append(messages([1, 141, 150]))
    assert [entry.duplicate for entry in journal.read(150, 10)] == [False, True, True]


def test_readers_move_forward_only(journal: Journal) -> None:
    journal.append(messages(range(1, 11)))
    assert journal.register("alerts") == 0
    journal.advance("alerts", 7)
    journal.advance("alerts", 3)
    assert journal.register("alerts") == 7
    assert journal.register(WRITER) == 0
    assert journal.positions() == {"alerts": 7, WRITER: 0}


def test_an_unknown_reader_is_an_error(journal: Journal) -> None:
    with pytest.raises(PermanentError, match="'nobody' is unknown"):
        journal.advance("nobody", 1)
    with pytest.raises(PermanentError, match="'nobody' is unknown"):
        journal.settle("nobody", Settlement(1, {(TODAY, "garden"): 1}, []))
    assert journal.ledger(date.min) == []


def _ten_hours(journal: Journal) -> None:
    for hour in range(10):
        journal.append(messages(range(hour * 10 + 1, hour * 10 + 11), at=later(hours=hour)))


@pytest.mark.parametrize(
    ("readers", "removed"),
    [
        pytest.param({}, 0, id="nobody has read anything"),
        pytest.param({"alerts": 100, WRITER: 0}, 0, id="one reader has not begun"),
        pytest.param({"alerts": 100, WRITER: 30}, 30, id="the slowest decides"),
        pytest.param({"alerts": 100, WRITER: 100}, 50, id="age decides"),
    ],
)
def test_trimming_by_age_never_passes_a_reader(journal: Journal, readers: dict[str, int], removed: int) -> None:
    _ten_hours(journal)
    for reader, position in readers.items():
        journal.register(reader)
        journal.advance(reader, position)
    assert journal.trim(older_than=later(hours=5), beyond_bytes=None) == removed
    assert positions_of(journal) == list(range(removed + 1, 101))
    assert journal.size().first == removed + 1


def test_trimming_by_size_keeps_the_newest(journal: Journal) -> None:
    for batch in range(200):
        journal.append([message(batch * 10 + index, size=3000) for index in range(1, 11)])
    journal.register(WRITER)
    journal.advance(WRITER, 2000)
    bound = 2_000_000
    assert journal.size().bytes > 2 * bound
    removed = journal.trim(older_than=None, beyond_bytes=bound)
    assert bound / 2 < journal.size().bytes <= bound
    assert positions_of(journal, limit=5000) == list(range(removed + 1, 2001))
    assert journal.trim(older_than=None, beyond_bytes=bound) == 0


def test_trimming_by_size_never_passes_a_reader(journal: Journal) -> None:
    _ten_hours(journal)
    journal.register(WRITER)
    journal.advance(WRITER, 20)
    assert journal.trim(older_than=None, beyond_bytes=0) == 20
    assert positions_of(journal)[0] == 21


def test_after_everything_was_trimmed_numbering_goes_on(journal: Journal) -> None:
    _ten_hours(journal)
    journal.register("alerts")
    journal.advance("alerts", 100)
    assert journal.trim(older_than=later(days=1), beyond_bytes=None) == 100
    assert (journal.last_position(), journal.size().first, journal.size().last) == (100, 101, 100)
    assert journal.register("newcomer") == 100
    assert journal.append(messages([500])) == 101
    assert positions_of(journal, journal.positions()["newcomer"]) == [101]


def test_communities_without_end_share_a_row_of_the_ledger_which_adds_up(journal: Journal) -> None:
    count = COMMUNITIES_A_DAY + 50
    journal.register(WRITER)
    for _ in range(2):  # The second time as duplicates: also they are counted where the first ones were.
        journal.append([message(number, community=f"invented-{number}") for number in range(count)])
    journal.append([message(count, community="invented-0"), message(count + 1, community="late")])
    while journal.positions()[WRITER] < journal.last_position():
        settle_next(journal, 700)
    rows = journal.ledger(date.min)
    assert len(rows) == COMMUNITIES_A_DAY + 1
    assert (rows[0].community, rows[0].received, rows[0].duplicate) == ("-", 101, 50)
    assert next(row.received for row in rows if row.community == "invented-0") == 3
    assert {row.in_flight for row in rows} == {0}
    tomorrow = message(count + 2, at=NOON + timedelta(days=1), community="late")
    journal.append([tomorrow])
    assert [row.community for row in journal.ledger(tomorrow.received_at.date())] == ["late"]


def test_the_ledger_adds_up_by_day_and_community(journal: Journal) -> None:
    journal.register(WRITER)
    tomorrow = later(hours=12)
    journal.append([message(1), message(1), message(2, community="harbour"), message(3, at=tomorrow)])
    journal.append([message(4, at=tomorrow), message(5, community="Not a name!")])
    settle_next(journal, 4)
    assert journal.ledger(date.min) == [
        LedgerRow(TODAY, "-", received=1, stored=0, duplicate=0, rejected=0),
        LedgerRow(TODAY, "garden", received=2, stored=1, duplicate=1, rejected=0),
        LedgerRow(TODAY, "harbour", received=1, stored=0, duplicate=0, rejected=1),
        LedgerRow(tomorrow.date(), "garden", received=2, stored=1, duplicate=0, rejected=0),
    ]
    assert [row.in_flight for row in journal.ledger(date.min)] == [1, 0, 0, 1]
    assert [row.day for row in journal.ledger(tomorrow.date())] == [tomorrow.date()]


def test_a_settlement_counts_once(journal: Journal) -> None:
    journal.register(WRITER)
    journal.append(messages(range(1, 7)))
    settlement = Settlement(6, {(TODAY, "garden"): 5}, [rejected(journal.read(2, 1)[0])])
    for repeated in (settlement, settlement, Settlement(4, {(TODAY, "garden"): 4}, [])):
        journal.settle(WRITER, repeated)
    assert journal.ledger(date.min) == [LedgerRow(TODAY, "garden", received=6, stored=5, duplicate=0, rejected=1)]
    assert journal.positions() == {WRITER: 6}
    assert journal.quarantine(None, 10) == list(settlement.rejections)


def test_quarantine_comes_newest_first_in_pages(journal: Journal) -> None:
    journal.register(WRITER)
    journal.append(messages(range(1, 11)))
    settle_next(journal, 10, reject_every=2)
    assert [one.position for one in journal.quarantine(None, 3)] == [10, 8, 6]
    assert [one.position for one in journal.quarantine(6, 3)] == [4, 2]
    assert journal.quarantine(None, 1) == [rejected(journal.read(9, 1)[0])]


def test_quarantine_is_bounded_by_age_and_number(make: Make) -> None:
    journal = make(quarantined=25)
    journal.register(WRITER)
    _ten_hours(journal)
    settle_next(journal, 100, reject_every=2)
    journal.trim(older_than=None, beyond_bytes=None)
    assert [one.position for one in journal.quarantine(None, 100)] == [*range(100, 50, -2)]
    journal.trim(older_than=later(hours=8), beyond_bytes=None)
    assert [one.position for one in journal.quarantine(None, 100)] == [*range(100, 80, -2)]
    # Where no entry is left to go, the quarantine still grows old.
    journal.trim(older_than=later(days=1), beyond_bytes=None)
    journal.trim(older_than=later(days=1), beyond_bytes=None)
    assert journal.quarantine(None, 100) == []


_STEPS = st.one_of(
    st.tuples(st.just("append"), st.lists(st.integers(1, 30), max_size=8)),
    st.tuples(st.just("settle"), st.integers(1, 12)),
    st.tuples(st.just("again"), st.integers(0, 12)),
    st.tuples(st.just("trim"), st.integers(0, 3)),
    st.tuples(st.just("reopen"), st.none()),
)


def _take(journal: Journal, step: tuple[str, object], number: int) -> None:
    match step:
        case "append", list(numbers):
            journal.append(messages(numbers, at=later(hours=number)))
        case "settle", int(limit):
            settle_next(journal, limit)
        case "again", int(back):
            before = max(0, journal.positions()[WRITER] - back)
            journal.settle(WRITER, Settlement(before, {(TODAY, "garden"): 5}, []))
        case "trim", int(hours):
            journal.trim(older_than=later(hours=number - hours), beyond_bytes=None)
        case "reopen", None if isinstance(journal, SqliteJournal):
            journal.close()
            journal.open()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(steps=st.lists(_STEPS, max_size=25))
def test_received_is_stored_and_duplicate_and_rejected_and_in_flight(
    kind: str, steps: list[tuple[str, object]]
) -> None:
    # Few examples: each commit waits for the disk.
    with TemporaryDirectory() as folder:
        journal = _empty(kind, Path(folder) / "journal.sqlite")
        with closing(journal):
            journal.register(WRITER)
            for number, step in enumerate(steps):
                _take(journal, step, number)
                _assert_adds_up(journal, steps[: number + 1])


def _assert_adds_up(journal: Journal, steps: list[tuple[str, object]]) -> None:
    rows = journal.ledger(date.min)
    position = journal.positions()[WRITER]
    totals = Counter[str]()
    for row in rows:
        assert row.received == row.stored + row.duplicate + row.rejected + row.in_flight
        totals.update(received=row.received, in_flight=row.in_flight)
    appended = [number for _, numbers in steps if isinstance(numbers, list) for number in numbers]
    unsettled = [entry for entry in journal.read(position, 10_000) if not entry.duplicate]
    assert totals["received"] == journal.last_position() == len(appended)
    assert totals["in_flight"] == len(unsettled)
    assert len(journal.quarantine(None, 10_000)) <= sum(row.rejected for row in rows)

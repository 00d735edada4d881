"""Weekly tests of people on the records, in every kind of database: what was sent, and what was said of it."""

from datetime import datetime, timedelta

import pytest

from alerts.dispatch.model import Intent, Purpose
from alerts.history import PersonTestRow
from alerts.model import Severity
from core.clock import ManualClock
from storage.records import DeskRecordsAdapter, OutboxAdapter, PersonTestsAdapter, RecordsDatabase
from tests.contract.records_cases import START, after
from tests.contract.records_desk_cases import desk_commit

pytestmark = pytest.mark.timeout(60)
WEEK = timedelta(days=7)


def weekly(person: str, week: int, receiver: str = "phone") -> Intent:
    at = START + week * WEEK + timedelta(microseconds=7)
    name = f"{person}-{week}-{receiver}"
    return Intent(name, f"test-{person}", week, receiver, Purpose.TEST, Severity.INFO, at, 0, "", (), 0, person)


def second(week: int) -> datetime:
    return (START + week * WEEK).replace(microsecond=0)


async def tell(database: RecordsDatabase, *intents: Intent) -> None:
    desk = DeskRecordsAdapter(database, ManualClock(after(60)))
    await desk.commit(desk_commit(0, 0, intents=list(intents)))


async def test_the_newest_test_of_each_person_counts_whatever_else_was_told(records_database: RecordsDatabase) -> None:
    tests = PersonTestsAdapter(records_database)
    assert await tests.newest() == {}
    other = Intent("a", "i", 1, "phone", Purpose.FIRING, Severity.MAJOR, after(9), 0, "", (), 0, "zhao")
    await tell(
        records_database, weekly("li", 1), weekly("li", 1, "mail"), weekly("li", 2), weekly("li", 2, "mail"),
        weekly("wang", 1), other,
    )  # fmt: skip
    await OutboxAdapter(records_database).send_test("siren", "lan", after(60))
    found = await tests.newest()
    assert {person: (row.sent_at, row.acknowledged_at) for person, row in found.items()} == {
        "li": (second(2), None),
        "wang": (second(1), None),
    }


async def test_the_first_word_on_a_test_stays_and_belongs_to_that_test(records_database: RecordsDatabase) -> None:
    tests = PersonTestsAdapter(records_database)
    await tell(records_database, weekly("li", 1))
    sent_at = (await tests.newest())["li"].sent_at
    first = await tests.acknowledge("li", sent_at, "li", after(10))
    assert await tests.acknowledge("li", sent_at + timedelta(microseconds=9), "lan", after(20)) == first
    assert first == PersonTestRow("li", sent_at, after(10), "li")
    assert await tests.newest() == {"li": first}
    await tell(records_database, weekly("li", 2))
    assert (await tests.newest())["li"].acknowledged_at is None
    await tests.acknowledge("li", sent_at, "li", after(30))
    assert (await tests.newest())["li"].acknowledged_at is None


async def test_what_was_said_outlives_the_message(records_database: RecordsDatabase) -> None:
    tests, outbox = PersonTestsAdapter(records_database), OutboxAdapter(records_database)
    await tell(records_database, weekly("li", 1))
    said = await tests.acknowledge("li", (await tests.newest())["li"].sent_at, "li", after(10))
    (entry,) = await outbox.due(after(99_999), 10)
    await outbox.delivered(entry.number, after(99_999), "ok")
    assert await outbox.trim(after(199_999), 10) == 1
    assert await tests.newest() == {"li": said}

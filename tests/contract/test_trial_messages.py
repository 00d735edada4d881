"""Trying a receiver out: a row of the outbox like any other, in every kind of database."""

import pytest

from alerts.dispatch.model import OutboxStatus, Purpose
from storage.records import OutboxAdapter, RecordsDatabase
from tests.contract.records_cases import after

pytestmark = pytest.mark.timeout(60)


async def test_a_trial_message_is_due_at_once_and_says_who_sent_it(records_database: RecordsDatabase) -> None:
    outbox = OutboxAdapter(records_database)
    number = await outbox.send_test("siren", "lan", after(60))
    (entry,) = await outbox.due(after(60), 10)
    assert (entry.number, entry.status, entry.intent.receiver) == (number, OutboxStatus.WAITING, "siren")
    assert (entry.intent.purpose, entry.intent.incident, entry.intent.alerts) == (Purpose.TEST, "test by lan", ())
    assert list(await outbox.outbox(status="waiting", receiver="siren", alert_id=None, before=None, limit=9)) == [entry]


async def test_each_trial_is_a_message_of_its_own_in_order(records_database: RecordsDatabase) -> None:
    outbox = OutboxAdapter(records_database)
    numbers = [await outbox.send_test("siren", "lan", after(60)) for _ in range(2)]
    assert [entry.number for entry in await outbox.due(after(60), 10)] == numbers[:1]
    await outbox.delivered(numbers[0], after(61), "ok")
    (second,) = await outbox.due(after(61), 10)
    assert second.number == numbers[1]

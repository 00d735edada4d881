"""The weekly tests that people were sent, and what they said of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.dispatch.model import Intent
from alerts.history import PersonTestRow
from storage.records.database import RecordsDatabase
from storage.records.desk_tables import OF_TESTS, outbox
from storage.records.kept_tables import test_acknowledgements
from storage.records.statements import Parameters, upsert_into
from storage.records.uninterrupted import uninterrupted
from storage.records.unreadable import UnreadableRows, decoded

_said = test_acknowledgements.c


class PersonTestsAdapter:
    """The API's `PersonTests` port on the records database. Everything raises `TemporaryError` when it is away."""

    __test__ = False  # The name must not make pytest collect it.

    def __init__(self, database: RecordsDatabase) -> None:
        self._database = database

    async def newest(self) -> Mapping[str, PersonTestRow]:
        """Return the newest weekly test of everybody who was ever sent one, by name."""
        async with self._database.reading() as connection:
            said = await _newest_said(connection, self._database.unreadable)
            sent = await _newest_sent(connection, self._database.unreadable)
        rows = {person: PersonTestRow(person, at) for person, at in sent.items()}
        # A notification is deleted some time after it was finished; what was said of it is not.
        newer = {person: row for person, row in said.items() if person not in sent or row.sent_at >= sent[person]}
        return rows | newer

    @uninterrupted
    async def acknowledge(self, person: str, sent_at: datetime, actor: str, now: datetime) -> PersonTestRow:
        """Keep that the test of the second ``sent_at`` arrived, and return what is kept: the first word on it."""
        row: Parameters = {"person": person, "sent_at": _second(sent_at)}
        said: Parameters = {"acknowledged_at": now, "acknowledged_by": actor}
        wanted = select(test_acknowledgements).where(_said.person == person, _said.sent_at == _second(sent_at))
        async with self._database.writing() as connection:
            insert = upsert_into(connection, test_acknowledgements).on_conflict_do_nothing()
            await connection.execute(insert, {**row, **said})
            kept = (await connection.execute(wanted)).one()
            return _acknowledged(kept)


async def _newest_said(connection: AsyncConnection, unreadable: UnreadableRows) -> dict[str, PersonTestRow]:
    newest = select(_said.person, func.max(_said.sent_at).label("sent_at")).group_by(_said.person).subquery()
    same = (_said.person == newest.c.person) & (_said.sent_at == newest.c.sent_at)
    found = await connection.execute(select(test_acknowledgements).join(newest, same))
    rows = decoded(found, test_acknowledgements, _acknowledged, unreadable)
    return {row.person: row for row in rows}


def _acknowledged(row: Row[Any]) -> PersonTestRow:
    return PersonTestRow(row.person, row.sent_at, row.acknowledged_at, row.acknowledged_by)


async def _newest_sent(connection: AsyncConnection, unreadable: UnreadableRows) -> dict[str, datetime]:
    # One of a person's receivers stands for all: they were sent it at the same instant.
    of_people = select(func.max(outbox.c.number)).where(OF_TESTS, outbox.c.person.is_not(None))
    found = await connection.execute(select(outbox).where(outbox.c.number.in_(of_people.group_by(outbox.c.person))))
    return dict(decoded(found, outbox, _sent_to, unreadable))


def _sent_to(row: Row[Any]) -> tuple[str, datetime]:
    return row.person, _second(msgspec.json.decode(row.intent, type=Intent).at)


def _second(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)

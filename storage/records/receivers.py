"""How each receiver fares: kept while messages are tried and end, so that it is one look at one small table."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.dispatch.model import UNREACHABLE_AFTER
from storage.records.desk_tables import outbox_receivers
from storage.records.statements import upsert_into

_known = outbox_receivers.c


async def failed(connection: AsyncConnection, receiver: str, now: datetime, error: str) -> None:
    """An attempt at ``receiver`` has failed at ``now`` of the steady clock, and will be repeated."""
    insert = upsert_into(connection, outbox_receivers)
    since = func.coalesce(_known.unreached_since, insert.excluded.unreached_since)
    newest = {"unreached_since": since, "last_error": insert.excluded.last_error}
    row = {"receiver": receiver, "unreached_since": now, "last_error": error}
    await connection.execute(insert.on_conflict_do_update(index_elements=["receiver"], set_=newest), row)


async def ended(connection: AsyncConnection, receiver: str, failure: str | None) -> None:
    """A message for ``receiver`` was given up with ``failure``, or taken."""
    insert = upsert_into(connection, outbox_receivers)
    newest = {"failure": insert.excluded.failure, "unreached_since": None, "last_error": None}
    row = {"receiver": receiver, "failure": failure}
    await connection.execute(insert.on_conflict_do_update(index_elements=["receiver"], set_=newest), row)


def select_failing(now: datetime) -> Select[Any]:
    """Receivers that cannot be reached at ``now`` of the steady clock, and the newest error."""
    unreached = _known.unreached_since <= now - UNREACHABLE_AFTER
    error = func.coalesce(_known.last_error, _known.failure).label("error")
    return select(_known.receiver, error).where(or_(_known.failure.is_not(None), unreached))

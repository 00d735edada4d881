"""Where emergency calls are kept: the call, its history, its pages and its alerts in one transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.clock import Clock, Moment, SystemClock, moment
from core.errors import PermanentError, TemporaryError
from emergency.model import Call, CallFilter, EventRow, PageRow
from emergency.ports import CallCommit, Followed
from emergency.watch import settlings
from storage.records import call_rows, outbox_rows, put_aside
from storage.records.call_alerts import settle_alerts, write_own_alerts
from storage.records.call_judging import Opening, Standing, Submission, judge_all
from storage.records.call_pages import intent_of
from storage.records.call_reading import calls_of, damaged_records, event_of, select_open, version_of
from storage.records.call_tables import call_events, call_keys, calls, calls_progress
from storage.records.database import RecordsDatabase
from storage.records.desk_tables import OF_CALLS, outbox
from storage.records.grouped import Grouped
from storage.records.statements import Parameters, batched, run_many
from storage.records.uninterrupted import uninterrupted

Stored = Exception | None
"""What a committer is told: nothing when it is stored."""
_IDS_AT_ONCE = 500  # Well below what either database takes as parameters of one statement.


class CallRecordsAdapter:
    """What calls need kept (`emergency.ports.CallRecords`, `api.call_ports.CallReader`); ``clock`` stamps the steps.

    Commits that come in while another is being written share the next transaction: each is judged by itself, in the
    order in which they came. Look-ups that come at once share a question.
    """

    def __init__(self, database: RecordsDatabase, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        self._looked_at_all = False
        self._commits = Grouped(self._write)
        self._by_id = Grouped(partial(self._look_up, calls.c.id))
        self._by_key = Grouped(partial(self._look_up, call_keys.c.key))
        self._by_place = Grouped(self._look_up_open)

    @uninterrupted
    async def commit(self, commits: Sequence[CallCommit], followed: Followed | None = None) -> None:
        """Store all of ``commits``, or raise `Stale`, as the port says."""
        await self._commits.ask(Submission(tuple(commits), followed))

    async def call(self, call_id: str) -> Call | None:
        """Return one call."""
        return await self._by_id.ask(call_id)

    async def by_key(self, key: str) -> Call | None:
        """Return the call that was raised, or joined, with this idempotency key."""
        return await self._by_key.ask(key)

    async def open_at(self, place_key: str, *, drill: bool) -> Call | None:
        """Return the open call at a place."""
        return await self._by_place.ask((place_key, drill))

    async def due(self, now: datetime, limit: int) -> list[Call]:
        """Return open calls whose ``next_at`` has come, the longest due first."""
        return await self._all(call_rows.select_due(now, limit))

    async def damaged(self) -> list[Call]:
        """Return the open calls that were rebuilt from damaged records, as the port says."""
        found = [call for call in await self._all(select_open(with_neither=False)) if call.damaged]
        if not self._looked_at_all:
            if self._database.is_sqlite:
                found += await self._all(select_open(with_neither=True))
            self._looked_at_all = True
        return found

    async def calls(self, matching: CallFilter, before: int | None, limit: int) -> list[Call]:
        """Return calls, newest number first, with numbers below ``before``."""
        return await self._all(call_rows.select_calls(matching, before, limit))

    async def events(self, call_id: str) -> list[EventRow]:
        """Return a call's history in order."""
        wanted = select(call_events).where(call_events.c.call_id == call_id).order_by(call_events.c.number)
        return await self._database.read(wanted, call_events, event_of)

    async def pages(self, call_id: str) -> list[PageRow]:
        """Return whom the call was told to, in the order decided, as long as the outbox keeps it."""
        wanted = select(outbox).where(outbox.c.incident == call_id, OF_CALLS).order_by(outbox.c.number)
        return await self._database.read(wanted, outbox, lambda row: call_rows.page_row(outbox_rows.entry_of(row)))

    async def events_after(self, number: int, limit: int) -> list[EventRow]:
        """Return events of all calls with numbers above ``number``, in order; a number never appears late."""
        wanted = select(call_events).where(call_events.c.number > number)
        return await self._database.read_page(wanted, call_events, event_of, by=call_events.c.number, limit=limit)

    async def last_event(self) -> int:
        """Return the newest event's number, 0 when there is none."""
        async with self._database.reading() as connection:
            return int((await connection.execute(select(calls_progress.c.last_event))).scalar_one())

    async def _look_up(self, column: ColumnElement[str], names: Sequence[str]) -> Sequence[Call | None]:
        keyed = calls.join(call_keys, call_keys.c.call_id == calls.c.id) if column is call_keys.c.key else calls
        wanted = select(calls, column.label("its_name")).select_from(keyed)
        async with self._database.reading() as connection:
            rows = await _found(connection, wanted, column, {*names})
            known = await calls_of(connection, rows, self._database.unreadable)
        found = dict(zip((row.its_name for row in rows), known, strict=True))
        return [found.get(name) for name in names]

    async def _look_up_open(self, places: Sequence[Opening]) -> Sequence[Call | None]:
        wanted = select(calls).where(call_rows.IS_OPEN)
        async with self._database.reading() as connection:
            rows = await _found(connection, wanted, calls.c.place_key, {key for key, _ in places})
            known = await calls_of(connection, rows, self._database.unreadable)
        found = dict(zip(((row.place_key, row.drill) for row in rows), known, strict=True))
        return [found.get(place) for place in places]

    async def _all(self, wanted: Select[Any]) -> list[Call]:
        async with self._database.reading() as connection:
            rows = (await connection.execute(wanted)).all()
            return await calls_of(connection, rows, self._database.unreadable)

    async def _write(self, group: Sequence[Submission]) -> Sequence[Stored]:
        try:
            return await self._write_together(group)
        except (PermanentError, ValueError):
            # The database, or the encoder, refuses something for good: that must hit whoever said it and nobody else.
            if len(group) == 1:
                raise
        return [await self._write_alone(submission) for submission in group]

    async def _write_alone(self, submission: Submission) -> Stored:
        try:
            return (await self._write_together([submission]))[0]
        except (PermanentError, TemporaryError, ValueError) as error:
            return error

    async def _write_together(self, group: Sequence[Submission]) -> Sequence[Stored]:
        async with self._database.writing(urgent=True) as connection:
            progress = await _locked(connection)
            standing = await _standing(connection, group, progress.followed)
            fitting, refused, after = judge_all(standing, group)
            await _write_all(
                connection, [each for one in fitting for each in one.commits], progress, moment(self._clock)
            )
            if after.followed != progress.followed:
                await connection.execute(update(calls_progress).values(followed=after.followed))
        return [refused.get(place) for place in range(len(group))]


class _Progress(Struct, frozen=True):
    last_call: int
    last_event: int
    followed: int


async def _locked(connection: AsyncConnection) -> _Progress:
    """Keep other writers of calls out until this transaction ends."""
    row = (await connection.execute(select(calls_progress).with_for_update())).one()
    return _Progress(row.last_call, row.last_event, row.followed)


async def _standing(connection: AsyncConnection, group: Sequence[Submission], followed: int) -> Standing:
    """Read what the group is judged by; nothing of it can change before the end of this transaction."""
    commits = [commit for submission in group for commit in submission.commits]
    ids = {commit.call.id for commit in commits}
    places = {commit.call.place.key for commit in commits}
    keys = {commit.key for commit in commits if commit.key}
    known = await _found(connection, select(calls.c.id, calls.c.version), calls.c.id, ids)
    opened = select(calls.c.place_key, calls.c.drill, calls.c.id).where(calls.c.is_open.is_(true()))
    there = await _found(connection, opened, calls.c.place_key, places)
    used = await _found(connection, select(call_keys.c.key), call_keys.c.key, keys)
    return Standing(
        versions={row.id: version_of(row.version) for row in known},
        open_calls={(row.place_key, row.drill): row.id for row in there},
        keys=frozenset(row.key for row in used),
        followed=followed,
    )


async def _found(
    connection: AsyncConnection, wanted: Select[Any], column: ColumnElement[str], values: Iterable[str]
) -> list[Any]:
    found: list[Any] = []
    for chunk in batched(sorted(values), _IDS_AT_ONCE):
        found += await connection.execute(wanted.where(column.in_(chunk)))
    return found


async def _write_all(
    connection: AsyncConnection, commits: Sequence[CallCommit], progress: _Progress, now: Moment
) -> None:
    """Write calls and events with their numbers, then what follows from them."""
    if not commits:
        return
    newest = {commit.call.id: commit.call for commit in commits}
    raised = list(dict.fromkeys(commit.call.id for commit in commits if commit.call.version == 1))
    changed = [call_rows.changed_row(call) for call in newest.values() if call.id not in raised]
    damaged = await damaged_records(connection, [call for call in newest.values() if call.damaged])
    await put_aside.keep(connection, damaged, now.wall)
    # What ends first: a place may be free for the next call only then.
    await run_many(connection, call_rows.UPDATE_CALL, changed)
    fresh = [call_rows.new_row(newest[its_id], number) for number, its_id in enumerate(raised, progress.last_call + 1)]
    await run_many(connection, call_rows.INSERT_CALL, fresh)
    said = [(commit.call.id, event) for commit in commits for event in commit.events]
    events = [call_rows.event_row(*each, number) for number, each in enumerate(said, progress.last_event + 1)]
    await run_many(connection, call_rows.INSERT_EVENT, events)
    keys: list[Parameters] = [{"key": commit.key, "call_id": commit.call.id} for commit in commits if commit.key]
    await run_many(connection, insert(call_keys), keys)
    taken = {"last_call": progress.last_call + len(fresh), "last_event": progress.last_event + len(events)}
    await connection.execute(update(calls_progress).values(taken))
    await _tell(connection, commits, progress.followed, now)


async def _tell(connection: AsyncConnection, commits: Sequence[CallCommit], followed: int, now: Moment) -> None:
    pages = [page for commit in commits for page in commit.pages]
    own = [(alert, commit.call.place.community) for commit in commits for alert in commit.alerts]
    if pages:
        await outbox_rows.lock(connection)
        await outbox_rows.put(connection, [intent_of(page) for page in pages], now)
    # First, what people could see: an alert that their own act raises is news to them.
    await settle_alerts(connection, [each for commit in commits for each in settlings(commit)], followed, now.wall)
    await write_own_alerts(connection, own, now.wall)

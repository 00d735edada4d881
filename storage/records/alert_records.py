"""Where the alert engine keeps what it decided: state, position, alerts, faults and devices in one transaction."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from itertools import groupby

from sqlalchemy import Update, bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.model import Commit, DeviceSighting, FaultCleared, FaultRaised, Snapshot, Transition
from alerts.ports import Afresh
from core.clock import Clock, SystemClock
from core.devices import DeviceKey
from storage.records import timeline
from storage.records.afresh import put_states_aside, resolve_alerts_of, states_of
from storage.records.alert_rows import write_alerts
from storage.records.bulk import upsert_many
from storage.records.database import RecordsDatabase
from storage.records.progress import advance, progress_of
from storage.records.statements import Parameters, device_parts, run_many, upsert_into
from storage.records.tables import alert_progress, devices, engine_states, faults
from storage.records.uninterrupted import uninterrupted


class AlertRecordsAdapter:
    """`alerts.ports.AlertRecords` on the records database; ``clock`` says when a transition was recorded."""

    def __init__(self, database: RecordsDatabase, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()

    async def load(self) -> Snapshot:
        """Return the last committed state. Raises `TemporaryError`."""
        async with self._database.reading() as connection:
            # The position first: should another engine commit in between, ours is the older and gets fenced.
            position = (await connection.execute(select(alert_progress.c.position))).scalar_one()
            rows = await connection.execute(select(engine_states.c.path, engine_states.c.state))
            return Snapshot(position=progress_of(position, alert_progress), states=dict(states_of(rows)))

    @uninterrupted
    async def put_aside(self, unreadable: Mapping[str, str], afresh: Collection[Afresh]) -> None:
        """Keep states that cannot be decoded aside, and resolve the alerts of ``afresh``, as the port says."""
        now = self._clock.now()
        async with self._database.writing() as connection:
            await put_states_aside(connection, engine_states, unreadable, now)
            await resolve_alerts_of(connection, afresh, now, self._database.unreadable)

    @uninterrupted
    async def commit(self, decided: Commit) -> None:
        """Store ``decided`` in one transaction; repeating the last commit changes nothing.

        Raises `TemporaryError` (repeat the same call), `Fenced`, or `PermanentError` for a second open alert of one
        rule and device.
        """
        async with self._database.writing() as connection:
            before, after = decided.previous_position, decided.position
            if not await advance(connection, alert_progress, "position", before=before, after=after, decided=decided):
                return
            await _write_states(connection, decided.states)
            await _forget_sightings(connection, decided.forgotten)
            await _write_sightings(connection, decided.sightings)
            await _write_faults(connection, decided.faults)
            if decided.transitions:
                await self._write_timeline(connection, decided.transitions)

    async def _write_timeline(self, connection: AsyncConnection, transitions: list[Transition]) -> None:
        last = await timeline.reserve(connection, len(transitions))
        await write_alerts(connection, transitions)
        now = self._clock.now()
        steps = [timeline.engine_step(transition, now) for transition in transitions]
        await timeline.append(connection, last, steps)


async def _write_states(connection: AsyncConnection, states: dict[str, bytes | None]) -> None:
    kept = {path: state for path, state in states.items() if state is not None}
    columns: dict[str, list[object]] = {"path": [*kept], "state": [*kept.values()]}
    await upsert_many(connection, engine_states, columns, changing=["state"])
    gone = delete(engine_states).where(engine_states.c.path == bindparam("gone"))
    await run_many(connection, gone, [{"gone": path} for path, state in states.items() if state is None])


async def _forget_sightings(connection: AsyncConnection, forgotten: list[DeviceKey]) -> None:
    gone = delete(devices).where(devices.c.path == bindparam("gone"))
    await run_many(connection, gone, [{"gone": device.path} for device in forgotten])


async def _write_sightings(connection: AsyncConnection, sightings: list[DeviceSighting]) -> None:
    newest = list({sighting.device: sighting for sighting in sightings}.values())
    heard = [sighting.last_heard_at for sighting in newest]
    columns: dict[str, list[object]] = {
        "path": [sighting.device.path for sighting in newest],
        "community": [sighting.device.community for sighting in newest],
        "device_kind": [sighting.device.kind.value for sighting in newest],
        "device": [sighting.device.device for sighting in newest],
        "first_heard_at": [*heard],
        "last_heard_at": [*heard],
        "online": [sighting.online for sighting in newest],
        "skew_microseconds": [_microseconds(sighting.skew) for sighting in newest],
        "latest": [sighting.latest.decode() for sighting in newest],
    }
    changing = ["last_heard_at", "online", "skew_microseconds", "latest"]
    await upsert_many(connection, devices, columns, changing=changing)


def _microseconds(skew: timedelta | None) -> int | None:
    return None if skew is None else skew // timedelta(microseconds=1)


async def _write_faults(connection: AsyncConnection, episodes: list[FaultRaised | FaultCleared]) -> None:
    """In order, in runs of the same sort: a fault may begin, end and begin again within one commit."""
    for clear, run in groupby(episodes, key=_clearing):
        rows = [{**device_parts(episode.device), **_fault(episode)} for episode in run]
        if clear is None:
            await run_many(connection, upsert_into(connection, faults).on_conflict_do_nothing(), rows)
        else:
            await run_many(connection, clear, [{f"its_{name}": value for name, value in row.items()} for row in rows])


def _clearing(episode: FaultRaised | FaultCleared) -> Update | None:
    """Return the statement that ``episode`` needs where it is an end."""
    if isinstance(episode, FaultRaised):
        return None
    return _CLEAR_ALL if episode.code is None else _CLEAR


def _fault(episode: FaultRaised | FaultCleared) -> Parameters:
    if isinstance(episode, FaultCleared):
        code = {} if episode.code is None else {"code": episode.code}
        return {"source": episode.source, **code, "cleared_at": episode.cleared_at}
    return {
        "source": episode.source,
        "code": episode.code,
        "kind": episode.kind,
        "severity": episode.severity.value,
        "raised_at": episode.raised_at,
        "late": episode.late,
    }


_episode = faults.alias("episode")
_CLEAR = (
    update(faults)
    .where(
        faults.c.number
        == select(_episode.c.number)
        .where(
            *(_episode.c[name] == bindparam(f"its_{name}") for name in ("community", "device_kind", "device")),
            *(_episode.c[name] == bindparam(f"its_{name}") for name in ("source", "code")),
            _episode.c.cleared_at.is_(None),
            _episode.c.raised_at <= bindparam("its_cleared_at"),
        )
        .order_by(_episode.c.raised_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    .values(cleared_at=bindparam("its_cleared_at"))
)
_CLEAR_ALL = (
    update(faults)
    .where(
        *(faults.c[name] == bindparam(f"its_{name}") for name in ("community", "device_kind", "device", "source")),
        faults.c.cleared_at.is_(None),
        faults.c.raised_at <= bindparam("its_cleared_at"),
    )
    .values(cleared_at=bindparam("its_cleared_at"))
)

"""The records of emergency calls made of lists, for tests: they keep every commit, and can be told to fail."""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from core.clock import Clock, SystemClock, moment
from core.errors import TemporaryError
from emergency.model import (
    Call,
    CallEvent,
    CallFilter,
    CallPoint,
    EventRow,
    KeptCode,
    OwnAlert,
    PageRow,
    ScannedCode,
)
from emergency.ports import AlertStep, CallCommit, Followed
from emergency.tokens import PointTokens
from emergency.watch import late_words
from storage.memory.desk import MemoryDeskRecords
from storage.records.call_judging import Standing, Submission, judge, opening_of
from storage.records.call_pages import intent_of, own_alert_id, own_steps
from storage.records.call_rows import page_row

_NOTHING = Standing({}, {}, frozenset(), 0)


_EVER = datetime.min.replace(tzinfo=UTC)


class MemoryCallRecords:
    """Implements ``emergency.ports.CallRecords`` and ``api.call_ports.CallReader`` until the process ends.

    Pages go into ``desk.outbox`` and own alerts into ``desk``, as those of a commit of the desk do.
    """

    def __init__(self, desk: MemoryDeskRecords | None = None, clock: Clock | None = None) -> None:
        self.desk = desk or MemoryDeskRecords(clock=clock)
        self.commits: list[CallCommit] = []
        self.rows: list[EventRow] = []
        self._clock = clock or SystemClock()
        self._standing = _NOTHING
        self._calls: dict[str, Call] = {}
        self._keys: dict[str, str] = {}
        self._firing: dict[tuple[str, str], str] = {}
        self._failures: list[bool] = []

    @property
    def followed(self) -> int:
        """The sequence up to which the timelines of alerts were followed."""
        return self._standing.followed

    def forget_followed(self) -> None:
        """Be as after a kill before the followed sequence was kept: the calls are there, it is not."""
        self._standing = replace(self._standing, followed=0)

    def fail(self, *, times: int, stored: bool = False) -> None:
        """Let the next ``times`` commits raise `TemporaryError`; with ``stored`` only the answer gets lost."""
        self._failures += [stored] * times

    async def commit(self, commits: Sequence[CallCommit], followed: Followed | None = None) -> None:
        """Store all of ``commits``, or raise `Stale`, as the port says."""
        stored = self._failures.pop(0) if self._failures else None
        if stored is not False:
            self._standing = judge(self._standing, Submission(tuple(commits), followed))
            for commit in commits:
                self._take(commit)
        if stored is not None:
            raise TemporaryError("records: told to fail")

    async def call(self, call_id: str) -> Call | None:
        """Return one call."""
        return self._calls.get(call_id)

    async def by_key(self, key: str) -> Call | None:
        """Return the call that was raised, or joined, with this idempotency key."""
        return self._calls.get(self._keys.get(key, ""))

    async def open_at(self, place_key: str, *, drill: bool) -> Call | None:
        """Return the open call at a place."""
        return next((one for one in self._open() if opening_of(one) == (place_key, drill)), None)

    async def due(self, now: datetime, limit: int) -> list[Call]:
        """Return open calls whose ``next_at`` has come, the longest due first."""
        coming = [(one.next_at or _EVER, one.number, one) for one in self._open()]
        return [one for at, _, one in sorted(coming, key=lambda each: each[:2]) if at <= now][:limit]

    async def damaged(self) -> list[Call]:
        """Return the open calls that were put in as rebuilt ones: lists are never damaged by themselves."""
        return [one for one in self._open() if one.damaged]

    async def calls(self, matching: CallFilter, before: int | None, limit: int) -> list[Call]:
        """Return calls, newest number first, with numbers below ``before``."""
        newest = sorted(self._calls.values(), key=lambda one: -one.number)
        return [one for one in newest if _matches(one, matching) and (before is None or one.number < before)][:limit]

    async def events(self, call_id: str) -> list[EventRow]:
        """Return a call's history in order."""
        return [row for row in self.rows if row.call == call_id]

    async def pages(self, call_id: str) -> list[PageRow]:
        """Return whom the call was told to, in the order decided."""
        entries = self.desk.outbox.entries
        return [page_row(entry) for entry in entries if entry.intent.call and entry.intent.incident == call_id]

    async def events_after(self, number: int, limit: int) -> list[EventRow]:
        """Return events of all calls with numbers above ``number``, in order."""
        return [row for row in self.rows if row.number > number][:limit]

    async def last_event(self) -> int:
        """Return the newest event's number, 0 when there is none."""
        return len(self.rows)

    def _open(self) -> list[Call]:
        return [one for one in self._calls.values() if one.open]

    def _take(self, commit: CallCommit) -> None:
        call = commit.call
        self.commits.append(commit)
        known = self._calls.get(call.id)
        self._calls[call.id] = replace(call, number=known.number if known else len(self._calls) + 1)
        if commit.key:
            self._keys[commit.key] = call.id
        for event in commit.events:
            self._record(call.id, event)
        self.desk.outbox.put([intent_of(page) for page in commit.pages], *moment(self._clock))
        for alert in commit.alerts:
            self._alert(alert, call.place.community)

    def _record(self, call_id: str, event: CallEvent) -> None:
        self.rows.append(EventRow(len(self.rows) + 1, call_id, event))

    def _alert(self, alert: OwnAlert, community: str) -> None:
        about, its_id = (alert.rule, alert.device), own_alert_id(alert)
        if alert.firing and about not in self._firing:
            self._firing[about] = its_id
        elif alert.firing or self._firing.get(about) != its_id:
            return
        else:
            del self._firing[about]
        self.desk.record(own_steps(alert, community))


class MemoryAlertSteps:
    """Implements ``emergency.ports.AlertSteps``: the timelines of a twin's desk, for the steps of ``rules``."""

    def __init__(self, calls: MemoryCallRecords, rules: Sequence[str]) -> None:
        self._calls = calls
        self._rules = frozenset(rules)

    async def followed(self) -> int:
        """Return the sequence up to which they have been followed."""
        return self._calls.followed

    async def steps(self, after: int, limit: int) -> list[AlertStep]:
        """Return steps above ``after``, in order."""
        told = await self._calls.desk.told(after, self._calls.desk.last_sequence)
        return [
            AlertStep(
                step.sequence,
                step.alert_id,
                step.rule,
                step.device.path,
                step.kind.value,
                step.at,
                late_words(step.reason.facts, step.reason.zh, step.reason.en),
            )
            for step in told
            if step.rule in self._rules
        ][:limit]

    async def last_sequence(self) -> int:
        """Return the newest step's sequence, whatever its rule."""
        return self._calls.desk.last_sequence


class MemoryCallPoints:
    """Implements ``api.call_ports.CallPoints`` until the process ends."""

    def __init__(self, tokens: PointTokens | None = None) -> None:
        self.tokens = tokens or PointTokens(b"k" * 32)
        self.acts: list[tuple[str, str]] = []
        """Who kept which point, in order."""
        self._points: dict[str, CallPoint] = {}
        self._known: dict[str, tuple[str, int]] = {}
        self._ends: dict[str, datetime] = {}

    async def by_token(self, token: str) -> ScannedCode | None:
        """Return what the token leads to, one that has ended as well."""
        point_id, generation = self._known.get(token, ("", 0))
        point = self._points.get(point_id)
        if point is None or point.removed_at is not None:
            return None
        return ScannedCode(point, generation < point.generation, self._ends.get(token))

    async def point(self, point_id: str) -> CallPoint | None:
        """Return one, removed ones too."""
        return self._points.get(point_id)

    async def points(self, community: str | None) -> Sequence[CallPoint]:
        """Return those that were not removed, by id."""
        there = [point for point in self._points.values() if point.removed_at is None]
        return sorted((one for one in there if community in (None, one.community)), key=lambda point: point.id)

    async def put(self, point: CallPoint, actor: str, now: datetime, *, former_until: datetime | None = None) -> None:
        """Keep ``point`` in place of its former version."""
        for token, (point_id, generation) in self._known.items():
            if former_until is not None and point_id == point.id and generation < point.generation:
                self._ends[token] = min(self._ends.get(token, former_until), former_until)
        self._known[self.tokens.of(point)] = (point.id, point.generation)
        known = self._points.get(point.id)
        created_at = known.created_at if known else point.created_at or now
        self._points[point.id] = replace(point, created_at=created_at)
        self.acts.append((actor, point.id))


class MemoryControllerCodes:
    """Implements ``api.call_ports.ControllerCodes`` until the process ends."""

    def __init__(self) -> None:
        self.acts: list[tuple[datetime, str, str]] = []
        """When whose code was set by whom, in order."""
        self._codes: dict[str, str] = {}

    async def set_code(self, path: str, code: str, actor: str, now: datetime) -> None:
        """Keep ``code`` for the lift ``path``, in place of its former one."""
        self._codes[path] = _plain(code)
        self.acts.append((now, actor, path))

    async def kept(self, path: str) -> KeptCode | None:
        """Return who set the code of the lift ``path``; ``None`` when none is kept for it."""
        return next((KeptCode(actor, at) for at, actor, lift in reversed(self.acts) if lift == path), None)

    async def code_matches(self, path: str, code: str) -> bool | None:
        """Tell whether ``code`` is that of the lift ``path``; ``None`` when none is kept for it."""
        kept = self._codes.get(path)
        return None if kept is None else kept == _plain(code)


def _plain(code: str) -> str:
    return "".join(code.split()).replace("-", "")


def _matches(call: Call, matching: CallFilter) -> bool:
    place, raised = call.place, call.stamps.raised
    asked: list[tuple[object, object]] = [
        (matching.open, call.open),
        (matching.state, call.state),
        (matching.community, place.community),
        (matching.lift, place.lift),
        (matching.contractor, place.contractor),
        (matching.source, call.source),
        (matching.drill, call.drill),
    ]
    if any(wanted is not None and wanted != found for wanted, found in asked):
        return False
    return (matching.since is None or raised >= matching.since) and (matching.until is None or raised < matching.until)

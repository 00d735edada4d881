"""Everything behind emergency calls, in memory: a real switchboard over records that hold what it commits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from msgspec.structs import replace

from api.dependencies import EmergencyParts
from core.clock import Clock
from core.errors import Conflict, Stale
from emergency.ladder import LadderStep
from emergency.model import Call, CallEvent, CallFilter, CallPoint, EventRow, Page, PageKind, Place, Words
from emergency.plan import EmergencyPlan
from emergency.ports import CallCommit, Followed, Recipient
from emergency.switchboard import Switchboard

CALLED = "xingfu/elevator/lift-1"
KNOWN = Place(
    "xingfu",
    CALLED,
    "",
    "3",
    "3 号楼电梯",
    "lift of block 3",
    "330106",
    "kone",
    {"floor": "B1", "door_state": "closed"},
)
WHO_HELPS = msgspec.convert(
    {
        "version": 1,
        "contacts": [
            {
                "name": "duty",
                "title": {"zh": "值班室", "en": "Duty room"},
                "phone": "0571 1",
                "tell": ["receiver:wall"],
            },
            {"name": "kone", "title": {"zh": "维保", "en": "Maintainer"}, "phone": "0571 2", "contractor": True},
            {"name": "shop", "title": {"zh": "小店", "en": "Shop"}, "phone": "0571 3"},
        ],
        "ladders": [
            {
                "name": "lift",
                "steps": [
                    {"name": "property", "title": {"zh": "物业", "en": "Property"}, "roles": ["duty"], "wait": "30s"},
                    {"name": "maintainer", "title": {"zh": "维保", "en": "M"}, "roles": ["maintainer"], "wait": "60s"},
                ],
            }
        ],
        "communities": [{"community": "*", "ladder": "lift", "roles": {}, "nearby": ["shop"]}],
    },
    EmergencyPlan,
)


@dataclass
class PageRow:
    """`api.ports.PageTold`."""

    receiver: str
    person: str
    kind: str
    status: str
    at: datetime


@dataclass
class CallRecordsTwin:
    """`emergency.ports.CallRecords` and `api.ports.CallPages` in memory."""

    rows: dict[str, Call] = field(default_factory=dict)
    history: list[EventRow] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    pages: list[Page] = field(default_factory=list)

    async def commit(self, commits: Sequence[CallCommit], followed: Followed | None = None) -> None:
        for commit in commits:
            self._check(commit.call)
        for commit in commits:
            self._keep(commit)

    def _check(self, call: Call) -> None:
        before = self.rows.get(call.id)
        there = self._open_at(call.place.key, drill=call.drill)
        if call.version != (before.version if before else 0) + 1 or (not before and there and call.open):
            raise Stale(f"call {call.id}")

    def _keep(self, commit: CallCommit) -> None:
        before = self.rows.get(commit.call.id)
        self.rows[commit.call.id] = replace(commit.call, number=before.number if before else len(self.rows) + 1)
        for event in commit.events:
            self.history.append(EventRow(len(self.history) + 1, commit.call.id, event))
        self.pages += commit.pages
        if commit.key:
            self.keys[commit.key] = commit.call.id

    async def call(self, call_id: str) -> Call | None:
        return self.rows.get(call_id)

    async def by_key(self, key: str) -> Call | None:
        return self.rows.get(self.keys.get(key, ""))

    async def open_at(self, place_key: str, *, drill: bool) -> Call | None:
        return self._open_at(place_key, drill=drill)

    def _open_at(self, place_key: str, *, drill: bool) -> Call | None:
        there = (call for call in self.rows.values() if call.place.key == place_key and call.drill is drill)
        return next((call for call in there if call.open), None)

    async def due(self, now: datetime, limit: int) -> list[Call]:
        return [call for call in self.rows.values() if call.open and call.next_at and call.next_at <= now][:limit]

    async def next_due(self) -> datetime | None:
        return min((call.next_at for call in self.rows.values() if call.open and call.next_at), default=None)

    async def calls(self, matching: CallFilter, before: int | None, limit: int) -> list[Call]:
        rows = [call for call in reversed(self.rows.values()) if before is None or call.number < before]
        return [call for call in rows if _matches(matching, call)][:limit]

    async def events(self, call_id: str) -> list[EventRow]:
        return [row for row in self.history if row.call == call_id]

    async def events_after(self, number: int, limit: int) -> list[EventRow]:
        return self.history[number : number + limit]

    async def last_event(self) -> int:
        return len(self.history)

    async def pages_of(self, call_id: str) -> Sequence[PageRow]:
        mine = (page for page in self.pages if page.call == call_id)
        return [PageRow(page.receiver, page.person, page.kind.value, "waiting", page.at) for page in mine]

    def happens(self, call_id: str, event: CallEvent) -> None:
        """Add an event from elsewhere."""
        self.history.append(EventRow(len(self.history) + 1, call_id, event))


def _matches(wanted: CallFilter, call: Call) -> bool:
    return (
        wanted.open in (None, call.open)
        and wanted.state in (None, call.state)
        and wanted.community in (None, call.place.community)
        and wanted.lift in (None, call.place.lift)
        and wanted.contractor in (None, call.place.contractor)
        and wanted.source in (None, call.source)
        and wanted.drill in (None, call.drill)
        and (wanted.since is None or wanted.since <= call.stamps.raised)
        and (wanted.until is None or call.stamps.raised < wanted.until)
    )


class DirectoryTwin:
    """`emergency.ports.Directory`: a target is a receiver of its own name."""

    async def resolve(self, targets: Sequence[str], now: datetime, *, rota_only: bool) -> Sequence[Recipient]:
        named = (target.partition(":") for target in targets)
        return [Recipient(name) for sort, _, name in named if sort == "rota" or not rota_only]


class PlacesTwin:
    """`emergency.ports.Places`: one lift is known."""

    async def of_lift(self, path: str) -> Place:
        return KNOWN if path == CALLED else Place(path.partition("/")[0], path)


@dataclass
class CallPointsTwin:
    """`emergency.ports.CallPoints` in memory."""

    rows: dict[str, CallPoint] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    kept_by: list[str] = field(default_factory=list)

    async def by_token(self, token: str) -> tuple[CallPoint, bool] | None:
        point = self.rows.get(self.tokens.get(token, ""))
        return None if point is None or point.removed_at else (point, point.token == token)

    async def point(self, point_id: str) -> CallPoint | None:
        return self.rows.get(point_id)

    async def points(self, community: str | None) -> Sequence[CallPoint]:
        rows = (self.rows[each] for each in sorted(self.rows))
        return [row for row in rows if row.removed_at is None and community in (None, row.community)]

    async def put(self, point: CallPoint, actor: str, now: datetime) -> None:
        if self.tokens.get(point.token, point.id) != point.id:
            raise Conflict(f"token {point.token} is taken")
        self.rows[point.id] = point
        self.tokens[point.token] = point.id
        self.kept_by.append(actor)


@dataclass
class CodesTwin:
    """`api.ports.ControllerCodes` in memory."""

    codes: dict[str, str] = field(default_factory=dict)
    asked: int = 0

    async def put(self, lift: str, code: str, actor: str, now: datetime) -> None:
        self.codes[lift] = code

    async def matches(self, lift: str, code: str) -> bool:
        self.asked += 1
        return self.codes.get(lift) == code


def _words(call: Call, kind: PageKind, step: LadderStep | None) -> tuple[Words, Words]:
    words = Words(kind.value, kind.value, kind.value)
    return words, words


class Calling:
    """Everything behind emergency calls."""

    def __init__(self, clock: Clock) -> None:
        self.records = CallRecordsTwin()
        self.points = CallPointsTwin()
        self.codes = CodesTwin()
        self.plan_problem = ""

        self.switchboard = Switchboard(self.records, DirectoryTwin(), clock, lambda: WHO_HELPS, _words)

    def parts(self) -> EmergencyParts:
        """Return what the API is given."""
        return EmergencyParts(
            calls=self.switchboard,
            reader=self.records,
            pages=self.records,
            points=self.points,
            places=PlacesTwin(),
            codes=self.codes,
            plan_problem=lambda: self.plan_problem,
        )

"""Everything behind emergency calls, in memory: a real switchboard over records that hold what it commits."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from api.dependencies import EmergencyParts
from core.clock import Clock
from emergency.ladder import LadderStep
from emergency.model import Call, PageKind, Place, Words
from emergency.plan import EmergencyPlan
from emergency.ports import CallRecords, Recipient
from emergency.switchboard import Switchboard
from storage.memory.calls import MemoryCallPoints, MemoryCallRecords, MemoryControllerCodes

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
            {
                "name": "kone",
                "title": {"zh": "维保", "en": "Maintainer"},
                "phone": "0571 2",
                "tell": ["person:kone"],
                "contractor": True,
            },
            {"name": "hotline", "title": {"zh": "应急热线", "en": "Hotline"}, "phone": "96333"},
            {"name": "shop", "title": {"zh": "小店", "en": "Shop"}, "phone": "0571 3"},
        ],
        "ladders": [
            {
                "name": "lift",
                "steps": [
                    {"name": "property", "title": {"zh": "物业", "en": "Property"}, "roles": ["duty"], "wait": "30s"},
                    {"name": "maintainer", "title": {"zh": "维保", "en": "M"}, "roles": ["maintainer"], "wait": "60s"},
                    {"name": "hotline", "title": {"zh": "热线", "en": "H"}, "roles": ["hotline"], "wait": "60s"},
                ],
            }
        ],
        "communities": [{"community": "*", "ladder": "lift", "roles": {}, "nearby": ["shop"]}],
    },
    EmergencyPlan,
)


class DirectoryTwin:
    """`emergency.ports.Directory`: a target is a receiver of its own name, unless it is ``away``."""

    def __init__(self) -> None:
        self.away: set[str] = set()

    async def resolve(self, targets: Sequence[str], now: datetime, *, rota_only: bool) -> Sequence[Recipient]:
        named = (target.partition(":") for target in targets)
        told = [name for sort, _, name in named if sort == "rota" or not rota_only]
        return [Recipient(name) for name in told if name not in self.away]


class PlacesTwin:
    """`emergency.ports.Places`: one lift is known."""

    async def of_lift(self, path: str) -> Place:
        return KNOWN if path == CALLED else Place(path.partition("/")[0], path)


def _words(call: Call, kind: PageKind, step: LadderStep | None, _: Sequence[LadderStep]) -> tuple[Words, Words]:
    words = Words(kind.value, kind.value, kind.value)
    return words, words


def switchboard(records: CallRecords, clock: Clock, directory: DirectoryTwin | None = None) -> Switchboard:
    """Return a switchboard over ``records`` that goes by `WHO_HELPS`."""
    return Switchboard(records, directory or DirectoryTwin(), clock, lambda: WHO_HELPS, _words)


class Calling:
    """Everything behind emergency calls."""

    def __init__(self, clock: Clock) -> None:
        self.records = MemoryCallRecords(clock=clock)
        self.points = MemoryCallPoints()
        self.codes = MemoryControllerCodes()
        self.plan_problem = ""
        self.directory = DirectoryTwin()
        self.switchboard = switchboard(self.records, clock, self.directory)

    def parts(self) -> EmergencyParts:
        """Return what the API is given."""
        return EmergencyParts(
            calls=self.switchboard,
            reader=self.records,
            points=self.points,
            tokens=self.points.tokens,
            places=PlacesTwin(),
            codes=self.codes,
            plan_problem=lambda: self.plan_problem,
        )

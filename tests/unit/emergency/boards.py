"""A switchboard over records in memory, and a directory in which every receiver is there."""

from collections.abc import Sequence
from datetime import datetime

from core.clock import ManualClock
from emergency.ladder import LadderStep
from emergency.model import Call, PageKind, Words
from emergency.plan import EmergencyPlan
from emergency.ports import Recipient
from emergency.switchboard import Switchboard
from storage.memory.calls import MemoryCallRecords
from tests.unit.emergency.calls import T0, plan


class Everybody:
    """Every receiver is reached by its own name, but those in ``away``; rotas have one person, ``li``."""

    def __init__(self) -> None:
        self.away: set[str] = set()

    async def resolve(self, targets: Sequence[str], now: datetime, *, rota_only: bool) -> Sequence[Recipient]:
        del now
        split = [target.split(":") for target in targets if target.startswith("rota:") or not rota_only]
        return [Recipient(name, "li" if what == "rota" else "") for what, name in split if name not in self.away]


def words(call: Call, kind: PageKind, step: LadderStep | None, to_dial: Sequence[LadderStep]) -> tuple[Words, Words]:
    title = " ".join([call.id, kind.value, step.name if step else "", *(each.name for each in to_dial)])
    return Words(title, title, title), Words(title, title, title)


class Board:
    """A switchboard with everything it stands on; `restart` makes a new one over the same records."""

    def __init__(self, its_plan: EmergencyPlan | None = None) -> None:
        self.clock = ManualClock(T0)
        self.records = MemoryCallRecords(clock=self.clock)
        self.directory = Everybody()
        self.plan = its_plan or plan()
        self.restart()

    def restart(self) -> None:
        """Forget everything that is not in the records."""
        self.switchboard = Switchboard(self.records, self.directory, self.clock, lambda: self.plan, words)

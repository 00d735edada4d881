"""The records of the notification desk made of lists, for tests: they keep every commit, and can be told to fail."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec.structs import replace

from alerts.dispatch.model import UNREACHABLE_AFTER, DeskCommit, DeskSnapshot, Suppression, Told
from alerts.model import DESK_KINDS, Transition, TransitionKind
from core.clock import Clock, SystemClock, moment
from storage.memory.committing import Committing
from storage.memory.outbox import MemoryOutbox


class MemoryDeskRecords(Committing[DeskCommit]):
    """Implements ``alerts.ports.DeskRecords`` until the process ends.

    What it commits goes into ``outbox``. ``kept`` are the suppressions, ``steps`` the timelines of all alerts: add to
    them with `record` and `tell`.
    """

    def __init__(self, outbox: MemoryOutbox | None = None, clock: Clock | None = None) -> None:
        super().__init__()
        self.outbox = outbox or MemoryOutbox()
        self.kept: list[Suppression] = []
        self.steps: list[Told] = []
        self._clock = clock or SystemClock()
        self._last_sequence = 0
        self._fired_at: dict[str, datetime] = {}

    def record(self, transitions: Iterable[Transition]) -> None:
        """Add what an engine decided."""
        for step in transitions:
            self._last_sequence += 1
            if step.kind is TransitionKind.FIRING:
                self._fired_at[step.alert_id] = step.at
            self.steps.append(self._told(step))

    def tell(self, step: Told) -> None:
        """Add one step, as of what people do, under the next sequence."""
        self._last_sequence += 1
        self.steps.append(replace(step, sequence=self._last_sequence))

    @property
    def last_sequence(self) -> int:
        """The newest sequence, 0 when there is none."""
        return self._last_sequence

    async def load(self) -> DeskSnapshot:
        """Return what is committed."""
        return DeskSnapshot(self._stands_at, dict(self._states))

    async def told(self, after: int, limit: int) -> list[Told]:
        """Return steps above ``after`` that concern the desk."""
        passed_over = {TransitionKind.PENDING, *DESK_KINDS}
        return [step for step in self.steps if step.sequence > after and step.kind not in passed_over][:limit]

    async def suppressions(self, now: datetime) -> Sequence[Suppression]:
        """Return what is in force at ``now`` or begins later, by rising ``id``."""
        lasting = [each for each in self.kept if min(each.ends_at, each.ended_at or each.ends_at) > now]
        return sorted(lasting, key=lambda each: each.id)

    async def failing_receivers(self) -> dict[str, str]:
        """Return the receivers that cannot be reached, with the newest error."""
        before = self._clock.steady() - UNREACHABLE_AFTER
        given_up, unreached = self.outbox.failing, self.outbox.unreached
        newest = {name: error for name, (since, error) in unreached.items() if since <= before or name in given_up}
        return {**given_up, **newest}

    def _span(self, decided: DeskCommit) -> tuple[int, int]:
        return decided.previous_sequence, decided.sequence

    def _take(self, decided: DeskCommit) -> None:
        self.outbox.put(decided.intents, *moment(self._clock))
        self.record(decided.transitions)
        self._last_sequence += len(decided.notes)

    def _told(self, step: Transition) -> Told:
        return Told(
            sequence=self._last_sequence,
            alert_id=step.alert_id,
            rule=step.rule,
            severity=step.severity,
            device=step.device,
            kind=step.kind,
            at=step.at,
            recorded_at=self._clock.now(),
            actor=None,
            reason=step.reason,
            title_zh=step.title_zh,
            title_en=step.title_en,
            fired_at=self._fired_at.get(step.alert_id, step.at),
            latching=step.latching,
            protected=step.protected,
            maintenance=step.maintenance,
        )

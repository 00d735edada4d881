"""Steps of alerts that wait to become calls, by lift, and which lift is served next. Pure.

A lift whose button is pressed a thousand times, by a fault or on purpose, must not keep another lift's one press
waiting. So lifts are served in turns: those not served since the queue was last empty come first, among them lifts that
people told of, then those heard longest. What one lift says beyond a few steps is joined into as few acts as keep the
outcome (`coalesced`).
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from emergency.model import Call, Source
from emergency.ports import AlertStep, Standing
from emergency.watch import Asked, asked_by, sequence_of

# A lift says this much at one look without being in a flood: button, trapped passenger, a second press, the reset.
COALESCED_BEYOND = 4
_NEVER_HEARD = datetime.max.replace(tzinfo=UTC)


class PendingSteps:
    """The queue. Within a lift the order of the steps is kept."""

    def __init__(self) -> None:
        self._by_lift: dict[str, list[AlertStep]] = {}
        self._served: dict[str, int] = {}
        self._rounds = 0
        self.newest = 0
        """The highest sequence that was ever added."""

    def __len__(self) -> int:
        return sum(map(len, self._by_lift.values()))

    @property
    def lifts(self) -> Collection[str]:
        """The lifts that wait."""
        return self._by_lift.keys()

    def add(self, step: AlertStep) -> None:
        """Take a step; they come by rising sequence."""
        self._by_lift.setdefault(step.device, []).append(step)
        self.newest = step.sequence

    def oldest(self) -> int | None:
        """Return the lowest sequence that waits."""
        return min((steps[0].sequence for steps in self._by_lift.values()), default=None)

    def take(self, limit: int, standing: Standing) -> list[list[AlertStep]]:
        """Return all steps of the ``limit`` lifts whose turn it is."""
        self._rounds += 1
        chosen = sorted(self._by_lift, key=lambda lift: self._turn(lift, standing))[:limit]
        taken = [self._by_lift.pop(lift) for lift in chosen]
        self._served |= dict.fromkeys(chosen, self._rounds)
        if not self._by_lift:
            self._served.clear()
        return taken

    def _turn(self, lift: str, standing: Standing) -> tuple[int, bool, datetime, int]:
        first_heard = standing.first_heard.get(lift, _NEVER_HEARD)
        return self._served.get(lift, 0), lift not in standing.registered, first_heard, self._by_lift[lift][0].sequence


def coalesced(steps: Sequence[AlertStep]) -> list[Asked]:
    """Return what the steps of one lift ask for.

    Beyond `COALESCED_BEYOND` acts only the newest press and the newest trapped passenger are left, and a reset where no
    press came after it: the call comes to stand as if all had been done, with a shorter history.
    """
    asked = list(filter(None, map(asked_by, steps)))
    if len(asked) <= COALESCED_BEYOND:
        return asked
    newest = {each.source: each for each in asked}
    reset, press = newest.get(None), newest.get(Source.CAR_BUTTON)
    if reset is not None and press is not None and reset.step.sequence < press.step.sequence:
        del newest[None]
    return sorted(newest.values(), key=lambda each: each.step.sequence)


def pressed_after(call: Call, sequence: int) -> bool:
    """Tell whether a step above ``sequence`` has joined ``call``: a reset taken a second time must not end that one."""
    return any(sequence_of(ref) > sequence for ref in call.joined)

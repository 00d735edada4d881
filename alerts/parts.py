"""The parts of a device that a rule remembers, bounded in number.

A message names 64 regions at most. Names beyond that come from a camera that was set up anew, and take the places of
parts that nothing is the matter with; or from one that invents a name with every message. Where something is the
matter with all 64, whatever further parts say is taken together as one more part, `OTHERS`, by the hottest of them: a
fire in a region that has no place of its own is still a fire in some region.
"""

from collections.abc import Iterable, Iterator

from alerts.memory import RuleState
from alerts.trees import CompiledRule, Leaves
from alerts.watches.watch import Reading
from alerts.words import OTHERS
from core.wire.payloads import Body, GateEvent, Region, ThermalEvent

PARTS_AT_MOST = 64


class Parts:
    """The parts of one rule on one device, while one message is applied."""

    def __init__(self, rule: CompiledRule, state: RuleState) -> None:
        self._rule = rule
        self._state = state
        self._idle: Iterator[str] | None = None

    def named(self, readings: Iterable[tuple[str, Reading]]) -> Iterator[tuple[str, Reading]]:
        """Yield what is said of parts that have a place, then what is said of all others as one."""
        others: list[Reading] = []
        for name, reading in readings:
            if name in self._state.parts or self._make_room():
                yield name, reading
            else:
                others.append(reading)
        if others:
            yield OTHERS, max(others, key=_heat)

    def leaves(self, name: str) -> Leaves:
        """Return the memories of a part, new ones where it has none."""
        leaves = self._state.parts.get(name)
        if leaves is None:
            leaves = self._state.parts[name] = self._rule.begin()
        return leaves

    def _make_room(self) -> bool:
        """Forget an idle part where there are too many; tell whether there is room for one more."""
        parts, rule = self._state.parts, self._rule
        if len(parts) < PARTS_AT_MOST:
            return True
        if self._idle is None:
            # Once for each message: a message may name 64 new parts.
            self._idle = iter([name for name, leaves in parts.items() if self._is_idle(name, leaves)])
        for name in self._idle:
            if name in parts and not rule.active(parts[name]):
                del parts[name]
                return True
        return False

    def _is_idle(self, name: str, leaves: Leaves) -> bool:
        return name != self._state.part and not self._rule.active(leaves)


def part_of(event: Body) -> str:
    """Return the part of its device that ``event`` is about; empty where it has none."""
    match event:
        case ThermalEvent():
            return event.region
        case GateEvent():
            return event.door
    return ""


def remembered(state: RuleState, event: Body) -> Leaves | None:
    """Return what ``state`` remembers of the part that ``event`` is about, or of all parts that have no place."""
    return state.parts.get(part_of(event)) or state.parts.get(OTHERS)


def _heat(reading: Reading) -> float:
    celsius = reading.maximum_celsius if isinstance(reading, Region) else None
    return 0.0 if celsius is None else celsius

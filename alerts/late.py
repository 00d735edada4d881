"""Rules that tell of what happened in a gap of the link and arrives late (``late: tell``, decision 0017). Pure.

Beside such a rule stands a `LateRule`, its twin: an alert of its own under the same rule id, with its own state at each
device. Messages of now are the rule's; the twin sees them too, to know what is told already and what has ended. Late
messages are the twin's alone, so they change nothing of what the rule says of now.
"""

from collections.abc import Iterable
from datetime import tzinfo
from zoneinfo import ZoneInfo

import msgspec

from alerts.late_watches import LateEventWatch, LateSeriesWatch
from alerts.memory import Leaf
from alerts.model import Severity
from alerts.rules.model import Rule
from alerts.trees import CompiledRule, Compiler, Leaves, Tree
from alerts.watches.events import event_of
from alerts.watches.happenings import EventWatch
from alerts.watches.limits import Figure
from core.observations import Observation

ZONE = ZoneInfo("Asia/Shanghai")
# Ours: what was buffered arrives in one burst, its end with it. Whoever hears of it minutes late can wait this long.
GATHERED_FOR = "5s"
_SEVERITIES = list(Severity)


def with_twins(rules: Iterable[CompiledRule], zone: tzinfo) -> list[CompiledRule]:
    """Return ``rules``, each followed by its twin where it has one."""
    found: list[CompiledRule] = []
    for rule in rules:
        found.append(rule)
        if rule.policy.tells_late is not None and rule.applies:
            found.append(LateRule(rule, zone))
    return found


def tells(rule: CompiledRule) -> list[EventWatch]:
    """Return the watches whose event alone raises ``rule`` on a device of which nothing else is known."""
    if rule.active(rule.begin()):
        return []
    return [watch for index, watch in rule.events if rule.active(_seen(rule.begin(), index))]


class LateRule(CompiledRule):
    """The twin of a rule: pending while late messages are gathered, then firing until all that it tells is over.

    What is known to be over is told with a severity one step less, and for a while only.
    """

    def __init__(self, rule: CompiledRule, zone: tzinfo) -> None:
        self._urgent = rule.rule.late_severity or rule.rule.severity
        late = [LateEventWatch(watch, rule.policy, zone) for watch in tells(rule)]
        series = [LateSeriesWatch(rule, zone)] if rule.rule.late_readings else []
        self.late_watches: list[LateEventWatch | LateSeriesWatch] = [*late, *series]
        self.late_events = late
        self.reads = bool(series)
        """Whether late readings are evaluated as well."""
        super().__init__(_plain(rule.rule, self._urgent, ends=not series), rule.facts)
        self.key = self.late_key
        self.shape += f"/{len(late)}/{len(series)}"
        if series and rule.shares:
            self.shape += f"={len(rule.watches)}"  # The memory of the series is that of the rule's watches.
        self.repeats = list(enumerate(self.late_watches))
        self.is_late = True
        # What is late says nothing of how things are now, which is what ends the alert.
        self.by_late_channel = {
            channel: [index for index in indexes if index < len(self.late_watches)]
            for channel, indexes in self.by_channel.items()
        }

    def concerns(self, observation: Observation) -> bool:
        """Tell whether ``observation`` is an event that begins or ends what it tells of."""
        event = event_of(observation.body)
        return event is not None and any(watch.concerns(event) for watch in self.late_events)

    def knows_end(self, leaves: Leaves, observation: Observation) -> bool:
        """Tell whether what the event ``observation`` begins in the part of ``leaves`` is known to have ended since."""
        return any(watch.knows_end(leaf, observation) for watch, leaf in zip(self.late_events, leaves, strict=False))

    def knows(self, leaves: Leaves, observation: Observation) -> bool:
        """Tell whether the part of ``leaves`` knows the event ``observation``, by its kind and the device's instant."""
        return any(watch.knows(leaf, observation) for watch, leaf in zip(self.late_events, leaves, strict=False))

    def _plant(self, rule: Rule, figure: Figure) -> None:
        """Plant the watches of the twin; what ends the rule's alert by readings of now ends the twin's as well."""
        self.watches.extend(self.late_watches)
        self.condition = _any_of(range(len(self.late_watches)), "truth")
        self.levels = [(self._urgent, _any_of(range(len(self.late_watches)), "raw"))]
        if rule.clears_when is not None:
            compiler = Compiler(rule.kind, figure, self.watches)
            self.clears_when = compiler.tree(rule.clears_when)
            self.shares = compiler.shares


def _plain(rule: Rule, urgent: Severity, *, ends: bool) -> Rule:
    """Return what the alert of a twin is like: as the rule's, but for what concerns messages of now."""
    over = _SEVERITIES[min(_SEVERITIES.index(urgent) + 1, len(_SEVERITIES) - 1)]
    return msgspec.structs.replace(
        rule,
        severity=over,
        lasting=GATHERED_FOR,
        at_once=None,
        clears_when=rule.clears_when if ends else None,
        keep_firing_for=None,
        levels=[],
        schedule=None,
        maintenance=False,
        chatter=False,
        gaps="keep",
        gap_after=None,
        late="accept",
        by_arrival=False,
    )


def _any_of(indexes: Iterable[int], field: str) -> Tree:
    found = list(indexes)

    def because(leaves: Leaves) -> list[int]:
        return [index for index in found if getattr(leaves[index], field)]

    return Tree(truth=lambda leaves: bool(because(leaves)), because=because, indexes=found)


def _seen(leaves: tuple[Leaf, ...], index: int) -> Leaves:
    leaves[index].truth = True
    return leaves

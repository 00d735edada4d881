"""What a rule says of an alert's life, worked out beforehand."""

from alerts.model import Severity
from alerts.rules.model import Chatter, Rule
from alerts.rules.schedules import Calendar
from core.durations import microseconds

_WORST_FIRST = list(Severity)


class Policy:
    """When an alert fires, steps down and ends, apart from what the conditions say. Durations are microseconds."""

    def __init__(self, rule: Rule) -> None:
        self.lasting = microseconds(rule.lasting)
        self.keep_firing_for = microseconds(rule.keep_firing_for)
        self.max_late = microseconds(rule.max_late) if rule.late == "accept" else None
        self.tells_late = microseconds(rule.max_late) if rule.late == "tell" else None
        """How old a message may be that is told as late (`alerts.late`); ``None`` where none is."""
        self.by_arrival = rule.counts_by_arrival
        """Whether messages with an instant that cannot be believed count by their arrival."""
        self.gap_after = microseconds(rule.gap_after)
        self.calendar = None if rule.schedule is None else Calendar(rule.schedule)
        chatter = _chatter(rule)
        self.chatter_count = 0 if chatter is None else chatter.count
        """How many firings are too many; 0 where each counts."""
        self.chatter_within = 0 if chatter is None else microseconds(chatter.within)


def worse(one: Severity, other: Severity) -> bool:
    """Tell whether ``one`` matters more than ``other``."""
    return _WORST_FIRST.index(one) < _WORST_FIRST.index(other)


def _chatter(rule: Rule) -> Chatter | None:
    if isinstance(rule.chatter, Chatter):
        return rule.chatter
    if rule.chatter is None:
        # A pressed alarm button or a fire is told each time, however often.
        return None if rule.protected else Chatter()
    return Chatter() if rule.chatter else None

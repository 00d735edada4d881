"""What alerts say to calls: which steps of their timelines raise one, join one, or end a car's alarm. Pure."""

from core.devices import DeviceKey, DeviceKind
from emergency.acts import EndAlarm, Join
from emergency.model import Source
from emergency.ports import AlertStep

CAR_BUTTON = "car-alarm-button"
TRAPPED = "trapped-passenger"
ALARM_RESET = "car-alarm-ended"
RULES = frozenset({CAR_BUTTON, TRAPPED, ALARM_RESET})
_RAISING = ("firing", "repeated")
_WORDS = {CAR_BUTTON: "轿厢报警按钮 / alarm button in the car", TRAPPED: "电梯困人 / passenger trapped"}


def asks_for(step: AlertStep) -> Join | EndAlarm | None:
    """Return what ``step`` asks for, if anything. `Join` raises a call where none is open for the lift."""
    if step.kind not in _RAISING or DeviceKey.from_path(step.device).kind is not DeviceKind.ELEVATOR:
        return None
    if step.rule == ALARM_RESET:
        return EndAlarm("device")
    source = {CAR_BUTTON: Source.CAR_BUTTON, TRAPPED: Source.ALERT}.get(step.rule)
    return None if source is None else Join(source, f"{step.alert}/{step.sequence}", _WORDS[step.rule])

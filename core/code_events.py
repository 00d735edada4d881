"""A message ``fault_raised`` or ``fault_cleared`` with a code that is no fault, as the event that it stands for.

Both readers of the journal, test series and history pass through here, so that rules know plain events only:

| code stands for | raised | cleared |
|---|---|---|
| a service mode | `mode_changed` to it | `mode_changed` to *unknown*: which mode holds now is not told |
| back to automatic | `mode_changed` to *normal* | nothing |
| main power off | `main_power_changed`, false | `main_power_changed`, true |
| alarm button | `alarm_pressed` | `alarm_released` |
| e-bike in the car | `ebike_detected` | `ebike_cleared` |
| no fault | `faults_cleared`: no fault of this source stands | nothing |

``source`` and ``code`` stay with the event, for the record.
"""

from core.code_lists import meaning_of
from core.faults import EventKind
from core.wire.payloads import ElevatorEvent, ElevatorEventType, ServiceMode

_MODES = {
    EventKind.OUT_OF_SERVICE: ServiceMode.STOPPED,
    EventKind.INSPECTION: ServiceMode.INSPECTION,
    EventKind.FIRE_RECALL: ServiceMode.FIRE_RECALL,
    EventKind.FIREFIGHTER: ServiceMode.FIREFIGHTER,
    EventKind.EMERGENCY_POWER: ServiceMode.EMERGENCY_POWER,
    EventKind.EARTHQUAKE: ServiceMode.EARTHQUAKE,
}
_PAIRS = {
    EventKind.ALARM_BUTTON: (ElevatorEventType.ALARM_PRESSED, ElevatorEventType.ALARM_RELEASED),
    EventKind.EBIKE_IN_CAR: (ElevatorEventType.EBIKE_DETECTED, ElevatorEventType.EBIKE_CLEARED),
    EventKind.NO_FAULT: (ElevatorEventType.FAULTS_CLEARED, ElevatorEventType.FAULT_CLEARED),
}


def as_said(event: ElevatorEvent) -> None:
    """Turn ``event`` into what its code says, where that is no fault; everything else stays as it is."""
    raised = event.type is ElevatorEventType.FAULT_RAISED
    if not raised and event.type is not ElevatorEventType.FAULT_CLEARED:
        return
    kind = meaning_of(str(event.source), str(event.code)).kind
    if not isinstance(kind, EventKind):
        return
    if kind in _PAIRS:
        event.type = _PAIRS[kind][0 if raised else 1]
    elif kind is EventKind.MAIN_POWER_OFF:
        event.type, event.main_power = ElevatorEventType.MAIN_POWER_CHANGED, not raised
    elif kind in _MODES:
        event.type = ElevatorEventType.MODE_CHANGED
        event.service_mode = _MODES[kind] if raised else ServiceMode.UNKNOWN
    elif raised:  # back to automatic
        event.type, event.service_mode = ElevatorEventType.MODE_CHANGED, ServiceMode.NORMAL

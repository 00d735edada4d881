"""From lift events to fault episodes: what began and what ended, for the history."""

from alerts.model import FaultCleared, FaultRaised, Severity
from core.code_lists import is_known, meaning_of
from core.faults import FaultKind
from core.observations import Observation
from core.wire.payloads import ElevatorEvent, ElevatorEventType


def fault_of(observation: Observation) -> FaultRaised | FaultCleared | None:
    """Return what ``observation`` says of a fault, ``None`` when it says nothing of one; late ones count too."""
    body = observation.body
    if not isinstance(body, ElevatorEvent) or body.source is None:
        return None
    # An episode that a clock ahead has begun in the future could not end before.
    at = min(observation.at, observation.received_at)
    if body.type is ElevatorEventType.FAULTS_CLEARED:
        return FaultCleared(observation.device, body.source, None, at)
    code = str(body.code)
    if body.type is ElevatorEventType.FAULT_CLEARED:
        return FaultCleared(observation.device, body.source, code, at)
    meaning = meaning_of(body.source, code)
    if meaning.severity is None or not isinstance(meaning.kind, FaultKind):
        # The code is no fault. An episode from before a list said so has no other end.
        return FaultCleared(observation.device, body.source, code, at)
    if body.type is ElevatorEventType.FAULT_RAISED:
        return FaultRaised(
            observation.device,
            body.source,
            code,
            meaning.kind.value,
            Severity(meaning.severity.value),
            at,
            observation.late,
        )
    return None


def is_unknown(fault: FaultRaised | FaultCleared) -> bool:
    """Tell whether ``fault`` began with a code that no list knows."""
    return isinstance(fault, FaultRaised) and not is_known(fault.source, fault.code)

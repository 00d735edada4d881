"""Named incidents: what goes wrong with one device, phase by phase, until it is over."""

import inspect
from collections.abc import Callable, Mapping

from msgspec import Struct

from core.devices import DeviceKind
from core.errors import StartupError
from simulators.gate import CloseGate, ForceOpen
from simulators.lift_inputs import (
    BreakAlarm,
    ClearDoor,
    CutPower,
    FreePassengers,
    ObstructDoor,
    Overload,
    PressAlarm,
    RepairAlarm,
    RestorePower,
    SettleDoor,
    StopBetweenFloors,
    UnloadCar,
    UnsettleDoor,
)
from simulators.model import Input
from simulators.thermal import Douse, Ignite


class LoseLink(Input, frozen=True):
    """The device's connection breaks without a goodbye: it goes silent and the broker publishes its last will.

    What hangs on a gateway goes with it.
    """


class RegainLink(Input, frozen=True):
    """The device's connection comes back: it says its birth and speaks again."""


class Phase(Struct, frozen=True):
    """A part of an incident that lasts ``seconds``; ``inputs`` are given to the device as it begins."""

    name: str
    seconds: float
    inputs: tuple[Input, ...] = ()


class Incident(Struct, frozen=True):
    """Something that goes wrong with a device of one of ``kinds``, and ends by itself after `seconds`."""

    name: str
    kinds: tuple[DeviceKind, ...]
    phases: tuple[Phase, ...]

    @property
    def seconds(self) -> float:
        return sum(phase.seconds for phase in self.phases)


# A call, a door cycle and a few metres of ride take under half a minute in a small house; a ride already under way adds
# the same again.
_STALL_SECONDS = 60.0


def trapped_passenger(
    *, alarm_after_seconds: float = 20.0, repeat_seconds: float = 30.0, trapped_seconds: float = 180.0
) -> Incident:
    """The car stops between floors with a passenger, who presses the alarm button twice and is freed in the end.

    ``alarm_after_seconds`` counts from the time by which the car has surely stopped; the wait between the second press
    and the rescuers' arrival is what is left of ``trapped_seconds``.
    """
    waiting = max(0.0, trapped_seconds - alarm_after_seconds - repeat_seconds)
    phases = (
        Phase("stopping-between-floors", _STALL_SECONDS, (StopBetweenFloors(),)),
        Phase("trapped", alarm_after_seconds),
        Phase("alarm-button", repeat_seconds, (PressAlarm(),)),
        Phase("alarm-button-again", waiting, (PressAlarm(),)),
        # At 0.15 m/s the next level of a 4.2 m storey is at most 14 s away; then the door opens.
        Phase("freed", 30.0, (FreePassengers(),)),
    )
    return Incident("trapped-passenger", (DeviceKind.ELEVATOR,), phases)


def door_fault(*, obstructed_seconds: float = 90.0) -> Incident:
    """Something lies in the lift's door, which reopens again and again; then it is taken away."""
    phases = (
        Phase("door-obstructed", obstructed_seconds, (ObstructDoor(),)),
        Phase("door-clear", 20.0, (ClearDoor(),)),
    )
    return Incident("door-fault", (DeviceKind.ELEVATOR,), phases)


def ebike_fire(*, burning_seconds: float = 420.0, cooling_seconds: float = 330.0) -> Incident:
    """A battery overheats while it charges and runs away; it is put out and cools down."""
    phases = (
        Phase("battery-heating", burning_seconds, (Ignite(),)),
        Phase("fire-put-out", cooling_seconds, (Douse(),)),
    )
    return Incident("ebike-fire", (DeviceKind.THERMAL,), phases)


def door_forced(*, open_seconds: float = 40.0) -> Incident:
    """A gate is pulled open without a card, stands open, and is closed."""
    phases = (
        Phase("forced-open", open_seconds, (ForceOpen(),)),
        Phase("closed", 1.0, (CloseGate(),)),
    )
    return Incident("door-forced", (DeviceKind.GATE,), phases)


def device_offline(*, silent_seconds: float = 300.0) -> Incident:
    """A device goes silent without a goodbye, and comes back."""
    phases = (
        Phase("silent", silent_seconds, (LoseLink(),)),
        Phase("back", 1.0, (RegainLink(),)),
    )
    # Gates first: their silence is the hardest to notice, because they only speak when somebody passes.
    return Incident("device-offline", (DeviceKind.GATE, DeviceKind.ELEVATOR, DeviceKind.THERMAL), phases)


def gateway_dead(*, silent_seconds: float = 300.0) -> Incident:
    """A gateway dies, and everything that hangs on it is silent until it is back."""
    phases = (
        Phase("gateway-dead", silent_seconds, (LoseLink(),)),
        Phase("back", 1.0, (RegainLink(),)),
    )
    return Incident("gateway-dead", (DeviceKind.GATEWAY,), phases)


def power_cut(*, alarm_after_seconds: float = 20.0, dark_seconds: float = 120.0) -> Incident:
    """The mains of lift and gateway fail while somebody rides between two floors, and come back.

    ``dark_seconds`` count from the time by which the car has surely stopped.
    """
    phases = (
        Phase("mains-failing", _STALL_SECONDS, (CutPower(),)),
        Phase("dark", alarm_after_seconds),
        Phase("alarm-button", max(0.0, dark_seconds - alarm_after_seconds), (PressAlarm(),)),
        # At 0.15 m/s the next level of a 4.2 m storey is at most 14 s away; then the door opens.
        Phase("mains-back", 30.0, (RestorePower(),)),
    )
    return Incident("power-cut", (DeviceKind.ELEVATOR,), phases)


def power_cut_at_once(*, dark_seconds: float = 120.0) -> Incident:
    """The mains of lift and gateway fail now, wherever the car is; mostly it stands empty at a floor."""
    phases = (
        Phase("dark", dark_seconds, (CutPower(occupied=False),)),
        Phase("mains-back", 30.0, (RestorePower(),)),
    )
    return Incident("power-cut-at-once", (DeviceKind.ELEVATOR,), phases)


def door_chatter(*, chattering_seconds: float = 1_200.0) -> Incident:
    """The lift's door opens and closes without end and without a fault: a dirty light curtain. The car does not run."""
    phases = (
        Phase("door-unsettled", chattering_seconds, (UnsettleDoor(),)),
        Phase("door-settled", 20.0, (SettleDoor(),)),
    )
    return Incident("door-chatter", (DeviceKind.ELEVATOR,), phases)


def overload(*, crowded_seconds: float = 60.0) -> Incident:
    """More people get into the car than it may carry; it waits with its door open until some get out."""
    phases = (
        Phase("overloaded", crowded_seconds, (Overload(),)),
        Phase("unloaded", 20.0, (UnloadCar(),)),
    )
    return Incident("overload", (DeviceKind.ELEVATOR,), phases)


def alarm_defect(*, broken_seconds: float = 120.0) -> Incident:
    """The line of the car's alarm is dead, and its test call fails; then it is repaired and tried."""
    phases = (
        Phase("alarm-broken", broken_seconds, (BreakAlarm(),)),
        Phase("alarm-repaired", 1.0, (RepairAlarm(),)),
    )
    return Incident("alarm-defect", (DeviceKind.ELEVATOR,), phases)


CATALOGUE: dict[str, Callable[..., Incident]] = {
    "trapped-passenger": trapped_passenger,
    "door-fault": door_fault,
    "ebike-fire": ebike_fire,
    "door-forced": door_forced,
    "device-offline": device_offline,
    "gateway-dead": gateway_dead,
    "power-cut": power_cut,
    "power-cut-at-once": power_cut_at_once,
    "door-chatter": door_chatter,
    "overload": overload,
    "alarm-defect": alarm_defect,
}


def build(name: str, parameters: Mapping[str, float] | None = None) -> Incident:
    """Return the incident ``name``; `StartupError` names what there is when a name or parameter is unknown."""
    if name not in CATALOGUE:
        raise StartupError(f"incident {name!r}: expected one of {', '.join(CATALOGUE)}")
    given = dict(parameters or {})
    known = inspect.signature(CATALOGUE[name]).parameters
    for parameter, seconds in given.items():
        if parameter not in known:
            raise StartupError(f"incident {name}: parameter {parameter!r}: expected one of {', '.join(known)}")
        if not 0 <= seconds < float("inf"):
            raise StartupError(f"incident {name}: {parameter} = {seconds}: expected seconds, 0 or more")
    return CATALOGUE[name](**given)

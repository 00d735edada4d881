"""A lift: a car that rides by the laws of motion, a door with its times, counters, and the faults incidents bring."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum, auto

from msgspec import Struct

from core.devices import Channel, DeviceKey
from core.wire.payloads import (
    Direction,
    DoorState,
    ElevatorEvent,
    ElevatorEventType,
    ElevatorTelemetry,
    ServiceMode,
)
from simulators.alarm import CarAlarm
from simulators.calls import Calls
from simulators.kinematics import Motion, Piece, brake, travel
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
    TestAlarm,
    UnloadCar,
    UnsettleDoor,
)
from simulators.model import Input, Message, UnknownInputError
from simulators.spec import LiftSpec
from simulators.traffic import Passenger, Traffic

FAULT_SOURCE = "gbt24476-2017"
DOOR_CLOSE_FAILURE = "2"
STOPPED_OUTSIDE_DOOR_ZONE = "4"
# Typical unlocking zone: 0.2 m above and below the level (the lift codes allow up to 0.2 m, 0.35 m with power doors).
DOOR_ZONE_METRES = 0.2
# The machine brake stops a small traction lift at about 1 m/s²; typical value.
BRAKE_MPS2 = 1.0
# Hand-wound or brake-released movement of a rescue; typical, well below inspection speed.
RESCUE_MPS = 0.15
# A stop between floors is at least this far outside the zone, so that no rounding makes it a level stop.
STALL_MARGIN_METRES = 0.4
# Controllers of small lifts report a close failure after a few attempts; typical value.
CLOSE_ATTEMPTS = 3
FREE_CAR_KILOGRAMS = 70.0


class _Phase(Enum):
    IDLE = auto()
    OPENING = auto()
    OPEN = auto()
    CLOSING = auto()
    MOVING = auto()
    BRAKING = auto()
    STALLED = auto()
    RESCUE = auto()
    DARK_OPEN = auto()


_DOOR = {
    _Phase.OPENING: DoorState.OPENING,
    _Phase.OPEN: DoorState.OPEN,
    _Phase.CLOSING: DoorState.CLOSING,
    _Phase.DARK_OPEN: DoorState.OPEN,
}
_AT_THE_DOOR = (_Phase.OPENING, _Phase.OPEN, _Phase.CLOSING)
_IN_MOTION = (_Phase.MOVING, _Phase.BRAKING, _Phase.RESCUE)
_LONG = timedelta(days=36_500)


class _Counters(Struct):
    trips: int
    door_cycles: int
    running_seconds: float


def _worn(chance: random.Random) -> _Counters:
    """Return the counters of a lift after a few years of use, because counters count since commissioning."""
    trips = chance.randrange(50_000, 400_000)
    return _Counters(trips, int(trips * chance.uniform(1.02, 1.1)), trips * chance.uniform(9.0, 12.0))


class Elevator:
    """The lift ``key``."""

    def __init__(
        self, key: DeviceKey, spec: LiftSpec, *, start: datetime, utc_offset_hours: float, chance: random.Random
    ) -> None:
        self._key = key
        self._spec = spec
        self._chance = chance
        self._traffic = Traffic(
            floors=len(spec.floors), rides_per_day=spec.rides_per_day, utc_offset_hours=utc_offset_hours, chance=chance
        )
        self._levels = _levels(spec)
        self._calls = Calls(len(spec.floors), spec.rated_load_kilograms)
        self._phase = _Phase.IDLE
        self._phase_began = start
        self._phase_ends = start + _LONG
        self._floor = 0
        self._motion = Motion(self._levels[0], 0.0, ())
        self._mode = ServiceMode.NORMAL
        self._counted = _worn(chance)
        self._stall_wanted = False
        self._powered = True
        self._cut_wanted = False
        self._obstructed = False
        self._unsettled = False
        self._crowd_share = 0.0
        self._close_attempts = 0
        self._faults: set[str] = set()
        self._alarm = CarAlarm(key.path, start)
        self._alarm_pressed = False
        self._freed_by_hand = False
        self._next_ride_at = self._traffic.next_at(start)
        # Spread over one interval, so that a thousand lifts do not all speak in the same instant.
        self._next_telemetry_at = start + timedelta(seconds=chance.uniform(0.001, spec.rest_interval_seconds))
        self._said: list[Message] = []

    @property
    def key(self) -> DeviceKey:
        return self._key

    @property
    def next_at(self) -> datetime:
        return min(self._phase_ends, self._next_ride_at, self._next_telemetry_at, self._alarm.next_test_at)

    def step(self, now: datetime, inputs: Sequence[Input] = ()) -> list[Message]:
        """Advance to ``now``; see `simulators.model.DeviceModel`."""
        self._said = []
        before = (self._phase, self._powered)
        while self._phase_ends <= now:
            self._finish_phase(self._phase_ends)
        if self._alarm.next_test_at <= now:
            self._tell(now, self._alarm.test(now))
        for given in inputs:
            self._take(given, now)
        while self._next_ride_at <= now:
            self._calls.wait(self._traffic.passenger(self._next_ride_at))
            self._next_ride_at = self._traffic.next_at(self._next_ride_at)
        if self._phase is _Phase.IDLE:
            self._serve(now)
        if (self._phase, self._powered) != before or self._next_telemetry_at <= now:
            self._report(now)
        return self._said

    # What is done to it.

    def _take(self, given: Input, now: datetime) -> None:
        match given:
            case StopBetweenFloors():
                self._stall_wanted = True
            case PressAlarm():
                self._press_alarm(now)
            case TestAlarm() | BreakAlarm() | RepairAlarm():
                if not isinstance(given, TestAlarm):
                    self._alarm.set_broken(broken=isinstance(given, BreakAlarm))
                self._tell(now, self._alarm.test(now))
            case FreePassengers():
                self._stall_wanted = self._cut_wanted = False
                if self._phase is _Phase.STALLED:
                    self._rescue(now)
            case ObstructDoor():
                self._obstructed = True
                if self._phase is _Phase.IDLE:
                    self._open_door(now)
            case ClearDoor():
                self._obstructed = False
            case UnsettleDoor() | SettleDoor() | Overload() | UnloadCar():
                self._take_at_door(given, now)
            case CutPower(occupied=True):
                self._stall_wanted = self._cut_wanted = True
            case CutPower():
                self._cut_power(now)
            case RestorePower():
                self._restore_power(now)
            case _:
                raise UnknownInputError(self._key, given)

    def _take_at_door(self, given: UnsettleDoor | SettleDoor | Overload | UnloadCar, now: datetime) -> None:
        match given:
            case Overload(share=share):
                self._crowd_share = share
            case UnloadCar():
                self._crowd_share = 0.0
            case UnsettleDoor() | SettleDoor():
                self._unsettled = isinstance(given, UnsettleDoor)
        if self._phase is _Phase.IDLE and self._powered and (self._unsettled or self._crowd_share):
            self._open_door(now)

    def _press_alarm(self, now: datetime) -> None:
        if self._calls.occupied:
            self._alarm_pressed = True
            self._tell(now, ElevatorEventType.ALARM_PRESSED)

    # What it does.

    def _finish_phase(self, at: datetime) -> None:
        match self._phase:
            case _Phase.MOVING:
                self._settle_motion(at)
                self._open_door(at)
            case _Phase.BRAKING:
                self._settle_motion(at)
                self._enter(_Phase.STALLED, at, _LONG)
                self._stalled(at)
            case _Phase.RESCUE:
                self._settle_motion(at)
                self._open_door(at)
                self._end_rescue(at)
            case _Phase.OPENING:
                self._calls.exchange(self._floor)
                self._enter(_Phase.OPEN, at, timedelta(seconds=self._spec.dwell_seconds))
            case _Phase.OPEN if self._powered and self._crowd_share:
                self._enter(_Phase.OPEN, at, timedelta(seconds=self._spec.dwell_seconds))
            case _Phase.OPEN:
                self._calls.exchange(self._floor)
                self._close_door(at)
            case _Phase.CLOSING:
                self._door_closing_ended(at)
            case _Phase.IDLE | _Phase.STALLED | _Phase.DARK_OPEN:
                raise AssertionError(f"{self._phase} has no end of its own")

    def _enter(self, phase: _Phase, at: datetime, lasting: timedelta) -> None:
        self._phase, self._phase_began = phase, at
        # A phase of nothing still takes a microsecond, so that time always moves on.
        self._phase_ends = at + max(lasting, timedelta(microseconds=1))

    def _open_door(self, at: datetime) -> None:
        self._counted.door_cycles += 1
        self._enter(_Phase.OPENING, at, timedelta(seconds=self._spec.door_open_seconds))

    def _close_door(self, at: datetime) -> None:
        if not self._powered:
            self._enter(_Phase.DARK_OPEN, at, _LONG)
            return
        # The obstacle is met half way.
        share = 0.5 if self._obstructed else 1.0
        self._enter(_Phase.CLOSING, at, timedelta(seconds=self._spec.door_close_seconds * share))

    def _door_closing_ended(self, at: datetime) -> None:
        if self._obstructed:
            self._close_attempts += 1
            if self._close_attempts == CLOSE_ATTEMPTS:
                self._raise_fault(DOOR_CLOSE_FAILURE, at)
            self._open_door(at)
            return
        self._close_attempts = 0
        self._clear_fault(DOOR_CLOSE_FAILURE, at)
        self._enter(_Phase.IDLE, at, _LONG)
        if self._unsettled:
            self._open_door(at)
        else:
            self._serve(at)

    def _serve(self, at: datetime) -> None:
        if not self._powered:
            return
        if self._stall_wanted and not self._calls.occupied:
            top = len(self._levels) - 1
            self._calls.wait(Passenger(self._floor, top if self._floor < top else 0, FREE_CAR_KILOGRAMS))
        stop = self._calls.next_stop(self._floor)
        if stop is None:
            return
        if stop == self._floor:
            self._open_door(at)
        else:
            self._depart(stop, at)

    def _depart(self, stop: int, at: datetime) -> None:
        self._counted.trips += 1
        self._motion = travel(
            self._levels[self._floor],
            self._levels[stop],
            rated_mps=self._spec.rated_speed_mps,
            acceleration_mps2=self._spec.acceleration_mps2,
        )
        if self._stall_wanted and self._calls.occupied:
            self._stall_wanted = False
            self._ride_into_a_stall(at)
            return
        self._floor = stop
        self._enter(_Phase.MOVING, at, timedelta(seconds=self._motion.seconds))

    def _ride_into_a_stall(self, at: datetime) -> None:
        # One phase for the whole movement: as planned until the brake falls, then braking to the stop.
        quarters = range(1, int(self._motion.seconds * 4))
        stops = [(quarter / 4, self._braked(quarter / 4)) for quarter in quarters]
        between = [(when, stop) for when, stop in stops if self._off_level(stop.at(stop.seconds)[0])]
        when, stop = self._chance.choice(between)
        pieces = _first(self._motion, when) + stop.pieces
        self._motion = Motion(self._motion.start_metres, 0.0, pieces)
        self._enter(_Phase.BRAKING, at, timedelta(seconds=self._motion.seconds))

    def _braked(self, seconds: float) -> Motion:
        return brake(*self._motion.at(seconds), deceleration_mps2=BRAKE_MPS2)

    def _off_level(self, metres: float) -> bool:
        return min(abs(metres - level) for level in self._levels) > DOOR_ZONE_METRES + STALL_MARGIN_METRES

    def _settle_motion(self, at: datetime) -> None:
        self._counted.running_seconds += (at - self._phase_began).total_seconds()
        position, _ = self._motion.at(self._motion.seconds)
        self._motion = Motion(position, 0.0, ())

    def _stalled(self, at: datetime) -> None:
        if self._cut_wanted:
            self._cut_power(at)
        elif self._powered:
            self._raise_fault(STOPPED_OUTSIDE_DOOR_ZONE, at)

    def _cut_power(self, now: datetime) -> None:
        self._cut_wanted = self._powered = False
        self._change_mode(now, ServiceMode.EMERGENCY_POWER)
        if self._phase in _AT_THE_DOOR:
            self._enter(_Phase.DARK_OPEN, now, _LONG)
        elif self._phase is _Phase.MOVING:
            # The brake falls where the car is; what it has run so far is counted now, the braking when it has ended.
            ridden = (now - self._phase_began).total_seconds()
            self._counted.running_seconds += ridden
            self._motion = self._braked(ridden)
            self._enter(_Phase.BRAKING, now, timedelta(seconds=self._motion.seconds))

    def _restore_power(self, now: datetime) -> None:
        if self._powered:
            self._stall_wanted = self._cut_wanted = False
            return
        self._powered = True
        if self._phase in (_Phase.STALLED, _Phase.BRAKING):
            self._creep_to_level(now)
            return
        self._change_mode(now, ServiceMode.NORMAL)
        if self._phase is _Phase.DARK_OPEN:
            self._enter(_Phase.OPEN, now, timedelta(seconds=self._spec.dwell_seconds))

    def _change_mode(self, at: datetime, mode: ServiceMode) -> None:
        self._mode = mode
        self._tell(at, ElevatorEventType.MODE_CHANGED, service_mode=mode)

    def _rescue(self, now: datetime) -> None:
        self._freed_by_hand = True
        self._change_mode(now, ServiceMode.INSPECTION)
        self._creep_to_level(now)

    def _creep_to_level(self, now: datetime) -> None:
        here, _ = self._position(now)
        self._floor = self._nearest_floor(here)
        self._motion = travel(
            here, self._levels[self._floor], rated_mps=RESCUE_MPS, acceleration_mps2=self._spec.acceleration_mps2
        )
        self._enter(_Phase.RESCUE, now, timedelta(seconds=self._motion.seconds))

    def _end_rescue(self, at: datetime) -> None:
        self._calls.empty_car()
        if self._alarm_pressed:
            self._alarm_pressed = False
            self._tell(at, ElevatorEventType.ALARM_RELEASED)
            if self._freed_by_hand:
                # Only who stands at the installation ends the alarm; mains that come back do not.
                self._tell(at, ElevatorEventType.ALARM_RESET)
        self._freed_by_hand = False
        self._clear_fault(STOPPED_OUTSIDE_DOOR_ZONE, at)
        self._change_mode(at, ServiceMode.NORMAL if self._powered else ServiceMode.EMERGENCY_POWER)

    # What it says.

    def _raise_fault(self, code: str, at: datetime) -> None:
        if code not in self._faults:
            self._faults.add(code)
            self._tell(at, ElevatorEventType.FAULT_RAISED, source=FAULT_SOURCE, code=code)

    def _clear_fault(self, code: str, at: datetime) -> None:
        if code in self._faults:
            self._faults.remove(code)
            self._tell(at, ElevatorEventType.FAULT_CLEARED, source=FAULT_SOURCE, code=code)

    def _tell(
        self,
        at: datetime,
        kind: ElevatorEventType,
        *,
        source: str | None = None,
        code: str | None = None,
        service_mode: ServiceMode | None = None,
    ) -> None:
        floor = self._spec.floors[self._nearest_floor(self._position(at)[0])].name
        event = ElevatorEvent(at=at, type=kind, source=source, code=code, service_mode=service_mode, floor=floor)
        self._said.append(Message(Channel.EVENT, event))

    def _report(self, now: datetime) -> None:
        at_rest = self._phase in (_Phase.IDLE, _Phase.STALLED, _Phase.DARK_OPEN)
        interval = self._spec.rest_interval_seconds if at_rest else self._spec.moving_interval_seconds
        self._next_telemetry_at = now + timedelta(seconds=interval)
        self._said.append(Message(Channel.TELEMETRY, self._telemetry(now)))

    def _telemetry(self, now: datetime) -> ElevatorTelemetry:
        metres, speed = self._position(now)
        running, load = self._counted.running_seconds, self._load_kilograms()
        if self._phase in _IN_MOTION:
            running += (now - self._phase_began).total_seconds()
        return ElevatorTelemetry(
            at=now,
            service_mode=self._mode,
            direction=self._direction(),
            floor=self._spec.floors[self._nearest_floor(metres)].name,
            position_metres=round(metres, 3),
            speed_mps=round(speed, 3),
            door_state=_DOOR.get(self._phase, DoorState.CLOSED),
            door_zone=min(abs(metres - level) for level in self._levels) <= DOOR_ZONE_METRES,
            passenger_present=load > 0.0,
            load_kilograms=load,
            trip_count=self._counted.trips,
            door_cycle_count=self._counted.door_cycles,
            running_seconds=int(running),
            main_power=self._powered,
        )

    def _load_kilograms(self) -> float:
        if self._crowd_share and self._phase is _Phase.OPEN:
            return round(self._crowd_share * self._spec.rated_load_kilograms, 1)
        return self._calls.load_kilograms

    def _direction(self) -> Direction:
        if self._phase not in _IN_MOTION:
            return Direction.STOPPED
        end, _ = self._motion.at(self._motion.seconds)
        return Direction.UP if end > self._motion.start_metres else Direction.DOWN

    def _position(self, now: datetime) -> tuple[float, float]:
        if self._phase not in _IN_MOTION:
            return self._motion.start_metres, 0.0
        return self._motion.at((now - self._phase_began).total_seconds())

    def _nearest_floor(self, metres: float) -> int:
        return min(range(len(self._levels)), key=lambda index: abs(self._levels[index] - metres))


def _levels(spec: LiftSpec) -> tuple[float, ...]:
    levels = [0.0]
    for floor in spec.floors[:-1]:
        levels.append(round(levels[-1] + floor.height_metres, 3))
    return tuple(levels)


def _first(motion: Motion, seconds: float) -> tuple[Piece, ...]:
    """Return the pieces of the first ``seconds`` of ``motion``."""
    pieces = []
    for piece in motion.pieces:
        pieces.append(Piece(min(piece.seconds, seconds), piece.acceleration_mps2))
        seconds -= pieces[-1].seconds
    return tuple(pieces)

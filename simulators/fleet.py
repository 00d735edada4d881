"""All devices and incidents of a simulated community, stepped in the order of their instants."""

import heapq
import itertools
import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from core.devices import Channel, DeviceKey, DeviceKind
from core.errors import StartupError
from core.wire.commands import KEEPS, ElevatorCommand, ElevatorCommandType
from core.wire.payloads import ElevatorTelemetry, Payload, Presence, PresenceStatus
from core.wire.topics import build as build_topic
from simulators.elevator import Elevator
from simulators.gate import Gate
from simulators.gateway import Gateway, LosePower, RegainPower
from simulators.incidents import Incident, LoseLink, RegainLink
from simulators.incidents import build as build_incident
from simulators.lift_inputs import TestAlarm
from simulators.model import DeviceModel, Input, Message
from simulators.spec import CommunitySpec
from simulators.thermal import ThermalCamera


class Outgoing(Struct, frozen=True):
    """A message for the broker."""

    device: DeviceKey
    topic: str
    payload: bytes
    retain: bool = False


class LinkLost(Struct, frozen=True):
    """From ``at`` the device is silent: its connection ends without a goodbye."""

    device: DeviceKey
    at: datetime


class LinkRestored(Struct, frozen=True):
    """From ``at`` the device is connected again."""

    device: DeviceKey
    at: datetime


class PhaseBegan(Struct, frozen=True):
    """An incident entered a phase; for people to read."""

    incident: str
    phase: str
    device: DeviceKey
    at: datetime


Output = Outgoing | LinkLost | LinkRestored | PhaseBegan


class PlannedIncident(Struct, frozen=True):
    """An incident to start ``after_seconds`` of simulated time, and every ``repeat_seconds`` again if given.

    Without a ``device`` (its name in the community) the first one of a fitting kind is taken.
    """

    name: str
    after_seconds: float
    device: str | None = None
    repeat_seconds: float | None = None
    parameters: dict[str, float] = {}


class _DeviceDue(Struct, frozen=True):
    device: DeviceKey


class _PhaseDue(Struct, frozen=True):
    incident: Incident
    phase: int
    device: DeviceKey
    repeat_seconds: float | None


class Fleet:
    """The devices of ``spec`` from the wall-clock instant ``start`` on; the same seed gives the same messages.

    With a ``speed`` above 1 the devices live faster than the clock on the wall: ten simulated minutes pass in one at
    speed 10. Messages carry the wall's instants all the same, because a device whose clock runs ahead is not believed;
    so a fast fleet speaks more often, and its rates per minute look steeper, by that factor.
    """

    def __init__(
        self,
        spec: CommunitySpec,
        *,
        seed: int,
        start: datetime,
        speed: float = 1.0,
        incidents: Sequence[PlannedIncident] = (),
    ) -> None:
        self._start = start
        self._speed = speed
        self._devices = {model.key: model for model in _models(spec, seed, start)}
        self._sequence = dict.fromkeys(self._devices, 0)
        self._gateways = dict(_gateways(spec))
        self._cut: set[DeviceKey] = set()
        self._dark: set[DeviceKey] = set()
        self._ties = itertools.count()
        self._heap: list[tuple[datetime, int, _DeviceDue | _PhaseDue]] = []
        for key, model in self._devices.items():
            self._push(model.next_at, _DeviceDue(key))
        for planned in incidents:
            self._plan(planned)

    @property
    def devices(self) -> list[DeviceKey]:
        return list(self._devices)

    @property
    def next_at(self) -> datetime:
        """Return the wall-clock instant at which `step` has something to do."""
        return self._on_the_wall(self._heap[0][0]) if self._heap else datetime.max.replace(tzinfo=self._start.tzinfo)

    def step(self, now: datetime) -> list[Output]:
        """Return everything that happens up to the wall-clock instant ``now``, in order."""
        outputs: list[Output] = []
        simulated = self._start + (now - self._start) * self._speed
        while self._heap and self._heap[0][0] <= simulated:
            due, _, task = heapq.heappop(self._heap)
            match task:
                case _PhaseDue():
                    outputs += self._begin_phase(task, due)
                # A device whose instant has changed since has a newer place in the heap.
                case _DeviceDue(device) if self._devices[device].next_at == due:
                    outputs += self._step_device(device, due, ())
        return outputs

    def ask(self, command: ElevatorCommand, device: DeviceKey, now: datetime) -> list[Output]:
        """Return everything that happens up to the wall-clock instant ``now``, with what was asked of ``device`` done.

        What is older than `KEEPS`, or of a device that is not here, is left undone.
        """
        outputs = self.step(now)
        known = isinstance(self._devices.get(device), Elevator)
        if known and command.command is ElevatorCommandType.ALARM_TEST and now - command.at <= KEEPS:
            outputs += self._step_device(device, self._start + (now - self._start) * self._speed, (TestAlarm(),))
        return outputs

    def _step_device(self, device: DeviceKey, due: datetime, inputs: Sequence[Input]) -> Iterator[Outgoing]:
        model = self._devices[device]
        messages = model.step(due, inputs)
        self._push(model.next_at, _DeviceDue(device))
        yield from self._feel_mains(device, messages, due)
        if self._silent(device):
            return
        for message in messages:
            self._sequence[device] += 1
            message.body.seq = self._sequence[device]
            message.body.at = self._on_the_wall(message.body.at)
            topic = build_topic(device, message.channel)
            yield Outgoing(device, topic, encode(message.body), retain=message.channel is Channel.PRESENCE)

    def _feel_mains(self, device: DeviceKey, messages: Sequence[Message], due: datetime) -> Iterator[Outgoing]:
        """A gateway hangs on the supply of its lift: what the lift says of its mains, the gateway feels first."""
        gateway = self._gateways.get(device)
        for body in (message.body for message in messages):
            if gateway is None or not isinstance(body, ElevatorTelemetry):
                continue
            if body.main_power is False and device not in self._dark:
                self._dark.add(device)
                yield from self._step_device(gateway, due, (LosePower(),))
            elif body.main_power and device in self._dark:
                self._dark.remove(device)
                yield from self._step_device(gateway, due, (RegainPower(),))

    def _begin_phase(self, task: _PhaseDue, due: datetime) -> Iterator[Output]:
        phase, at = task.incident.phases[task.phase], self._on_the_wall(due)
        yield PhaseBegan(task.incident.name, phase.name, task.device, at)
        link = [given for given in phase.inputs if isinstance(given, LoseLink | RegainLink)]
        others = [given for given in phase.inputs if given not in link]
        for change in link:
            yield from self._change_link(change, task.device, at)
        if others:
            yield from self._step_device(task.device, due, others)
        if task.phase + 1 < len(task.incident.phases):
            self._push(due + timedelta(seconds=phase.seconds), msgspec.structs.replace(task, phase=task.phase + 1))
        if task.phase == 0 and task.repeat_seconds is not None:
            self._push(due + timedelta(seconds=task.repeat_seconds), task)

    def _change_link(self, change: LoseLink | RegainLink, device: DeviceKey, at: datetime) -> Iterator[Output]:
        affected = [device, *(child for child, gateway in self._gateways.items() if gateway == device)]
        before = {each for each in affected if self._silent(each)}
        if isinstance(change, LoseLink):
            self._cut.add(device)
        else:
            self._cut.discard(device)
        for each in affected:
            if self._silent(each) and each not in before:
                yield LinkLost(each, at)
            elif each in before and not self._silent(each):
                yield LinkRestored(each, at)

    def _silent(self, device: DeviceKey) -> bool:
        """Tell whether the device's own link is cut, or that of the gateway it hangs on."""
        return device in self._cut or self._gateways.get(device) in self._cut

    def _plan(self, planned: PlannedIncident) -> None:
        incident = build_incident(planned.name, planned.parameters)
        repeat = planned.repeat_seconds
        if repeat is not None and repeat <= incident.seconds:
            raise StartupError(
                f"incident {planned.name}: lasts {incident.seconds:g} s and cannot be repeated every {repeat:g} s"
            )
        device = self._victim(incident, planned.device)
        self._push(self._start + timedelta(seconds=planned.after_seconds), _PhaseDue(incident, 0, device, repeat))

    def _victim(self, incident: Incident, name: str | None) -> DeviceKey:
        fitting = [key for kind in incident.kinds for key in self._devices if key.kind is kind]
        for key in fitting:
            if name in (None, key.device):
                return key
        known = ", ".join(key.device for key in fitting) or "none in this community"
        raise StartupError(f"incident {incident.name}: device {name or 'any'}: expected one of: {known}")

    def _on_the_wall(self, simulated: datetime) -> datetime:
        return self._start + (simulated - self._start) / self._speed

    def _push(self, at: datetime, task: _DeviceDue | _PhaseDue) -> None:
        heapq.heappush(self._heap, (at, next(self._ties), task))


def encode(body: Payload) -> bytes:
    """Return the JSON of a payload, without the fields it has no value for."""
    fields = ((name, getattr(body, name)) for name in body.__struct_fields__)
    return msgspec.json.encode({name: value for name, value in fields if value is not None})


def presence(device: DeviceKey, status: PresenceStatus, at: datetime) -> Outgoing:
    """Return the retained message that says whether ``device`` is there."""
    return Outgoing(device, build_topic(device, Channel.PRESENCE), encode(Presence(at=at, status=status)), retain=True)


def _gateways(spec: CommunitySpec) -> Iterator[tuple[DeviceKey, DeviceKey]]:
    """Yield the devices that hang on a gateway, each with it."""
    hanging = ((DeviceKind.ELEVATOR, spec.lifts), (DeviceKind.GATE, spec.gates), (DeviceKind.THERMAL, spec.cameras))
    for kind, devices in hanging:
        for each in devices:
            if each.facts.gateway:
                gateway = DeviceKey(spec.community, DeviceKind.GATEWAY, each.facts.gateway)
                yield DeviceKey(spec.community, kind, each.device), gateway


def _models(spec: CommunitySpec, seed: int, start: datetime) -> Iterator[DeviceModel]:
    def chance(key: DeviceKey) -> random.Random:
        # Each device draws from its own stream, so that adding one does not change the others.
        return random.Random(f"{seed}/{key.path}")  # noqa: S311 (a simulation, not a secret)

    offset = spec.utc_offset_hours
    for lift in spec.lifts:
        key = DeviceKey(spec.community, DeviceKind.ELEVATOR, lift.device)
        yield Elevator(key, lift, start=start, utc_offset_hours=offset, chance=chance(key))
    for gate in spec.gates:
        key = DeviceKey(spec.community, DeviceKind.GATE, gate.device)
        yield Gate(key, gate, start=start, utc_offset_hours=offset, chance=chance(key))
    for camera in spec.cameras:
        key = DeviceKey(spec.community, DeviceKind.THERMAL, camera.device)
        yield ThermalCamera(key, camera, start=start, utc_offset_hours=offset, chance=chance(key))
    for gateway in spec.gateways:
        key = DeviceKey(spec.community, DeviceKind.GATEWAY, gateway.device)
        yield Gateway(key, gateway, start=start, chance=chance(key))

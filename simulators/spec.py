"""The description of a community's devices, read from YAML: names, heights, speeds, how busy each one is."""

from importlib import resources
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from core.errors import StartupError
from core.wire.topics import WORD

TopicWord = Annotated[str, Meta(pattern=f"^{WORD.pattern}$")]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
PerDay = Annotated[float, Meta(ge=0.0, le=100_000.0)]
Interval = Annotated[float, Meta(ge=0.05, le=3_600.0)]
DEMO = "demo"


class FloorSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A floor: its name on the button, and the metres from its level to the next one."""

    name: Annotated[str, Meta(min_length=1, max_length=16)]
    height_metres: Annotated[float, Meta(ge=2.0, le=12.0)] = 3.0


class DeviceFactsSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """What people would tell of a device: what it is called, where it is, and the gateway it speaks through."""

    name_zh: str = ""
    name_en: str = ""
    building: str = ""
    gateway: str = ""
    tags: tuple[str, ...] = ()
    numbers: dict[str, float] = {}
    rescue_code: str = ""


class LiftSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A lift. Housing runs at 1.0-1.75 m/s; 0.6-1.0 m/s² and the door times are typical values for it."""

    device: TopicWord
    floors: Annotated[tuple[FloorSpec, ...], Meta(min_length=2, max_length=200)]
    rated_speed_mps: Annotated[float, Meta(ge=0.25, le=10.0)] = 1.0
    acceleration_mps2: Annotated[float, Meta(ge=0.3, le=1.5)] = 0.7
    rated_load_kilograms: Annotated[float, Meta(ge=100.0, le=5_000.0)] = 630.0
    rides_per_day: PerDay = 300.0
    door_open_seconds: Annotated[float, Meta(ge=0.5, le=20.0)] = 2.2
    door_close_seconds: Annotated[float, Meta(ge=0.5, le=20.0)] = 2.8
    dwell_seconds: Annotated[float, Meta(ge=0.5, le=60.0)] = 4.0
    moving_interval_seconds: Interval = 1.0
    rest_interval_seconds: Interval = 5.0
    facts: DeviceFactsSpec = DeviceFactsSpec()


class GateSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A gate for people on foot: a card or code to come in, a button to go out."""

    device: TopicWord
    passages_per_day: PerDay = 800.0
    credentials: Annotated[int, Meta(ge=1, le=100_000)] = 400
    denied_share: Share = 0.02
    closing_seconds: Annotated[float, Meta(ge=1.0, le=60.0)] = 5.0
    facts: DeviceFactsSpec = DeviceFactsSpec()


class RegionSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A measured rectangle of the picture with ``sockets`` places to charge at."""

    region: TopicWord
    sockets: Annotated[int, Meta(ge=0, le=100)] = 6


class CameraSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A thermal camera over a bike shed; pre-alarm and alarm are the camera's own thresholds, site settings always.

    46 and 56 °C are the pre-warning and fire temperatures of one EN 54-5 class A1 panel.
    """

    device: TopicWord
    regions: Annotated[tuple[RegionSpec, ...], Meta(min_length=1, max_length=64)]
    ambient_mean_celsius: Annotated[float, Meta(ge=-30.0, le=40.0)] = 18.0
    ambient_swing_celsius: Annotated[float, Meta(ge=0.0, le=20.0)] = 5.0
    charges_per_socket_day: PerDay = 1.5
    pre_alarm_celsius: Annotated[float, Meta(ge=30.0, le=150.0)] = 46.0
    alarm_celsius: Annotated[float, Meta(ge=30.0, le=150.0)] = 56.0
    interval_seconds: Interval = 2.0
    facts: DeviceFactsSpec = DeviceFactsSpec()


class GatewaySpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A gateway: it says that it is there every ``beat_seconds``, and its battery lasts ``battery_seconds``."""

    device: TopicWord
    beat_seconds: Interval = 60.0
    battery_seconds: Annotated[float, Meta(ge=60.0, le=604_800.0)] = 3_600.0
    facts: DeviceFactsSpec = DeviceFactsSpec()


class CommunitySpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A community and its devices; ``utc_offset_hours`` sets the hour of its daily patterns."""

    community: TopicWord
    name_zh: str = ""
    name_en: str = ""
    utc_offset_hours: Annotated[float, Meta(ge=-12.0, le=14.0)] = 8.0
    lifts: tuple[LiftSpec, ...] = ()
    gates: tuple[GateSpec, ...] = ()
    cameras: tuple[CameraSpec, ...] = ()
    gateways: tuple[GatewaySpec, ...] = ()


def load(community: str | Path) -> CommunitySpec:
    """Return the community ``demo`` or the one in a YAML file; raises `StartupError` with the place of the mistake."""
    if community == DEMO:
        return _parse(resources.files("simulators.communities").joinpath("demo.yaml").read_bytes(), DEMO)
    try:
        return _parse(Path(community).read_bytes(), str(community))
    except OSError as error:
        raise StartupError(f"community file {community}: {error.strerror}") from error


def with_lifts(spec: CommunitySpec, count: int) -> CommunitySpec:
    """Return ``spec`` with ``count`` lifts like its first one, named ``lift-0001`` and so on, for load tests."""
    if not spec.lifts:
        raise StartupError(f"community {spec.community} has no lift to make {count} of")
    pattern = spec.lifts[0]
    facts = msgspec.structs.replace(pattern.facts, name_zh="", name_en="")
    lifts = tuple(
        msgspec.structs.replace(pattern, device=f"lift-{number:04}", facts=facts) for number in range(1, count + 1)
    )
    return msgspec.structs.replace(spec, lifts=lifts)


def _parse(text: bytes, name: str) -> CommunitySpec:
    try:
        spec = msgspec.yaml.decode(text, type=CommunitySpec)
    except msgspec.MsgspecError as error:
        # A YAML mistake is told in several lines; ours has one.
        raise StartupError(f"community file {name}: {' '.join(str(error).split())}") from error
    _check_gateways(spec, name)
    for kind in (spec.lifts, spec.gates, spec.cameras, spec.gateways):
        names = [each.device for each in kind]
        if len(set(names)) != len(names):
            raise StartupError(f"community file {name}: two devices of one kind share a name in {sorted(names)}")
    return spec


def _check_gateways(spec: CommunitySpec, name: str) -> None:
    known = {gateway.device for gateway in spec.gateways}
    hanging: list[LiftSpec | GateSpec | CameraSpec] = [*spec.lifts, *spec.gates, *spec.cameras]
    for each in hanging:
        if each.facts.gateway and each.facts.gateway not in known:
            expected = ", ".join(sorted(known)) or "none in this community"
            raise StartupError(
                f"community file {name}: {each.device}: gateway {each.facts.gateway!r}: expected one of: {expected}"
            )

"""What a schema cannot say of test series, and the messages that they stand for."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
from msgspec import Struct

from alerts.rules.series import Expectation, Input, RuleTest, TestDevice
from alerts.rules.shapes import shape_problem
from alerts.rules.signals import payload_of
from core.code_events import as_said
from core.devices import Channel, DeviceKey
from core.durations import microseconds
from core.observations import Observation
from core.shapes import Problem
from core.wire.payloads import Body, ElevatorEvent, Presence, PresenceStatus, Region

# A Monday at midnight UTC; a test of a rule with a schedule says its own instant.
BEGINS = datetime(2026, 1, 5, tzinfo=UTC)
_MESSAGES_AT_MOST = 100_000
# Decision 0003, as it is by default.
_LATE_AFTER = timedelta(minutes=5)


def series_problems(test: RuleTest, rules: set[str] | None) -> Iterator[Problem]:
    """Yield what is wrong with ``test``; paths begin at the test. ``rules`` are the file's, where they are known."""
    if test.begins is not None and test.begins.tzinfo is None:
        yield ("begins",), "begins: expected an instant with its offset, such as 2026-08-14T22:00:00+08:00"
    names = [device.name for device in test.devices]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield ("devices", index, "name"), f"device {name!r} is given twice: expected once"
    for index, given in enumerate(test.inputs):
        for path, text in _input_problems(test, given):
            yield ("inputs", index, *path), text
    if sum(map(_times, test.inputs)) > _MESSAGES_AT_MOST:
        yield ("inputs",), f"these are more than {_MESSAGES_AT_MOST} messages"
    for index, expected in enumerate(test.expect):
        for path, text in _expectation_problems(test, expected, rules):
            yield ("expect", index, *path), text
    for index, rule in enumerate(test.rules or ()):
        yield from _rule_problems(("rules", index), rule, rules)


def device_of(test: RuleTest, name: str | None) -> TestDevice | None:
    """Return the device of that name; without one, the only device there is."""
    if name is None:
        return test.devices[0] if len(test.devices) == 1 else None
    return next((device for device in test.devices if device.name == name), None)


def key_of(device: TestDevice) -> DeviceKey:
    """Return how the device is named on the wire."""
    return DeviceKey(device.community, device.kind, device.name)


def after(begins: datetime, instant: str | None) -> datetime:
    """Return the instant so long after ``begins``."""
    return begins + timedelta(microseconds=microseconds(instant))


def observations(test: RuleTest) -> list[Observation]:
    """Return what arrives in ``test`` (one without problems), in order of arrival."""
    begins = test.begins or BEGINS
    arriving = [(after(begins, at), given) for given in test.inputs for at in _instants(given)]
    arriving.sort(key=lambda one: one[0])
    return [_observation(test, given, at, position) for position, (at, given) in enumerate(arriving, 1)]


def _observation(test: RuleTest, given: Input, received_at: datetime, position: int) -> Observation:
    device = cast(TestDevice, device_of(test, given.device))
    channel, fields = _said(given)
    late_by = timedelta(microseconds=microseconds(given.late_by))
    at = received_at - late_by
    body = cast(Body, msgspec.convert({**fields, "at": at}, cast(type[Struct], payload_of(device.kind, channel))))
    if isinstance(body, ElevatorEvent):
        as_said(body)
    if isinstance(body, Presence) and body.status is PresenceStatus.OFFLINE:
        at = received_at
    late = late_by > _LATE_AFTER and channel is not Channel.PRESENCE
    return Observation(position, key_of(device), channel, at, received_at, body, late=late)


def _said(given: Input) -> tuple[Channel, Mapping[str, Any]]:
    for channel in Channel:
        fields: Mapping[str, Any] | None = getattr(given, channel.value)
        if fields is not None:
            return channel, fields
    raise ValueError("an input of no channel")


def _instants(given: Input) -> Iterator[str]:
    if given.at is not None:
        yield given.at
        return
    first, step, last = microseconds(given.starts), microseconds(given.every), microseconds(given.until)
    for instant in range(first, last + 1, step):
        yield f"{instant // 1_000}ms"


def _times(given: Input) -> int:
    """Return how many messages ``given`` stands for."""
    if given.at is not None or given.every is None:
        return 1
    return max(0, microseconds(given.until) - microseconds(given.starts)) // microseconds(given.every) + 1


def _input_problems(test: RuleTest, given: Input) -> Iterator[Problem]:
    yield from _time_problems(given)
    said = [channel for channel in Channel if getattr(given, channel.value) is not None]
    device = device_of(test, given.device)
    if device is None:
        yield ("device",), _no_device(test, given.device)
    elif len(said) != 1:
        yield (), "an input needs exactly one of `telemetry`, `event` and `presence`"
    else:
        for path, text in _field_problems(device, said[0], getattr(given, said[0].value)):
            yield (said[0].value, *path), text


def _time_problems(given: Input) -> Iterator[Problem]:
    repeated = (given.starts, given.every, given.until)
    if (given.at is None) == (repeated == (None, None, None)) or (given.at is None and None in repeated):
        yield (), "an input needs either `at`, or all of `from`, `every` and `until`"
    elif given.at is None and microseconds(given.until) < microseconds(given.starts):
        yield ("until",), f"until: {given.until}: expected an instant at or after `from` ({given.starts})"


def _field_problems(device: TestDevice, channel: Channel, fields: Mapping[str, Any]) -> Iterator[Problem]:
    payload = payload_of(device.kind, channel)
    if payload is None:
        yield (), f"a {device.kind.value} sends no {channel.value}"
        return
    unknown = list(_unknown_fields(payload, fields))
    yield from unknown
    if not unknown:
        try:
            msgspec.convert({**fields, "at": BEGINS}, payload)
        except msgspec.ValidationError as error:
            path, text = shape_problem(str(error), fields)
            yield path, f"{'.'.join(map(str, path))}: {text}" if path else text


def _unknown_fields(payload: type[Struct], fields: Mapping[str, Any]) -> Iterator[Problem]:
    known = [name for name in payload.__struct_fields__ if name != "at"]
    for name in fields:
        if name == "at":
            yield (name,), "`at` is the input's own: expected no instant among the fields"
        elif name not in known:
            yield (name,), f"field {name!r} is unknown: expected one of {', '.join(sorted(known))}"
    regions = fields.get("regions")
    for index, region in enumerate(regions if isinstance(regions, list) else ()):
        if isinstance(region, dict):
            for path, text in _unknown_fields(Region, region):
                yield ("regions", index, *path), text


def _expectation_problems(test: RuleTest, expected: Expectation, rules: set[str] | None) -> Iterator[Problem]:
    if (expected.at is None) == (expected.between is None):
        yield (), "an expectation needs exactly one of `at` and `between`"
    elif expected.between is not None and microseconds(expected.between[1]) < microseconds(expected.between[0]):
        yield ("between",), "between: expected the earlier instant first"
    if device_of(test, expected.device) is None:
        yield ("device",), _no_device(test, expected.device)
    yield from _rule_problems(("rule",), expected.rule, rules)
    if test.rules is not None and expected.rule not in test.rules:
        yield ("rule",), f"rule {expected.rule!r} does not run in this test: expected one of {', '.join(test.rules)}"


def _rule_problems(path: tuple[str | int, ...], rule: str, rules: set[str] | None) -> Iterator[Problem]:
    if rules is not None and rule not in rules:
        yield path, f"rule {rule!r} is not known here: expected one of {', '.join(sorted(rules))}"


def _no_device(test: RuleTest, name: str | None) -> str:
    names = ", ".join(device.name for device in test.devices)
    if name is None:
        return f"there are several devices: expected `device`, one of {names}"
    return f"device {name!r} is not in this test: expected one of {names}"

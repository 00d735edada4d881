"""Points as line protocol, read back by the rules of the InfluxDB v2 reference ("Line protocol")."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.devices import DeviceKey, DeviceKind
from core.errors import MalformedPoints
from core.telemetry import FAMILIES, Point, SignalType, Value
from storage.telemetry.line_protocol import encode

LIFT = DeviceKey("riverside", DeviceKind.ELEVATOR, "lift-1")

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ['"', "\\", '\\"', "a,b=c d", "\n"]
)
VALUES = {
    SignalType.FLOAT: st.floats(allow_nan=False, allow_infinity=False),
    SignalType.INTEGER: st.integers(-(2**63), 2**63 - 1),
    SignalType.BOOLEAN: st.booleans(),
    SignalType.TEXT: TEXT,
}
ELEVATOR = FAMILIES["elevator"].signals
ELEVATOR_VALUES = st.fixed_dictionaries({}, optional={name: VALUES[kind] for name, kind in ELEVATOR.items()})

TOKEN = r"(?:\\[,= ]|[^,= ])+"
FIELD = re.compile(rf'({TOKEN})=("(?:\\["\\]|[^"\\])*"|[^,\s]+)(,|\Z)', re.DOTALL)
LINE = re.compile(rf"(?P<measurement>{TOKEN})(?P<tags>(?:,{TOKEN}={TOKEN})*) (?P<fields>.*) (?P<at>-?\d+)\Z", re.DOTALL)


def unescape(token: str) -> str:
    return re.sub(r"\\([,= ])", r"\1", token)


def read_value(text: str) -> Value:
    if text.startswith('"'):
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    if text in ("True", "False"):
        return text == "True"
    return int(text[:-1]) if text.endswith("i") else float(text)


def read_fields(text: str) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    start = 0
    while start < len(text):
        match = FIELD.match(text, start)
        assert match, text[start:]
        fields[match[1]] = read_value(match[2])
        start = match.end()
    return fields


def read(line: str) -> tuple[str, dict[str, str], dict[str, Value], int]:
    match = LINE.match(line)
    assert match, line
    pairs = re.findall(rf",({TOKEN})=({TOKEN})", match["tags"])
    tags = {name: unescape(value) for name, value in pairs}
    return match["measurement"], tags, read_fields(match["fields"]), int(match["at"])


@given(ELEVATOR_VALUES.filter(bool), st.integers(-(2**63) + 2, 2**63 - 2))
def test_every_value_reads_back_as_it_was(values: dict[str, Value], at: int) -> None:
    measurement, tags, fields, instant = read(encode([Point("elevator", LIFT, "", at, values, 1)]).decode())
    assert (measurement, instant) == ("elevator", at)
    assert tags == {"community": "riverside", "device": "lift-1", "kind": "elevator"}
    assert fields == values
    assert {name: type(value) for name, value in fields.items()} == {
        name: type(value) for name, value in values.items()
    }


@given(WORDS, WORDS, WORDS)
def test_tags_read_back_or_are_refused(community: str, device: str, part: str) -> None:
    point = Point("thermal", DeviceKey(community, DeviceKind.THERMAL, device), part, 1, {"maximum_celsius": 1.0}, 1)
    try:
        line = encode([point]).decode()
    except MalformedPoints:
        assert any(re.search(r"[\n\r]|\\(?:[,= ]|\Z)", word) for word in (community, device, part))
        return
    _, tags, _, _ = read(line)
    assert tags == {"community": community, "device": device, "kind": "thermal", "part": part}


def test_a_batch_is_one_line_per_point_that_holds_a_value() -> None:
    points = [Point("elevator", LIFT, "", at, {"floor": "1"} if at % 2 else {}, 1) for at in range(4)]
    assert encode(points).decode().splitlines() == [
        'elevator,community=riverside,device=lift-1,kind=elevator floor="1" 1',
        'elevator,community=riverside,device=lift-1,kind=elevator floor="1" 3',
    ]


def test_a_whole_number_in_a_float_signal_stays_a_float() -> None:
    line = encode([Point("elevator", LIFT, "", 1, {"speed_mps": 1}, 1)]).decode()
    assert line.endswith(" speed_mps=1 1")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        pytest.param({"colour": "red"}, "colour", id="unknown signal"),
        pytest.param({"floor": 3}, "3 is not text", id="number in a text signal"),
        pytest.param({"trip_count": "many"}, "%d", id="text in an integer signal"),
        pytest.param({"floor": "\ud800"}, "Unicode", id="half a character"),
    ],
)
def test_what_the_format_cannot_say_is_refused(values: dict[str, Value], named: str) -> None:
    with pytest.raises(MalformedPoints, match=named):
        encode([Point("elevator", LIFT, "", 1, values, 1)])

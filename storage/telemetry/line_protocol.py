"""Points as InfluxDB line protocol (InfluxDB v2 reference, "Line protocol"), fast enough for every message.

The client library's own `Point` takes longer for one point than the rest of the pipeline together, so the text is made
here: everything that repeats (measurement and tags of a device, the layout of a set of fields) is made once and
remembered, and one ``%`` fills in the values.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from core.devices import DeviceKey
from core.errors import MalformedPoints
from core.telemetry import FAMILIES, Point, SignalType, Value

# `%r` of a float is the shortest text that reads back as the same float; InfluxDB reads True and False as booleans.
_FORMATS = {
    SignalType.FLOAT: "%r",
    SignalType.INTEGER: "%di",
    SignalType.BOOLEAN: "%s",
    SignalType.TEXT: '"%s"',
}
# A tag cannot hold a line break, and a backslash cannot itself be escaped: before a separator it would hide it.
_UNSPEAKABLE = re.compile(r"[\n\r]|\\(?:[,= ]|\Z)")
_KEY_ESCAPES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})


def encode(points: Sequence[Point]) -> bytes:
    """Return one line per point that holds a value, UTF-8; raises `MalformedPoints` for what the format cannot say."""
    try:
        return "\n".join([line(point) for point in points if point.values]).encode()
    except UnicodeEncodeError as error:
        raise MalformedPoints(f"text is not valid Unicode: {error.reason} at {error.start}") from None


def line(point: Point) -> str:
    """Return ``point``, which holds at least one value, as one line without its end."""
    try:
        template, texts = _layout(point.family, tuple(point.values))
        values = list(point.values.values())
        _escape_texts(values, texts)
        fields = template % tuple(values)
    except (KeyError, TypeError) as error:
        raise MalformedPoints(f"{point.family} of {point.device.path}: {error}") from None
    return f"{_prefix(point.family, point.device, point.part)} {fields} {point.at_nanoseconds}"


# Bounded, because parts and devices come from outside; the bounds hold a large estate (a few hundred bytes each).
@lru_cache(maxsize=65_536)
def _prefix(family: str, device: DeviceKey, part: str) -> str:
    """Measurement and tags, in the order of their names, which InfluxDB indexes fastest."""
    tags = f"community={_tag(device.community)},device={_tag(device.device)},kind={device.kind.value}"
    return f"{family},{tags},part={_tag(part)}" if part else f"{family},{tags}"


@lru_cache(maxsize=4_096)
def _layout(family: str, signals: tuple[str, ...]) -> tuple[str, tuple[int, ...]]:
    """The fields as a template for ``%``, and where among them text stands."""
    types = [FAMILIES[family].signals[signal] for signal in signals]
    fields = [f"{signal}={_FORMATS[kind]}" for signal, kind in zip(signals, types, strict=True)]
    return ",".join(fields), tuple(index for index, kind in enumerate(types) if kind is SignalType.TEXT)


def _escape_texts(values: list[Value], texts: tuple[int, ...]) -> None:
    """In a quoted field only the quote and the backslash are special; line breaks stand as they are."""
    for index in texts:
        text = values[index]
        if not isinstance(text, str):
            raise TypeError(f"{text!r} is not text")
        if '"' in text or "\\" in text:
            values[index] = text.replace("\\", "\\\\").replace('"', '\\"')


def _tag(value: str) -> str:
    if not value or _UNSPEAKABLE.search(value):
        raise MalformedPoints(
            f"tag {value!r}: expected text with no line break, and no backslash before ',', '=', ' ' or the end"
        )
    return value.translate(_KEY_ESCAPES)

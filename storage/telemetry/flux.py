"""Flux scripts for the questions the API asks (Flux v0.x language specification).

Whatever comes from outside stands in a string literal in which all but plain letters and digits is a byte escape, so
that no value can end its literal or begin an interpolation.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from core.devices import DeviceKey
from core.telemetry import FAMILIES, Aggregate, SignalType

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_KEPT = '"_measurement", "_field", "part", "_time"'
# Devices may run five minutes ahead of us, and InfluxDB's clock may differ from ours: nothing newer than this exists.
_AHEAD = "1h"
# The CSV answer drops carriage returns and rewrites line feeds; as JSON every text comes through whole. Encoding takes
# 30 µs a row, so where rows are many only those that need it take that way.
_TEXT_AS_JSON = "map(fn: (r) => ({r with _json: string(v: json.encode(v: r._value))}))"
_ONE_LINE = r"filter(fn: (r) => r._value !~ /[\r\n]/)"
_MANY_LINES = r"filter(fn: (r) => r._value =~ /[\r\n]/)"


@dataclass(frozen=True)
class Source:
    """The values of one device in one bucket."""

    bucket: str
    device: DeviceKey

    def begin(self, start: str, stop: str) -> list[str]:
        """Return the first steps of a pipeline: Flux expressions for start (included) and stop (excluded)."""
        tags = {
            "community": self.device.community,
            "device": self.device.device,
            "kind": self.device.kind.value,
        }
        wanted = " and ".join(f"r.{tag} == {literal(value)}" for tag, value in tags.items())
        return [
            f"from(bucket: {literal(self.bucket)})",
            f"range(start: {start}, stop: {stop})",
            f"filter(fn: (r) => {wanted})",
        ]


def literal(text: str) -> str:
    """Return ``text`` as a Flux string literal."""
    return '"' + "".join(chr(byte) if byte in _PLAIN else f"\\x{byte:02x}" for byte in text.encode()) + '"'


def latest(source: Source, window: timedelta) -> str:
    """The newest value of every signal of every part, looking back ``window`` from the server's now."""
    begin = source.begin(f"-{window // timedelta(seconds=1)}s", _AHEAD)
    pipelines = []
    for texts in (False, True):
        chosen = " or ".join(
            f"(r._measurement == {literal(family.name)} and ({_any_field(names)}))"
            for family in FAMILIES.values()
            if (names := [name for name, kind in family.signals.items() if (kind is SignalType.TEXT) is texts])
        )
        pipelines.append(_finish([*begin, f"filter(fn: (r) => {chosen})", "last()"], f"latest{texts:d}", texts=texts))
    return _script(pipelines)


def raw(source: Source, family: str, types: Mapping[str, SignalType], start: int, stop: int, limit: int) -> str:
    """The oldest ``limit`` values of each signal of each part; ``start`` and ``stop`` in nanoseconds."""
    pipelines = []
    for texts in (False, True):
        names = [name for name, kind in types.items() if (kind is SignalType.TEXT) is texts]
        if not names:
            continue
        steps = [*_of_family(source, family, names, start, stop), f"limit(n: {limit})"]
        if texts:
            pipelines.append(_finish([*steps, _MANY_LINES], "lines", texts=True))
            steps.append(_ONE_LINE)
        pipelines.append(_finish(steps, f"raw{texts:d}", texts=False))
    return _script(pipelines)


def windows(
    source: Source,
    family: str,
    types: Mapping[str, SignalType],
    bounds: tuple[int, int],
    width: int,
    aggregate: Aggregate,
) -> str:
    """One value per window of ``width`` nanoseconds; the first window's time is the start of the range, unaligned."""
    window = f'aggregateWindow(every: {width}ns, fn: {aggregate.value}, createEmpty: false, timeSrc: "_start")'
    pipelines = []
    for kind, names in _by_type(types).items():
        steps = _of_family(source, family, names, *bounds)
        if kind is SignalType.BOOLEAN and aggregate not in (Aggregate.LAST, Aggregate.COUNT):
            steps.append("toInt()")
        texts = kind is SignalType.TEXT and aggregate is Aggregate.LAST
        pipelines.append(_finish([*steps, window], f"windows_{kind.value}", texts=texts))
    return _script(pipelines)


def _of_family(source: Source, family: str, names: Iterable[str], start: int, stop: int) -> list[str]:
    chosen = f"r._measurement == {literal(family)} and ({_any_field(names)})"
    return [*source.begin(f"time(v: {start})", f"time(v: {stop})"), f"filter(fn: (r) => {chosen})"]


def _any_field(names: Iterable[str]) -> str:
    return " or ".join(f"r._field == {literal(name)}" for name in names)


def _by_type(types: Mapping[str, SignalType]) -> dict[SignalType, list[str]]:
    grouped: dict[SignalType, list[str]] = {}
    for name, kind in types.items():
        grouped.setdefault(kind, []).append(name)
    return grouped


def _finish(steps: list[str], name: str, *, texts: bool) -> str:
    ending = [_TEXT_AS_JSON] if texts else []
    value = "_json" if texts else "_value"
    return "\n  |> ".join([*steps, *ending, f'keep(columns: [{_KEPT}, "{value}"])', f'yield(name: "{name}")'])


def _script(pipelines: Collection[str]) -> str:
    return "\n\n".join(['import "json"', *pipelines])

"""What a memory gathers, as bytes: a sample takes sixteen of them, as a pair in a list over a hundred.

Bytes never change: all memories share what is empty, and whoever adds to a window gets another.
"""

import hashlib
from collections.abc import Iterable
from struct import Struct

import msgspec

from alerts.memory import Microseconds

SAMPLE = Struct("<qd")
"""An instant and a value."""
INSTANT = Struct("<q")
VALUE = Struct("<d")
DAY = Struct("<id")
"""A day, counted from 1970-01-01, and a value."""
KNOWN = Struct("<8sq")
"""The mark of a name, and an instant."""

sample_at = SAMPLE.unpack_from
"""Return the sample that begins at a byte of a window; as it is, because it is asked on every message."""

_NONE_STANDS = b"\x80"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, Microseconds]).decode


def newest(window: bytes) -> tuple[Microseconds, float]:
    """Return the last sample of a window that has one."""
    at, value = sample_at(window, len(window) - SAMPLE.size)
    return at, value


def samples_since(window: bytes, instant: Microseconds) -> bytes:
    """Return ``window`` without the samples from before ``instant``."""
    begin, end = 0, len(window)
    while begin < end and sample_at(window, begin)[0] < instant:
        begin += SAMPLE.size
    return window[begin:] if begin else window


def value_then(window: bytes, instant: Microseconds) -> float:
    """Return the last value known at ``instant``, which is no earlier than the first sample."""
    known: float = VALUE.unpack_from(window, INSTANT.size)[0]
    for at, value in SAMPLE.iter_unpack(window):
        if at > instant:
            break
        known = value
    return known


def instants_of(window: bytes) -> list[Microseconds]:
    """Return the instants in ``window``, in their order."""
    return [instant for (instant,) in INSTANT.iter_unpack(window)]


def pack_instants(instants: Iterable[Microseconds]) -> bytes:
    """Return what `instants_of` reads."""
    return b"".join(map(INSTANT.pack, instants))


def values_of(window: bytes) -> list[float]:
    """Return the values in ``window``, in their order."""
    return [value for (value,) in VALUE.iter_unpack(window)]


def pack_values(values: Iterable[float]) -> bytes:
    """Return what `values_of` reads."""
    return b"".join(map(VALUE.pack, values))


def days_of(window: bytes) -> list[tuple[int, float]]:
    """Return the days in ``window`` with their values, in their order."""
    return [(day, value) for day, value in DAY.iter_unpack(window)]


def mark_of(name: str) -> bytes:
    """Return what `known` calls ``name``: eight bytes, however long it is."""
    return hashlib.blake2b(name.encode(), digest_size=8).digest()


def known(marks: bytes) -> dict[bytes, Microseconds]:
    """Return until when each mark is known, in their order."""
    return dict(KNOWN.iter_unpack(marks))


def pack_known(marks: dict[bytes, Microseconds]) -> bytes:
    """Return what `known` reads."""
    return b"".join(KNOWN.pack(mark, until) for mark, until in marks.items())


def standing(events: bytes) -> dict[str, Microseconds]:
    """Return the events that hold a condition, the oldest first, with the instant at which each ends by itself."""
    return _decode(events or _NONE_STANDS)


def pack_standing(events: dict[str, Microseconds]) -> bytes:
    """Return what `standing` reads; empty for none, so that it can be asked as it is."""
    return _encode(events) if events else b""

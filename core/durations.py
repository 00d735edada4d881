"""Durations as people write them in rule files: ``45s``, ``5m``, ``1h``."""

from typing import Annotated

from msgspec import Meta

PATTERN = r"^[1-9][0-9]{0,8}(ms|s|m|h|d)$"
Duration = Annotated[str, Meta(pattern=PATTERN, description="A whole number with its unit: 500ms, 45s, 5m, 1h or 2d.")]

_MICROSECONDS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


def microseconds(duration: str | None) -> int:
    """Return ``duration`` (one that matches `PATTERN`) in microseconds; no duration is 0."""
    if duration is None:
        return 0
    number = duration.rstrip("mshd")
    return int(number) * _MICROSECONDS[duration[len(number) :]]

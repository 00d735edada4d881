"""How many calls may come from one code on a wall, and from one address. It slows abuse, and never a first call.

What is open costs nothing: a tap then joins the call that is there. What is forgotten (a restart, a full memory, a
clock that was set back) always counts for the caller.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

# What one home is given of IPv6; by IPv4 a whole mobile network may stand behind one address.
_IPV6_HOME_BITS = 64
_REMEMBERED = 10_000


class Limits(Struct, frozen=True):
    """How much is let through. A lift that traps people six times within an hour is no longer helped by a page."""

    window: timedelta = timedelta(hours=1)
    per_point: int = 6
    """New calls of one point within the window."""
    per_address: int = 12
    """Calls from one address within the window, over all points, that were not the first of their point."""
    repeat_window: timedelta = timedelta(minutes=1)
    repeats: int = 20
    """Taps on one point while its call is open that are written down within the repeat window."""


class Reason(StrEnum):
    """Why a tap is let through, or not."""

    FIRST = "first"
    """The point has raised no call within the window: never held up."""
    OPEN = "open"
    """A call is open there, and the tap joins it."""
    REPEATED = "repeated"
    """So many taps that this one is answered with the open call and not written down."""
    WITHIN = "within"
    POINT_LIMIT = "point_limit"
    ADDRESS_LIMIT = "address_limit"


REFUSED = (Reason.POINT_LIMIT, Reason.ADDRESS_LIMIT)


class Verdict(Struct, frozen=True):
    """What becomes of a tap; where it is refused, after how long one may be let through again."""

    reason: Reason
    retry_after: timedelta = timedelta(0)

    @property
    def admitted(self) -> bool:
        """Whether the tap reaches people."""
        return self.reason not in REFUSED


class Throttle:
    """Remembers taps for as long as they count. ``address`` is as `network_of` gives it; empty is never limited."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._points = _Instants(self._limits.window)
        self._addresses = _Instants(self._limits.window)
        self._repeats = _Instants(self._limits.repeat_window)

    def judge(self, point: str, address: str, now: datetime, *, open_call: bool) -> Verdict:
        """Say what becomes of a tap at ``now``; ``open_call`` tells whether a call is open at the point's place."""
        limits = self._limits
        if open_call:
            repeated = len(self._repeats.of(point, now)) >= limits.repeats
            return Verdict(Reason.REPEATED if repeated else Reason.OPEN)
        raised = self._points.of(point, now)
        if not raised:
            return Verdict(Reason.FIRST)
        if len(raised) >= limits.per_point:
            return Verdict(Reason.POINT_LIMIT, raised[-limits.per_point] + limits.window - now)
        raised = self._addresses.of(address, now) if address else []
        if len(raised) >= limits.per_address:
            return Verdict(Reason.ADDRESS_LIMIT, raised[-limits.per_address] + limits.window - now)
        return Verdict(Reason.WITHIN)

    def count(self, point: str, address: str, now: datetime, *, new: bool) -> None:
        """Remember a tap that raised a ``new`` call, or was joined into an open one."""
        if not new:
            self._repeats.add(point, now)
            return
        # Whoever shares an address with many would else be held up by what others call for.
        if address and self._points.of(point, now):
            self._addresses.add(address, now)
        self._points.add(point, now)


class _Instants:
    """For each name its instants within a window, oldest first; the names heard of longest ago are forgotten first."""

    def __init__(self, window: timedelta) -> None:
        self._window = window
        self._kept: OrderedDict[str, list[datetime]] = OrderedDict()

    def of(self, name: str, now: datetime) -> list[datetime]:
        return list(self._counting(name, now))

    def add(self, name: str, now: datetime) -> None:
        self._kept[name] = [*self._counting(name, now), now]
        self._kept.move_to_end(name)
        while len(self._kept) > _REMEMBERED:
            self._kept.popitem(last=False)

    def _counting(self, name: str, now: datetime) -> Iterator[datetime]:
        return (at for at in self._kept.get(name, ()) if now - self._window < at <= now)


def network_of(host: str | None) -> str:
    """Return what stands for one caller's connection: an IPv4 address, the home's part of an IPv6 address.

    Empty for what is no address, which is never limited.
    """
    try:
        address = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((address, _IPV6_HOME_BITS), strict=False))
    return str(address)

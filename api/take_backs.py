"""Who took calls back lately: a mark on the next call from there, for people to judge by.

No call is ever refused or held back by it. Whoever plays with a code can change phone and network, and somebody trapped
may share both with them; so a limit would keep out the trapped, not the player. What bounds a player stands elsewhere:
one call at a time is open at a place, a new one needs somebody on duty to have closed the one before, taps and
take-backs of one call are written once and page a bounded number of times (`emergency.steps`), a code can be revoked.

What is forgotten (a restart, a full memory) counts for the caller.
"""

import ipaddress
from collections import OrderedDict
from datetime import datetime, timedelta

from msgspec import Struct

from emergency.model import TakenBack

# What one home is given of IPv6; by IPv4 a whole mobile network may stand behind one address.
_IPV6_HOME_BITS = 64
_NAMES_KEPT = 10_000
_INSTANTS_KEPT = 100
WINDOW = timedelta(hours=1)


class Tapper(Struct, frozen=True):
    """What is known of who taps; each part may be empty. ``network`` is as `network_of` gives it."""

    point: str
    network: str
    page: str


class TakeBacks:
    """Remembers take-backs for as long as they count."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], list[datetime]] = OrderedDict()

    def add(self, tapper: Tapper, now: datetime) -> None:
        """Remember that ``tapper`` took a call back."""
        for name in _names(tapper):
            self._kept[name] = [*self._counting(name, now), now][-_INSTANTS_KEPT:]
            self._kept.move_to_end(name)
        while len(self._kept) > _NAMES_KEPT:
            self._kept.popitem(last=False)

    def before(self, tapper: Tapper, now: datetime) -> TakenBack:
        """Return how many were taken back within the hour before ``now``, by what is known of ``tapper``."""
        return TakenBack(**{kind: len(self._counting((kind, value), now)) for kind, value in _names(tapper)})

    def _counting(self, name: tuple[str, str], now: datetime) -> list[datetime]:
        return [at for at in self._kept.get(name, ()) if now - WINDOW < at <= now]


def _names(tapper: Tapper) -> list[tuple[str, str]]:
    known = {"code": tapper.point, "network": tapper.network, "phone": tapper.page}
    return [(kind, value) for kind, value in known.items() if value]


def network_of(host: str | None) -> str:
    """Return what stands for one caller's connection: an IPv4 address, the home's part of an IPv6 address.

    Empty for what is no address.
    """
    try:
        address = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((address, _IPV6_HOME_BITS), strict=False))
    return str(address)

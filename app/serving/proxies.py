"""Which hosts are believed when they name another client: the reverse proxies before the API."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network


class TrustedProxies:
    """Tells whether a host is a trusted proxy; ``networks`` are addresses or networks, or ``*`` for every host."""

    def __init__(self, networks: Sequence[str]) -> None:
        self.networks = list(networks)
        self._all = "*" in networks
        self._parsed = [parsed for network in networks if (parsed := _parsed(network))]
        self.include = lru_cache(4096)(self._include)

    def _include(self, host: str) -> bool:
        if self._all:
            return True
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._parsed)


def _parsed(network: str) -> IPv4Network | IPv6Network | None:
    """Return ``network``, or `None` for what is no address: the variable of uvicorn's may name a Unix socket."""
    try:
        return ip_network(network, strict=False)
    except ValueError:
        return None

"""STUN and TURN servers for a voice, with credentials that run out (pure)."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.voice import IceServer

# Checked by the TURN server when an allocation is made or renewed: longer than any rescue, shorter than a day.
CREDENTIAL_LIFE = timedelta(hours=12)


@dataclass(frozen=True)
class IceSettings:
    """Which servers pages are told of; none are needed where both ends are on one network."""

    stun: tuple[str, ...] = ()
    turn_url: str = ""
    turn_secret: str = ""


def turn_credentials(secret: str, name: str, until: datetime) -> tuple[str, str]:
    """Return user name and password for a TURN server that shares ``secret``; it takes them until ``until``.

    The user name is the time in seconds since 1970, a colon, and ``name``; the password the HMAC-SHA1 of it, in
    base64: "A REST API For Access To TURN Services" (draft-uberti-behave-turn-rest), coturn's ``use-auth-secret``.
    """
    username = f"{int(until.timestamp())}:{name}"
    # SHA-1 is what the protocol names; as a keyed hash it is still sound.
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return username, base64.b64encode(digest).decode()


def ice_servers(settings: IceSettings, name: str, now: datetime) -> tuple[IceServer, ...]:
    """Return the servers for one page; ``name`` says in the TURN server's log whose they were."""
    servers = [IceServer(list(settings.stun))] if settings.stun else []
    if settings.turn_url:
        username, credential = turn_credentials(settings.turn_secret, name, now + CREDENTIAL_LIFE)
        servers.append(IceServer([settings.turn_url], username, credential))
    return tuple(servers)

"""A link in a weekly test by which its person says that it arrived: signed, so that nobody needs to sign in."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import msgspec

from alerts.dispatch.model import Intent, Purpose
from alerts.notify.book import ClosableMessenger

# 96 bits: nobody guesses it, and the link still fits into an SMS.
_SIGNATURE_BYTES = 12
_INSTANT_BYTES = 5
_NAME_LIMIT = 64


class ConfirmLinks:
    """Makes and reads the links. ``key`` is secret; ``base_url`` is where people reach Anju, empty for nowhere."""

    def __init__(self, key: bytes, base_url: str | None) -> None:
        self._key = key
        self._base_url = base_url

    def link_to(self, intent: Intent) -> str:
        """Return the link for a test that a person gets, empty for all else and without a public address."""
        if self._base_url is None or intent.purpose is not Purpose.TEST or not intent.person:
            return ""
        return f"{self._base_url.rstrip('/')}/t/{self.token(intent.person, intent.at)}"

    def token(self, person: str, sent_at: datetime) -> str:
        """Return what stands for the test that ``person`` was sent in the second of ``sent_at``."""
        instant = int(sent_at.timestamp()).to_bytes(_INSTANT_BYTES, "big")
        signed = instant + self._signature(person, instant)
        return f"{person}.{base64.urlsafe_b64encode(signed).rstrip(b'=').decode()}"

    def read(self, token: str) -> tuple[str, datetime] | None:
        """Return whose test it was and when it was sent (to the second), ``None`` for what we did not make."""
        person, _, text = token.rpartition(".")
        try:
            signed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return None
        instant, signature = signed[:_INSTANT_BYTES], signed[_INSTANT_BYTES:]
        if not 0 < len(person) <= _NAME_LIMIT or not hmac.compare_digest(signature, self._signature(person, instant)):
            return None
        return person, datetime.fromtimestamp(int.from_bytes(instant, "big"), UTC)

    def _signature(self, person: str, instant: bytes) -> bytes:
        told = b"weekly-test\0" + person.encode("utf-8", "surrogateescape") + b"\0" + instant
        return hmac.digest(self._key, told, hashlib.sha256)[:_SIGNATURE_BYTES]


class ConfirmingMessenger:
    """Gives each weekly test its link on the way out; implements ``alerts.ports.Messenger`` over ``messenger``."""

    def __init__(self, messenger: ClosableMessenger, links: ConfirmLinks) -> None:
        self._messenger = messenger
        self._links = links

    async def deliver(self, intent: Intent) -> str:
        """Hand over ``intent``, with the same link each time."""
        link = self._links.link_to(intent)
        return await self._messenger.deliver(msgspec.structs.replace(intent, confirm=link) if link else intent)

    async def close(self) -> None:
        """Close what is behind it."""
        await self._messenger.close()

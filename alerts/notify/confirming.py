"""Links in messages by which whoever got them answers: signed, so that nobody needs to sign in.

Of a weekly test that it arrived; of an emergency call that they are on the way, cannot come, or are on site.
"""

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
_TOKEN_LIMIT = 256


class ConfirmLinks:
    """Makes and reads the links. ``key`` is secret; ``base_url`` is where people reach Anju, empty for nowhere."""

    def __init__(self, key: bytes, base_url: str | None) -> None:
        self._key = key
        self._base_url = base_url

    def link_to(self, intent: Intent) -> str:
        """Return the link for a test, or a page of a call, that a person gets; empty for all else.

        A topic or a group chat that no person is named for gets none: whoever reads along could answer.
        """
        if self._base_url is None or not intent.person:
            return ""
        base_url = self._base_url.rstrip("/")
        if intent.call is not None:
            return f"{base_url}/r/{self.reply_token(intent.incident, intent.person)}"
        return f"{base_url}/t/{self.token(intent.person, intent.at)}" if intent.purpose is Purpose.TEST else ""

    def reply_token(self, call_id: str, name: str) -> str:
        """Return what lets ``name`` answer to the call ``call_id``, for as long as that is open."""
        told = b"call-reply\0" + call_id.encode() + b"\0" + name.encode()
        signature = hmac.digest(self._key, told, hashlib.sha256)[:_SIGNATURE_BYTES]
        return f"{call_id}.{name}.{base64.urlsafe_b64encode(signature).decode()}"

    def read_reply(self, token: str) -> tuple[str, str] | None:
        """Return which call it is of, and who answers; ``None`` for what we did not make."""
        call_id, _, rest = token.partition(".")
        name = rest.rpartition(".")[0]
        if not name or len(token) > _TOKEN_LIMIT or not token.isascii():
            return None
        return (call_id, name) if hmac.compare_digest(token, self.reply_token(call_id, name)) else None

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
    """Puts links into tests and pages of calls on their way out: ``alerts.ports.Messenger`` over ``messenger``."""

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

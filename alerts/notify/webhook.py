"""Notifications to a program: a signed HTTP POST of the notification's document."""

from datetime import tzinfo

from alerts.dispatch.model import Intent
from alerts.notify.addresses import webhook_address
from alerts.notify.document import body_of
from alerts.notify.posting import WHOLE_SECONDS, Poster
from alerts.notify.signature import sign
from core.clock import Clock
from core.errors import PermanentError

SHORTEST_SECRET = 16


class WebhookMessenger:
    """Implements ``alerts.ports.Messenger`` over HTTP, see docs/how-to/receive-webhooks.md.

    Redirects are not followed: they would carry alerts to an address that nobody wrote down. Raises `PermanentError`
    when made with an address or a secret that cannot be used.
    """

    def __init__(
        self,
        url: str,
        secret: str,
        *,
        zone: tzinfo,
        base_url: str | None,
        clock: Clock,
        whole_seconds: float = WHOLE_SECONDS,
    ) -> None:
        self._address = webhook_address(url)
        name = f"webhook {self._address.host}"
        if len(secret) < SHORTEST_SECRET:
            raise PermanentError(f"{name}: a secret of {len(secret)} characters; expected {SHORTEST_SECRET} or more")
        self._secret = secret
        self._zone = zone
        self._base_url = base_url
        self._clock = clock
        self._poster = Poster(name, clock, whole_seconds)

    async def deliver(self, intent: Intent) -> str:
        """POST ``intent`` and return the answer's status, as the port says."""
        body = body_of(intent, self._zone, self._base_url)
        return self._poster.judged(await self._poster.post(self._address, body, self._headers(intent, body)))

    async def close(self) -> None:
        """Close the connections; deliveries under way fail as temporary."""
        await self._poster.close()

    def _headers(self, intent: Intent, body: bytes) -> dict[str, str]:
        timestamp = int(self._clock.now().timestamp())
        return {
            "Content-Type": "application/json",
            "Anju-Id": intent.id,
            "Anju-Timestamp": str(timestamp),
            "Anju-Signature": sign(self._secret, timestamp, body),
        }

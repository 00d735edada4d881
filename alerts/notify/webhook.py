"""Notifications to a program: a signed HTTP POST of the notification's document."""

import asyncio
from datetime import tzinfo

import httpx

from alerts.dispatch.model import Intent
from alerts.notify.addresses import webhook_address
from alerts.notify.document import body_of
from alerts.notify.errors import TryLater, asked_pause
from alerts.notify.signature import sign
from core.clock import Clock
from core.errors import PermanentError, TemporaryError

# A receiver that needs longer should take the message and work on it afterwards.
CONNECT_SECONDS = 5.0
WHOLE_SECONDS = 10.0
MOST_ANSWER_BYTES = 64 * 1024
SHORTEST_SECRET = 16
# Answers after which the same message may be taken later; any other 4xx is a refusal for good (RFC 9110).
_TEMPORARY = frozenset({408, 425, 429})


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
        if len(secret) < SHORTEST_SECRET:
            raise PermanentError(
                f"{self._name}: a secret of {len(secret)} characters; expected {SHORTEST_SECRET} or more"
            )
        self._secret = secret
        self._zone = zone
        self._base_url = base_url
        self._clock = clock
        self._whole_seconds = whole_seconds
        self._client: httpx.AsyncClient | None = None

    @property
    def _name(self) -> str:
        return f"webhook {self._address.host}"

    async def deliver(self, intent: Intent) -> str:
        """POST ``intent`` and return the answer's status, as the port says."""
        body = body_of(intent, self._zone, self._base_url)
        try:
            async with asyncio.timeout(self._whole_seconds):
                answer = await self._post(body, self._headers(intent, body))
        except TimeoutError as error:
            raise TemporaryError(f"{self._name}: no answer within {self._whole_seconds:g} s") from error
        except httpx.TransportError as error:
            # Its text may name the URL, and so a secret in the path.
            raise TemporaryError(f"{self._name}: {type(error).__name__}") from error
        return self._judged(answer)

    async def close(self) -> None:
        """Close the connections; deliveries under way fail as temporary."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _headers(self, intent: Intent, body: bytes) -> dict[str, str]:
        timestamp = int(self._clock.now().timestamp())
        return {
            "Content-Type": "application/json",
            "User-Agent": "Anju",
            "Anju-Id": intent.id,
            "Anju-Timestamp": str(timestamp),
            "Anju-Signature": sign(self._secret, timestamp, body),
        }

    async def _post(self, body: bytes, headers: dict[str, str]) -> httpx.Response:
        if self._client is None:
            self._client = _new_client(self._whole_seconds)
        async with self._client.stream("POST", self._address, content=body, headers=headers) as answer:
            read = 0
            async for chunk in answer.aiter_raw():
                read += len(chunk)
                if read > MOST_ANSWER_BYTES:
                    # Leaving early closes the connection; what the answer says beyond its status is not needed.
                    break
            return answer

    def _judged(self, answer: httpx.Response) -> str:
        said = f"{self._name}: answered {answer.status_code} {answer.reason_phrase}".rstrip()
        if answer.is_success:
            return said
        if answer.status_code in _TEMPORARY or answer.status_code >= 500:
            raise TryLater(said, asked_pause(answer.headers.get("Retry-After"), self._clock.now()))
        if answer.is_redirect:
            raise PermanentError(f"{said}; redirects are not followed, expected the final address")
        raise PermanentError(said)


def _new_client(whole_seconds: float) -> httpx.AsyncClient:
    timeout = httpx.Timeout(whole_seconds, connect=min(CONNECT_SECONDS, whole_seconds))
    # Without the environment: a .netrc or a proxy meant for other programs would see what is sent.
    return httpx.AsyncClient(timeout=timeout, follow_redirects=False, trust_env=False)

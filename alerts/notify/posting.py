"""One HTTP POST, bounded in time and size, with the library's failures as ours."""

import asyncio

import httpx
from msgspec import Struct

from alerts.notify.errors import TryLater, asked_pause
from core.clock import Clock
from core.errors import PermanentError, TemporaryError

# A receiver that needs longer should take the message and work on it afterwards.
CONNECT_SECONDS = 5.0
WHOLE_SECONDS = 10.0
MOST_ANSWER_BYTES = 64 * 1024
# Answers after which the same message may be taken later; any other 4xx is a refusal for good (RFC 9110).
_TEMPORARY = frozenset({408, 425, 429})


class Answer(Struct, frozen=True):
    """What came back; ``body`` is cut at `MOST_ANSWER_BYTES`."""

    status: int
    reason: str
    retry_after: str | None
    body: bytes


class Poster:
    """POSTs to one receiver, called ``name`` in errors; keeps the connection. Redirects are not followed."""

    def __init__(self, name: str, clock: Clock, whole_seconds: float = WHOLE_SECONDS) -> None:
        self.name = name
        self._clock = clock
        self._whole_seconds = whole_seconds
        self._client: httpx.AsyncClient | None = None

    async def post(self, address: httpx.URL, body: bytes, headers: dict[str, str]) -> Answer:
        """Return the answer, whatever it says. Raises `TemporaryError` when there is none."""
        try:
            async with asyncio.timeout(self._whole_seconds):
                return await self._post(address, body, headers)
        except TimeoutError as error:
            raise TemporaryError(f"{self.name}: no answer within {self._whole_seconds:g} s") from error
        except httpx.TransportError as error:
            # Its text may name the URL, and so a secret in the path.
            raise TemporaryError(f"{self.name}: {type(error).__name__}") from error

    async def close(self) -> None:
        """Close the connections; deliveries under way fail as temporary."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _post(self, address: httpx.URL, body: bytes, headers: dict[str, str]) -> Answer:
        if self._client is None:
            self._client = _new_client(self._whole_seconds)
        async with self._client.stream("POST", address, content=body, headers=headers) as answer:
            read = b""
            async for chunk in answer.aiter_raw():
                read += chunk
                if len(read) > MOST_ANSWER_BYTES:
                    # Leaving early closes the connection.
                    break
            retry_after = answer.headers.get("Retry-After")
            return Answer(answer.status_code, answer.reason_phrase, retry_after, read[:MOST_ANSWER_BYTES])

    def judged(self, answer: Answer) -> str:
        """Return what a success says; raises `TemporaryError` or `PermanentError` by the status of anything else."""
        said = f"{self.name}: answered {answer.status} {answer.reason}".rstrip()
        if 200 <= answer.status < 300:
            return said
        if answer.status in _TEMPORARY or answer.status >= 500:
            raise TryLater(said, asked_pause(answer.retry_after, self._clock.now()))
        if 300 <= answer.status < 400:
            raise PermanentError(f"{said}; redirects are not followed, expected the final address")
        raise PermanentError(said)


def _new_client(whole_seconds: float) -> httpx.AsyncClient:
    timeout = httpx.Timeout(whole_seconds, connect=min(CONNECT_SECONDS, whole_seconds))
    # Without the environment: a .netrc or a proxy meant for other programs would see what is sent.
    return httpx.AsyncClient(timeout=timeout, follow_redirects=False, trust_env=False)

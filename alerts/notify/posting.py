"""One HTTP POST, bounded in time and size, with the library's failures as ours."""

import asyncio
import ssl
from functools import cache

import aiohttp
import certifi
import httpx
from msgspec import Struct
from yarl import URL

from alerts.notify.errors import TryLater, asked_pause
from core.clock import Clock
from core.errors import PermanentError, TemporaryError

# A receiver that needs longer should take the message and work on it afterwards.
CONNECT_SECONDS = 5.0
WHOLE_SECONDS = 10.0
MOST_ANSWER_BYTES = 64 * 1024
_KEPT_IDLE_SECONDS = 2.0
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
        self._session: aiohttp.ClientSession | None = None

    async def post(self, address: httpx.URL, body: bytes, headers: dict[str, str]) -> Answer:
        """Return the answer, whatever it says. Raises `TemporaryError` when there is none."""
        try:
            async with asyncio.timeout(self._whole_seconds):
                return await self._post(address, body, headers)
        except aiohttp.ClientError as error:
            # Its text may name the URL, and so a secret in the path.
            raise TemporaryError(f"{self.name}: {type(error).__name__}") from error
        except TimeoutError as error:
            raise TemporaryError(f"{self.name}: no answer within {self._whole_seconds:g} s") from error

    async def close(self) -> None:
        """Close the connections; deliveries under way fail as temporary."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _post(self, address: httpx.URL, body: bytes, headers: dict[str, str]) -> Answer:
        if self._session is None:
            self._session = _new_session(self._whole_seconds)
        url = URL(str(address), encoded=True)
        async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            read = b""
            async for chunk in answer.content.iter_any():
                read += chunk
                if len(read) > MOST_ANSWER_BYTES:
                    # Leaving early closes the connection.
                    break
            retry_after = answer.headers.get("Retry-After")
            return Answer(answer.status, answer.reason or "", retry_after, read[:MOST_ANSWER_BYTES])

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


def _new_session(whole_seconds: float) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        # A server may close what idles for a few seconds, and a POST that meets that is not repeated at once.
        connector=aiohttp.TCPConnector(ssl=_tls(), keepalive_timeout=_KEPT_IDLE_SECONDS),
        # `post` bounds the whole.
        timeout=aiohttp.ClientTimeout(sock_connect=min(CONNECT_SECONDS, whole_seconds)),
        # What a receiver sets as a cookie is none of the next one's business.
        cookie_jar=aiohttp.DummyCookieJar(),
        # An answer in a coding that cannot be read is an answer all the same: the message was taken.
        auto_decompress=False,
        headers={"User-Agent": "Anju", "Accept-Encoding": "identity"},
        # Without the environment: a .netrc or a proxy meant for other programs would see what is sent.
        trust_env=False,
    )


@cache
def _tls() -> ssl.SSLContext:
    """Return the authorities that are believed, read once: reading them takes some 20 ms."""
    return ssl.create_default_context(cafile=certifi.where())

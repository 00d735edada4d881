"""The live streams: what happens as server-sent events that resume without loss or doubling.

Format and reconnecting are those of the WHATWG HTML standard, section "Server-sent events".
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from api.feed import Feed, Frame, backoff_seconds, comes
from core.errors import TemporaryError

# Proxies cut connections that are silent for 30 to 60 s.
HEARTBEAT_SECONDS = 15.0
_RETRY_MILLISECONDS = 2_000


@dataclass(frozen=True)
class Wanted:
    """What a client wants to see; ``None`` does not narrow."""

    community: str | None = None
    kind: str | None = None
    call: str | None = None
    drill: bool | None = None

    def matches(self, frame: Frame) -> bool:
        """Tell whether ``frame`` is for this client."""
        wanted = {"community": self.community, "kind": self.kind, "call": self.call, "drill": _said(self.drill)}
        return all(word in (None, frame.labels.get(label)) for label, word in wanted.items())


def _said(flag: bool | None) -> str | None:
    return None if flag is None else str(flag).lower()


async def follow(
    feed: Feed, begin: int, wanted: Wanted, heartbeat_seconds: float = HEARTBEAT_SECONDS
) -> AsyncIterator[bytes]:
    """Yield pieces of an event stream from behind the sequence ``begin`` until ``feed`` closes.

    The first piece and every heartbeat carry an id without an event, so that a client that comes again resumes from
    there even if nothing of interest to it has happened.
    """
    sequence, failures = begin, 0
    yield f"retry: {_RETRY_MILLISECONDS}\nid: {sequence}\n\n".encode()
    while not feed.closed:
        changed = feed.changed
        try:
            frames = await feed.since(sequence)
            failures = 0
        except TemporaryError:
            failures += 1
            await comes(changed, backoff_seconds(failures))
            continue
        if frames:
            sequence = frames[-1].sequence
            if piece := b"".join(frame.encoded for frame in frames if wanted.matches(frame)):
                yield piece
        elif not await comes(changed, heartbeat_seconds):
            yield f": heartbeat\nid: {sequence}\n\n".encode()


class EventStream(Response):
    """Sends what `follow` yields until the client leaves or the feed closes."""

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, begin: int, wanted: Wanted) -> None:
        # no-transform and X-Accel-Buffering: proxies must neither compress nor collect events.
        super().__init__(headers={"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._feed = feed
        self._begin = begin
        self._wanted = wanted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        with self._feed.listening():
            sending = asyncio.create_task(self._send(send), name="stream.send")
            leaving = asyncio.create_task(_disconnected(receive), name="stream.leave")
            try:
                await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            finally:
                await _cancel(sending, leaving)
            if not sending.cancelled():
                sending.result()

    async def _send(self, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for piece in follow(self._feed, self._begin, self._wanted):
                await send(_body(piece, more=True))
            await send(_body(b"", more=False))
        except OSError:
            return  # The client has left: ASGI servers say so by an OSError from `send`.


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _body(piece: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": more}

"""What the API needs from the outside about calls: reads, the QR codes on the walls, the codes of controllers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from emergency.model import Call, CallFilter, CallPoint, EventRow, KeptCode, PageRow, ScannedCode


class CallReader(Protocol):
    """Reads on the calls. Everything raises `TemporaryError`; a call whose record is damaged is returned rebuilt."""

    async def call(self, call_id: str) -> Call | None:
        """Return one call."""
        ...

    async def calls(self, matching: CallFilter, before: int | None, limit: int) -> list[Call]:
        """Return calls, newest number first, with numbers below ``before``."""
        ...

    async def events(self, call_id: str) -> list[EventRow]:
        """Return a call's history in order."""
        ...

    async def pages(self, call_id: str) -> list[PageRow]:
        """Return whom the call was told to, in the order decided, as long as the outbox keeps it."""
        ...

    async def events_after(self, number: int, limit: int) -> list[EventRow]:
        """Return events of all calls with numbers above ``number``, in order; a number never appears late."""
        ...

    async def last_event(self) -> int:
        """Return the newest event's number, 0 when there is none."""
        ...


class CallPoints(Protocol):
    """The QR codes on the walls. Everything raises `TemporaryError`."""

    async def by_token(self, token: str) -> ScannedCode | None:
        """Return what the token leads to, one that has ended as well.

        ``None`` where it is unknown, or its point was removed.
        """
        ...

    async def point(self, point_id: str) -> CallPoint | None:
        """Return one, removed ones too."""
        ...

    async def points(self, community: str | None) -> Sequence[CallPoint]:
        """Return those that were not removed, by id."""
        ...

    async def put(self, point: CallPoint, actor: str, now: datetime, *, former_until: datetime | None = None) -> None:
        """Keep ``point`` in place of its former version; the token of its generation leads to it from then on.

        Tokens of former generations stay known. With ``former_until`` they end then, unless they end earlier.
        """
        ...


class ControllerCodes(Protocol):
    """The codes that stand on the controllers of lifts: who knows one is at the installation.

    They are kept so that nobody can read them back. Everything raises `TemporaryError`.
    """

    async def set_code(self, path: str, code: str, actor: str, now: datetime) -> None:
        """Keep ``code`` for the lift ``path``, in place of its former one."""
        ...

    async def kept(self, path: str) -> KeptCode | None:
        """Return who set the code of the lift ``path``; ``None`` when none is kept for it."""
        ...

    async def code_matches(self, path: str, code: str) -> bool | None:
        """Tell whether ``code`` is that of the lift ``path``; ``None`` when none is kept for it."""
        ...

"""What the emergency service needs from the outside."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from emergency.model import (
    Call,
    CallEvent,
    CallFilter,
    CallPoint,
    EventRow,
    OwnAlert,
    Page,
    PageRow,
    Place,
    ScannedCode,
)


class CallCommit(Struct, frozen=True):
    """All that follows from one act: stored in one transaction, or not at all.

    ``call.version`` is the new version. Its predecessor (0: none) must be what is stored, and for a new call no other
    may be open at the same ``place.key`` with the same ``drill``; else `Stale`. ``key`` is the caller's idempotency
    key, unique for ever, and `Stale` when it was used before; empty for none. A page with an ``id`` that is there
    already is that page; an own alert that fires already, or has ended, is passed over.
    """

    call: Call
    events: tuple[CallEvent, ...]
    pages: tuple[Page, ...] = ()
    alerts: tuple[OwnAlert, ...] = ()
    key: str = ""


class Followed(Struct, frozen=True):
    """That the timelines of alerts were followed up to ``sequence``, from ``before``."""

    before: int
    sequence: int


class AlertStep(Struct, frozen=True):
    """A step of the timeline of an alert that may concern a call."""

    sequence: int
    alert: str
    rule: str
    device: str
    """Path of the device."""
    kind: str
    at: datetime


class CallRecords(Protocol):
    """Where calls are kept. Everything raises `TemporaryError` when the records are away.

    Any number of writers: versions keep them apart. Reads see every commit that has returned.
    """

    async def commit(self, commits: Sequence[CallCommit], followed: Followed | None = None) -> None:
        """Store all of ``commits`` in one transaction; numbers of calls and events are given here, in order.

        Raises `Stale` where a call or the followed sequence is not what the committer believes; nothing is stored then.
        After a `TemporaryError` it may have been stored all the same: repeated, it is `Stale` then.
        """
        ...

    async def call(self, call_id: str) -> Call | None:
        """Return one call."""
        ...

    async def by_key(self, key: str) -> Call | None:
        """Return the call that was raised, or joined, with this idempotency key."""
        ...

    async def open_at(self, place_key: str, *, drill: bool) -> Call | None:
        """Return the open call at a place."""
        ...

    async def due(self, now: datetime, limit: int) -> list[Call]:
        """Return open calls whose ``next_at`` has come at ``now`` of the steady clock, the longest due first."""
        ...

    async def damaged(self) -> list[Call]:
        """Return the open calls whose records cannot be decoded, or could not once, rebuilt from what can be read.

        Every other method returns such a call rebuilt as well, with the reason in ``damaged``.
        """
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


class AlertSteps(Protocol):
    """The timelines of alerts, as far as calls hang on them. Raises `TemporaryError`."""

    async def followed(self) -> int:
        """Return the sequence up to which they have been followed."""
        ...

    async def steps(self, after: int, limit: int) -> list[AlertStep]:
        """Return steps above ``after``, in order, of the rules `emergency.watch.RULES`; empty at the end."""
        ...

    async def last_sequence(self) -> int:
        """Return the newest step's sequence, whatever its rule.

        Ask before `steps`: where that is empty then, all up to this one were looked at.
        """
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


class KeptCode(Struct, frozen=True):
    """That a code is kept for a lift: who set it, and when."""

    actor: str
    at: datetime


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


class Recipient(Struct, frozen=True):
    """One receiver of the notification plan, and who is meant; ``person`` is empty for a receiver named itself."""

    receiver: str
    person: str = ""


class Directory(Protocol):
    """Who stands behind a target, now. Raises `TemporaryError`."""

    async def resolve(self, targets: Sequence[str], now: datetime, *, rota_only: bool) -> Sequence[Recipient]:
        """Return the receivers of ``rota:NAME``, ``person:NAME`` and ``receiver:NAME`` at ``now``, each once.

        Unknown names are left out: somebody who can be told must be told, whatever else is wrong with the plan.
        With ``rota_only`` everything but rotas is left out.
        """
        ...


class Standing(Struct, frozen=True):
    """How well lifts are known: those in the registry, and since when others have been heard, by path."""

    registered: Collection[str] = frozenset()
    first_heard: Mapping[str, datetime] = {}


class Places(Protocol):
    """What is known of a place. Never raises: a call goes out with what there is."""

    async def of_lift(self, path: str) -> Place:
        """Return the place of a lift: names, building, rescue code, contractor, and what it last said."""
        ...


class KnownLifts(Places, Protocol):
    """What is known of lifts, and how well. Never raises."""

    async def standing(self, paths: Collection[str]) -> Standing:
        """Return how well lifts are known."""
        ...

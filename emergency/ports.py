"""What the emergency service needs from the outside."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from emergency.model import Call, CallEvent, CallFilter, OwnAlert, Page, Place


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
    late: str = ""
    """Where it tells of what arrived late: when that happened, in both languages."""


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

"""What the test itself saw on the day of calls: acts with their answers, pages as people got them, what was down when.

All instants are seconds of the test's own clock, which nobody sets; `Day.back` turns what Anju shows into them.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.integration.webhook_receiver import Answer, Request

JUMP_SECONDS = 2 * 3_600
# An instant that is shown lies within so long before the day; the day and the longest wait, within the rest of a jump.
_BEFORE_SECONDS = 1_800.0
LONGEST_DAY_SECONDS = 3_000.0
# A second for libfaketime's cache of the clock is not needed: a shown instant is off by whole jumps, or not at all.
ROUNDED_SECONDS = 0.1
BUSY_SECONDS = 5.0
"""What a look, a commit, or a page may be late on a machine that others use too."""
RETRY_SECONDS = 12.0
"""After a failure a page of a call is tried again within 10 s."""
Json = dict[str, Any]


@dataclass
class Act:
    """Something that somebody did: ``lost`` where an attempt before the one that was answered may have done it."""

    call: str
    name: str
    actor: str
    began: float
    ended: float
    status: int
    lost: bool
    said: Json = field(default_factory=dict)
    answer: Json = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return 200 <= self.status < 300

    def covers(self, instant: float) -> bool:
        """Tell whether it was under way at ``instant``."""
        return self.began - ROUNDED_SECONDS <= instant <= self.ended + ROUNDED_SECONDS


@dataclass(frozen=True)
class Seen:
    """How an open call stood when the API was asked between ``began`` and ``ended``."""

    began: float
    ended: float
    call: Json


@dataclass(frozen=True)
class Told:
    """A page as a receiver accepted it."""

    at: float
    request: Request


@dataclass(frozen=True)
class Said:
    """An event that a lift sent, once it was handed to its session with the broker."""

    at: float
    lift: str
    kind: str


@dataclass
class Outages:
    """When something was away."""

    times: list[tuple[float, float]] = field(default_factory=list)
    _since: float | None = None

    def begin(self) -> None:
        self._since = time.time() if self._since is None else self._since

    def end(self) -> None:
        if self._since is not None:
            self.times.append((self._since, time.time()))
        self._since = None

    def within(self, since: float, until: float, after: float = 0.0) -> float:
        """Return for how many seconds of that time it was away, or had come back less than ``after`` ago."""
        return sum(max(0.0, min(until, ended + after) - max(since, began)) for began, ended in self.times)


class Day:
    """Everything that was recorded; written by many threads."""

    def __init__(self) -> None:
        self.began = time.time()
        self.acts: list[Act] = []
        self.seen: list[Seen] = []
        self.said: list[Said] = []
        self.told: list[Told] = []
        self.down = Outages()
        """The process."""
        self.deaf: dict[str, Outages] = defaultdict(Outages)
        """Receivers, by name."""
        self.refusing: set[str] = set()
        self.links: dict[str, dict[str, str]] = defaultdict(dict)
        """By call and person: the link by which they answer."""
        self._lock = threading.Lock()

    def add(self, act: Act) -> Act:
        with self._lock:
            self.acts.append(act)
        return act

    def look(self, began: float, calls: Iterable[Json]) -> None:
        ended = time.time()
        self.seen += [Seen(began, ended, call) for call in calls]

    def answer(self, request: Request) -> Answer:
        """Take a request as the phone of a person, as `tests.integration.webhook_receiver` asks for it."""
        receiver = request.path.rpartition("/")[2]
        if receiver in self.refusing:
            return Answer(503)
        self.told.append(Told(time.time(), request))
        document = request.document
        if document.get("confirm"):
            self.links[document["incident"]][document["person"]] = document["confirm"]
        return Answer()

    @staticmethod
    def instant(shown: str) -> float:
        """Return what is shown as seconds."""
        return datetime.fromisoformat(shown).timestamp()

    def back(self, shown: str) -> float:
        """Return the instant that Anju shows as ``shown``: its wall clock was set by whole jumps."""
        earliest = self.began - _BEFORE_SECONDS
        return earliest + (self.instant(shown) - earliest) % JUMP_SECONDS

    def ahead(self, shown: str) -> float:
        """Return by how much the wall clock was ahead when it showed ``shown``."""
        return self.instant(shown) - self.back(shown)

    def slack(self, since: float, until: float) -> float:
        """Return by how much what was due at ``since`` and came at ``until`` may be late."""
        return BUSY_SECONDS + self.down.within(since - BUSY_SECONDS, until)

    def telling_slack(self, receiver: str, since: float, until: float) -> float:
        """Return the same of a page on its way to ``receiver``."""
        deaf = self.deaf[receiver].within(since - BUSY_SECONDS, until, RETRY_SECONDS)
        return self.slack(since, until) + deaf + RETRY_SECONDS * bool(self.down.within(since - BUSY_SECONDS, until))

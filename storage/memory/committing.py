"""How the twins of the records take commits: each at most once, in order, and told to fail where a test wants it."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Generic, TypeVar

from alerts.dispatch.model import DeskCommit
from alerts.model import Commit
from alerts.ports import Afresh
from core.errors import Fenced, TemporaryError

_Commit = TypeVar("_Commit", Commit, DeskCommit)


class Committing(ABC, Generic[_Commit]):
    """Keeps what is committed until the process ends; ``commits`` holds each stored one, in order."""

    def __init__(self, stands_at: int = 0, states: Mapping[str, bytes] | None = None) -> None:
        self.commits: list[_Commit] = []
        self.attempts = 0
        self._stands_at = stands_at
        self._states = dict(states or {})
        self._failures: list[bool] = []
        self.aside: dict[str, tuple[bytes, str]] = {}

    def fail(self, *, times: int, stored: bool = False) -> None:
        """Let the next ``times`` commits raise `TemporaryError`; with ``stored`` only the answer gets lost."""
        self._failures += [stored] * times

    async def put_aside(self, unreadable: Mapping[str, str], afresh: Collection[Afresh]) -> None:
        """Move states that cannot be decoded into ``aside``."""
        del afresh  # A twin has no alerts beside the states.
        for key, reason in unreadable.items():
            if (state := self._states.pop(key, None)) is not None:
                self.aside[key] = state, reason

    async def commit(self, decided: _Commit) -> None:
        """Store ``decided``, as the port says."""
        self.attempts += 1
        stored = self._failures.pop(0) if self._failures else None
        if stored is not False:
            self._store(decided)
        if stored is not None:
            raise TemporaryError("records: told to fail")

    @abstractmethod
    def _span(self, decided: _Commit) -> tuple[int, int]:
        """Return where the records must stand before ``decided``, and where they stand after it."""

    @abstractmethod
    def _take(self, decided: _Commit) -> None:
        """Store what ``decided`` holds beside the states."""

    def _store(self, decided: _Commit) -> None:
        if self.commits and self.commits[-1] == decided:
            return
        before, after = self._span(decided)
        if before != self._stands_at:
            raise Fenced(f"records stand at {self._stands_at}, expected {before}")
        self.commits.append(decided)
        self._stands_at = after
        for key, state in decided.states.items():
            if state is None:
                self._states.pop(key, None)
            else:
                self._states[key] = state
        self._take(decided)

"""Alert records made of lists, for tests: they keep every commit, and can be told to fail."""

from alerts.model import Commit, Snapshot
from core.errors import Fenced, TemporaryError


class MemoryAlertRecords:
    """Implements ``alerts.ports.AlertRecords`` until the process ends; ``commits`` holds each stored one, in order."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.commits: list[Commit] = []
        self.attempts = 0
        self._position = 0 if snapshot is None else snapshot.position
        self._states: dict[str, bytes] = {} if snapshot is None else dict(snapshot.states)
        self._failures: list[bool] = []

    def fail(self, *, times: int, stored: bool = False) -> None:
        """Let the next ``times`` commits raise `TemporaryError`; with ``stored`` only the answer gets lost."""
        self._failures += [stored] * times

    async def load(self) -> Snapshot:
        """Return what is committed."""
        return Snapshot(self._position, dict(self._states))

    async def commit(self, decided: Commit) -> None:
        """Store ``decided``, as the port says."""
        self.attempts += 1
        stored = self._failures.pop(0) if self._failures else None
        if stored is not False:
            self._store(decided)
        if stored is not None:
            raise TemporaryError("records: told to fail")

    def _store(self, decided: Commit) -> None:
        if self.commits and self.commits[-1] == decided:
            return
        if decided.previous_position != self._position:
            raise Fenced(f"records stand at {self._position}, expected {decided.previous_position}")
        self.commits.append(decided)
        self._position = decided.position
        for path, state in decided.states.items():
            if state is None:
                self._states.pop(path, None)
            else:
                self._states[path] = state

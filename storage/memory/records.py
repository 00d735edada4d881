"""Alert records made of lists, for tests: they keep every commit, and can be told to fail."""

from alerts.model import Commit, Snapshot
from storage.memory.committing import Committing


class MemoryAlertRecords(Committing[Commit]):
    """Implements ``alerts.ports.AlertRecords`` until the process ends."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        known = snapshot or Snapshot(0, {})
        super().__init__(known.position, known.states)

    async def load(self) -> Snapshot:
        """Return what is committed."""
        return Snapshot(self._stands_at, dict(self._states))

    def _span(self, decided: Commit) -> tuple[int, int]:
        return decided.previous_position, decided.position

    def _take(self, decided: Commit) -> None:
        """Tests read the rest in ``commits``."""

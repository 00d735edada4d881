"""The memory of recent digests in which duplicates are found."""

from collections.abc import Iterable


class DigestWindow:
    """Remembers the newest digests, between ``capacity`` and twice as many.

    Two generations of sets rather than a queue: adding costs one set insertion, and the older half goes at once.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._newer: set[int] = set()
        self._older: set[int] = set()

    def __contains__(self, digest: int) -> bool:
        return digest in self._newer or digest in self._older

    def remember(self, digests: Iterable[int]) -> None:
        """Add ``digests``; the oldest ones may be forgotten."""
        self._newer.update(digests)
        if len(self._newer) >= self.capacity:
            self._older, self._newer = self._newer, set()

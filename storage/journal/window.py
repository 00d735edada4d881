"""The memory of recent digests in which duplicates are found, and the numbering that uses it."""

from collections.abc import Iterable, Sequence

from core.observations import Entry, Incoming


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

    def number(self, messages: Sequence[Incoming], last: int) -> list[Entry]:
        """Return the entries for ``messages``, numbered from ``last`` + 1; remembers nothing yet.

        A duplicate of something remembered, or of something earlier in ``messages``, loses its payload.
        """
        fresh: set[int] = set()
        entries = []
        for position, message in enumerate(messages, last + 1):
            digest = message.digest
            duplicate = digest in self or digest in fresh
            fresh.add(digest)
            payload = b"" if duplicate else message.payload
            entries.append(
                Entry(
                    position,
                    message.received_at,
                    message.topic,
                    payload,
                    message.size,
                    duplicate,
                    digest,
                    message.wall_ahead,
                )
            )
        return entries

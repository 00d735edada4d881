"""Messages and journals for the tests of the journal port."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from core.observations import Entry, Incoming, Rejection, RejectionReason
from ingest.ports import Journal, Settlement
from storage.journal.bookkeeping import tally

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WRITER = "telemetry"


def message(number: int, *, at: datetime = NOON, community: str = "garden", size: int = 60) -> Incoming:
    """The message ``number``; equal numbers are the same message delivered again."""
    topic = f"anju/v1/{community}/elevator/lift-1/telemetry"
    return Incoming(topic, f"{number:<{size}}".encode(), size, at, number)


def messages(numbers: Iterable[int], *, at: datetime = NOON) -> list[Incoming]:
    return [message(number, at=at) for number in numbers]


def rejected(entry: Entry) -> Rejection:
    detail = f"message {entry.position}"
    return Rejection(entry.position, entry.received_at, entry.topic, RejectionReason.NOT_JSON, detail, b"\xff\x00")


def settle_next(journal: Journal, limit: int, *, reject_every: int = 3) -> None:
    """Do what the telemetry writer does with the next ``limit`` entries; every third is rejected."""
    entries = journal.read(journal.positions()[WRITER], limit)
    fresh = [entry for entry in entries if not entry.duplicate]
    bad = [rejected(entry) for entry in fresh if entry.position % reject_every == 0]
    stored = tally([entry for entry in fresh if entry.position % reject_every])
    if entries:
        journal.settle(WRITER, Settlement(entries[-1].position, dict(stored), bad))


def numbers_of(entries: Iterable[Entry]) -> list[int]:
    """The numbers of the messages, as their payloads say; 0 where the payload was dropped."""
    return [int(entry.payload or b"0") for entry in entries]


def later(**by: float) -> datetime:
    return NOON + timedelta(**by)

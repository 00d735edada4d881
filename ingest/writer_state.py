"""What the telemetry writer tells about itself, and how it may be set."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from ingest.backoff import Backoff


class WriterState(StrEnum):
    """Where the writer stands."""

    STARTING = "starting"
    RUNNING = "running"
    RETRYING = "retrying"
    STOPPED = "stopped"


@dataclass(frozen=True)
class WriterSettings:
    """How large batches get. For a store across the network, ``fill_time`` of 200 ms makes fewer and larger ones."""

    batch_limit: int = 5_000
    fill_below: int = 500
    """A batch with fewer entries than this waits ``fill_time`` for more."""
    fill_time: timedelta = timedelta(0)
    idle_wait: timedelta = timedelta(seconds=1)
    """How long one wait for more lasts at most; the doorbell ends it sooner."""
    backoff: Backoff = field(default_factory=Backoff)


@dataclass
class WriterStats:
    """Counted since this writer started; ``detail`` is empty unless something is being retried."""

    state: WriterState = WriterState.STARTING
    detail: str = ""
    position: int = 0
    """Everything up to here is settled: stored, a duplicate, or in quarantine."""
    messages: int = 0
    """Messages stored."""
    points: int = 0
    """Points stored."""
    rejected: int = 0
    batches: int = 0
    retries: int = 0
    write_seconds: float = 0.0
    """Time spent in the store, failed attempts included, waits between them not."""

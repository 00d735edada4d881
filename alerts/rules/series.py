"""Test series in rule files: what devices say on a timeline, and the transitions that are expected of it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from alerts.inventory import DeviceFacts
from alerts.model import Severity
from core.devices import DeviceKind
from core.durations import Duration

INSTANT_PATTERN = r"^(0|[1-9][0-9]{0,8})(ms|s|m|h|d)$"
NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"
Instant = Annotated[
    str,
    Meta(
        pattern=INSTANT_PATTERN,
        description="Since the test began, as a whole number with its unit: 0s, 90s, 5m.",
    ),
]
Word = Annotated[str, Meta(pattern=NAME_PATTERN)]
Fields = dict[str, Any]


class _Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """An unknown key is a mistake in the file, not something to pass over."""


class TestDevice(_Strict, frozen=True):
    """A device that speaks in a test, with what people told of it."""

    __test__ = False  # The name must not make pytest collect it.

    name: Word
    kind: DeviceKind
    community: Word = "test"
    facts: DeviceFacts = DeviceFacts()


class Input(_Strict, frozen=True):
    """One message, or the same one again and again: ``from``, ``every``, ``until`` (that instant included).

    The instants are those of arrival; the device's own is ``late_by`` before. The fields are the wire's, less ``at``.
    """

    at: Instant | None = None
    starts: Instant | None = field(name="from", default=None)
    every: Duration | None = None
    until: Instant | None = None
    device: Word | None = None
    late_by: Duration | None = None
    telemetry: Fields | None = None
    event: Fields | None = None
    presence: Fields | None = None


class Expectation(_Strict, frozen=True):
    """One transition: ``at`` an instant, or ``between`` two of them (both included)."""

    transition: Literal["firing", "severity_changed", "repeated", "resolved"]
    rule: Word
    at: Instant | None = None
    between: tuple[Instant, Instant] | None = None
    device: Word | None = None
    severity: Severity | None = None
    reason: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    """A part of the reason's sentence, Chinese or English."""


class RuleTest(_Strict, frozen=True):
    """A test: only ``rules`` (else all of the file) run, until ``until``, or else the last input or expectation."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    devices: Annotated[list[TestDevice], Meta(min_length=1, max_length=100)]
    inputs: Annotated[list[Input], Meta(min_length=1, max_length=1_000)]
    expect: Annotated[list[Expectation], Meta(max_length=1_000)]
    rules: Annotated[list[Word], Meta(min_length=1)] | None = None
    begins: datetime | None = None
    until: Instant | None = None
    expect_nothing_else: bool = True

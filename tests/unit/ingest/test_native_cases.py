"""Payloads as devices send them: each folder under ``tests/cases/native`` is one message and what becomes of it."""

from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from core.clock import to_microseconds
from core.observations import Rejection
from core.telemetry import FAMILIES, SignalType
from ingest.points import points_of
from tests.unit.ingest.entries import DECODER, entry

CASES = Path(__file__).parents[2] / "cases" / "native"
TYPES = {SignalType.FLOAT: float, SignalType.INTEGER: int, SignalType.BOOLEAN: bool, SignalType.TEXT: str}


class ExpectedPoint(msgspec.Struct, forbid_unknown_fields=True):
    family: str
    part: str
    values: dict[str, float | int | bool | str]


class Expected(msgspec.Struct, forbid_unknown_fields=True):
    at: datetime | None = None
    points: list[ExpectedPoint] = []
    reason: str | None = None
    detail: str = ""


@pytest.mark.parametrize("case", sorted(CASES.iterdir()), ids=lambda case: case.name)
def test_case(case: Path) -> None:
    sent = entry((case / "topic.txt").read_text().rstrip("\n"), (case / "payload.json").read_bytes())
    expected = msgspec.json.decode((case / "expected.json").read_bytes(), type=Expected)
    outcome = DECODER(sent)
    if isinstance(outcome, Rejection):
        assert (outcome.reason.value, outcome.position, outcome.topic) == (expected.reason, 7, sent.topic)
        assert expected.detail in outcome.detail
        return
    assert expected.reason is None
    assert outcome.at == expected.at
    points = points_of(outcome)
    assert [ExpectedPoint(point.family, point.part, point.values) for point in points] == expected.points
    for point in points:
        assert (point.position, point.device) == (7, outcome.device)
        assert point.at_nanoseconds == to_microseconds(outcome.at) * 1_000 + outcome.sub_microsecond
        # Exactly these types: a store's driver treats a subclass of str in its own way.
        signals = FAMILIES[point.family].signals
        assert {name: type(value) for name, value in point.values.items()} == {
            name: TYPES[signals[name]] for name in point.values
        }

"""Who stands behind a target: people, rotas at the instant, receivers; unknown names are left out."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from alerts.dispatch.plan_loading import load_plan
from alerts.history import RotaOverrideRow
from app.directory import PlanDirectory

PLAN = load_plan(
    """version: 1
receivers:
  - {name: wall, mqtt: {topic: wall}}
  - {name: li-sms, mqtt: {topic: li}}
  - {name: wang-sms, mqtt: {topic: wang}}
people:
  - {name: li, receivers: [li-sms, wall]}
  - {name: wang, receivers: [wang-sms]}
rotas:
  - name: duty
    layers:
      - {start: 2026-03-02, people: [li], hours: "08:00-20:00"}
      - {start: 2026-03-02, people: [wang], hours: "20:00-08:00"}
policies: [{name: p, steps: [{after: 0s, notify: [receiver:wall]}]}]
routes: [{policy: p}]
""",
    "plan.yaml",
)
DAY = datetime(2026, 3, 4, 4, 0, tzinfo=UTC)  # Noon in Shanghai.
NIGHT = DAY + timedelta(hours=10)


class Overrides:
    def __init__(self, *rows: RotaOverrideRow) -> None:
        self.rows = rows
        self.asked = 0

    async def overrides(self, since: datetime) -> Sequence[RotaOverrideRow]:
        self.asked += 1
        return [row for row in self.rows if row.ends_at > since]


@pytest.mark.parametrize(
    ("targets", "now", "rota_only", "expected"),
    [
        pytest.param(["rota:duty"], DAY, False, [("li-sms", "li"), ("wall", "li")], id="by day"),
        pytest.param(["rota:duty"], NIGHT, False, [("wang-sms", "wang")], id="by night"),
        pytest.param(["person:wang"], DAY, False, [("wang-sms", "wang")], id="a person"),
        pytest.param(["receiver:wall"], DAY, False, [("wall", "")], id="a receiver"),
        pytest.param(["receiver:wall", "person:li"], DAY, False, [("wall", ""), ("li-sms", "li")], id="each once"),
        pytest.param(["receiver:gone", "person:x", "rota:y"], DAY, False, [], id="unknown names"),
        pytest.param(["receiver:wall", "person:wang", "rota:duty"], NIGHT, True, [("wang-sms", "wang")], id="drill"),
    ],
)
async def test_resolving(targets: list[str], now: datetime, rota_only: bool, expected: list[tuple[str, str]]) -> None:
    found = await PlanDirectory(lambda: PLAN, Overrides()).resolve(targets, now, rota_only=rota_only)
    assert [(each.receiver, each.person) for each in found] == expected


async def test_whoever_stands_in_is_asked_for_at_most_once_a_second() -> None:
    row = RotaOverrideRow("1", "duty", "wang", DAY - timedelta(hours=1), DAY + timedelta(hours=1), "li", DAY)
    overrides = Overrides(row)
    directory = PlanDirectory(lambda: PLAN, overrides)
    for _ in range(3):
        found = await directory.resolve(["rota:duty"], DAY, rota_only=False)
        assert [each.person for each in found] == ["wang"]
    assert overrides.asked == 1
    await directory.resolve(["rota:duty"], DAY + timedelta(seconds=1), rota_only=False)
    assert overrides.asked == 2

"""The notice that leaves past the records: to whom the plan says, once an episode, and only when nothing else can."""

from datetime import UTC, datetime

import pytest

from alerts.dispatch.model import Intent
from alerts.dispatch.plan_loading import load_plan
from alerts.notify.book import Channel, MessengerBook
from app.unrecorded import UnrecordedNotice, notices
from core.clock import ManualClock
from core.errors import TemporaryError

NOW = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
FULL = "0 of 64 MiB are free"
PLAN = """\
version: 1
receivers: [{name: guard, mqtt: {topic: a}}, {name: owner, mqtt: {topic: b}}, {name: boss, mqtt: {topic: c}}]
people: [{name: li, receivers: [guard]}]
rotas: [{name: duty, layers: [{start: 2026-01-05, people: [li]}]}]
policies:
  - name: machines
    steps: [{after: 0s, notify: ["rota:duty", "receiver:owner"]}, {after: 10m, notify: ["receiver:boss"]}]
  - {name: rest, steps: [{after: 0s, notify: ["receiver:boss"]}]}
routes: [{kind: system, policy: machines, group_wait: 5m}, {policy: rest}]
"""


class Remembering:
    """A messenger that keeps what it was given, or refuses it."""

    def __init__(self) -> None:
        self.given: list[Intent] = []
        self.away = False

    async def deliver(self, intent: Intent) -> str:
        if self.away:
            raise TemporaryError("no network")
        self.given.append(intent)
        return "taken"

    async def close(self) -> None:
        return


class Scene:
    """A notice over one messenger, with the two conditions to be set."""

    def __init__(self) -> None:
        self.full = self.blocked = ""
        self.messenger = Remembering()
        channel = Channel(self.messenger)
        book = MessengerBook({"guard": channel, "owner": channel, "boss": channel})
        plan = load_plan(PLAN, "plan.yaml")
        self.notice = UnrecordedNotice(lambda: self.full, lambda: self.blocked, lambda: plan, book, ManualClock(NOW))

    async def look(self, *seconds: float) -> list[str]:
        """Look at each instant and return the receivers told in all."""
        for instant in seconds:
            await self.notice.look(instant)
        return [intent.receiver for intent in self.messenger.given]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_the_first_step_of_the_plan_is_told_in_the_words_of_the_alert() -> None:
    said = notices(load_plan(PLAN, "plan.yaml"), FULL, NOW)
    assert [(intent.receiver, intent.person) for intent in said] == [("guard", "li"), ("owner", None)]
    (brief,) = said[0].alerts
    assert (brief.rule, brief.title_zh) == ("disk-full", "磁盘已满")
    assert FULL in brief.reason_en
    assert brief.next_step_zh


async def test_it_is_sent_once_an_episode_and_only_when_the_records_are_blocked(scene: Scene) -> None:
    scene.full = FULL
    assert await scene.look(0, 60) == []
    scene.blocked = "desk.commit: database or disk is full"
    assert await scene.look(100, 109) == []
    assert await scene.look(110, 111, 500) == ["guard", "owner"]
    scene.full = scene.blocked = ""
    await scene.look(600)
    scene.full, scene.blocked = FULL, "full again"
    assert await scene.look(700, 710) == ["guard", "owner"] * 2


async def test_what_nobody_took_is_tried_again(scene: Scene) -> None:
    scene.full, scene.blocked, scene.messenger.away = FULL, "full", True
    assert await scene.look(0, 10, 15) == []
    scene.messenger.away = False
    assert await scene.look(20) == []
    assert await scene.look(41) == ["guard", "owner"]

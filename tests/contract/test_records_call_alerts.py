"""One act closes one matter: what an act on a call does to the alerts of its incident. On SQLite and PostgreSQL."""

from datetime import datetime

import pytest
from msgspec.structs import replace

from alerts.history import AlertRow
from alerts.model import Transition, TransitionKind
from emergency.model import Call, EventKind, Source
from emergency.ports import Followed
from emergency.watch import ALARM_RESET, CAR_BUTTON, TRAPPED
from storage.records import AlertRecordsAdapter, CallRecordsAdapter, RecordsAdapter, RecordsDatabase
from tests.contract.records_call_cases import acting, closing, overdue, raising
from tests.contract.records_cases import LIFT, OTHER_LIFT, after, commit, fired, resolved, step

pytestmark = pytest.mark.timeout(60)


class Incident:
    """The engine, the calls and the API over one database; a call joins what the engine has said so far."""

    def __init__(self, database: RecordsDatabase) -> None:
        self.engine = AlertRecordsAdapter(database)
        self.calls = CallRecordsAdapter(database)
        self.api = RecordsAdapter(database)
        self._position = 0

    async def says(self, *transitions: Transition) -> None:
        """Let the engine say this; what it says latches."""
        self._position += 1
        latching = [replace(each, latching=True) for each in transitions]
        await self.engine.commit(commit(self._position, transitions=latching))

    async def call(self, *refs: str, drill: bool = False) -> None:
        await self.calls.commit([raising(source=Source.CAR_BUTTON, joined=refs, drill=drill)])

    async def does(self, kind: EventKind) -> None:
        known = await self.known()
        await self.calls.commit([closing(known) if kind is EventKind.CLOSED else acting(known, kind)])

    async def known(self) -> Call:
        found = await self.calls.call("c1")
        assert found is not None
        return found

    async def alert(self, alert_id: str) -> AlertRow:
        found = await self.api.alert(alert_id)
        assert found is not None
        return found[0]

    async def said(self) -> list[tuple[str, str, str | None]]:
        """What people did, in order."""
        steps = await self.api.transitions(0, 100)
        return [(one.alert_id, one.kind, one.actor) for one in steps if one.actor is not None]


@pytest.fixture
def incident(records_database: RecordsDatabase) -> Incident:
    return Incident(records_database)


def pressed(alert_id: str = "b1", at: datetime | None = None) -> list[Transition]:
    return fired(alert_id, at or after(0), rule=CAR_BUTTON)


def ended(alert_id: str = "b1") -> Transition:
    return resolved(alert_id, after(7), rule=CAR_BUTTON)


async def test_who_answers_acknowledges_and_who_closes_resets(incident: Incident) -> None:
    await incident.says(*pressed(), *fired("t1", rule=TRAPPED))
    await incident.call("b1/2", "t1/4")
    await incident.does(EventKind.ANSWERED)
    seen = await incident.alert("b1")
    assert (seen.acknowledged_by, seen.reset_by, (await incident.alert("t1")).acknowledged_by) == ("li", None, "li")
    await incident.says(ended(), resolved("t1", after(8), rule=TRAPPED))
    await incident.does(EventKind.CLOSED)
    assert [(await incident.alert(name)).state for name in ("b1", "t1")] == ["resolved", "resolved"]
    assert await incident.said() == [
        *((name, "acknowledged", "li") for name in ("b1", "t1")),
        *((name, "reset", "li") for name in ("b1", "t1")),
    ]
    reasons = [one for one in await incident.api.transitions(0, 100) if one.kind in ("acknowledged", "reset")]
    assert {(one.reason_zh, one.reason_en) for one in reasons} == {
        ("li 接听了紧急呼叫 c1", "li answered emergency call c1"),
        ("li 结束了紧急呼叫 c1", "li closed emergency call c1"),
    }
    assert all(one.facts == {"call": "c1"} for one in reasons)


async def test_what_still_fires_at_the_end_is_left_firing_with_a_word(incident: Incident) -> None:
    await incident.says(*pressed())
    await incident.call("b1/2")
    await incident.does(EventKind.CLOSED)
    alert = await incident.alert("b1")
    assert (alert.state, alert.acknowledged_by, alert.reset_at) == ("firing", "li", None)
    assert await incident.said() == [("b1", "acknowledged", "li"), ("b1", "commented", "li")]
    assert "still reports it" in (await incident.api.transitions(0, 100))[-1].reason_en


async def test_nothing_is_said_twice_and_the_first_stays(incident: Incident) -> None:
    await incident.says(*pressed())
    await incident.call("b1/2")
    await incident.api.acknowledge("b1", "wang", None, after(3))
    for kind in (EventKind.ANSWERED, EventKind.ANSWERED, EventKind.FREED, EventKind.FREED):
        await incident.does(kind)
    assert await incident.said() == [("b1", "acknowledged", "wang")]


async def test_a_press_nobody_has_seen_yet_is_left_as_it_is(incident: Incident) -> None:
    """It was not joined into the call when somebody answered, or closed: it raises a call of its own."""
    await incident.says(*pressed(), ended())
    await incident.call("b1/2")
    await incident.says(*fired("b2", after(8), rule=CAR_BUTTON))
    await incident.does(EventKind.ANSWERED)
    await incident.does(EventKind.CLOSED)
    assert await incident.said() == [("b1", "acknowledged", "li"), ("b1", "reset", "li")]
    assert (await incident.alert("b2")).acknowledged_by is None


async def test_pressed_again_it_is_acknowledged_again_by_the_next_act(incident: Incident) -> None:
    await incident.says(*pressed())
    await incident.call("b1/2")
    await incident.does(EventKind.ANSWERED)
    await incident.says(step("b1", TransitionKind.REPEATED, after(6), rule=CAR_BUTTON))
    assert (await incident.alert("b1")).acknowledged_by is None
    await incident.does(EventKind.FREED)
    assert (await incident.alert("b1")).acknowledged_by is None
    known = await incident.known()
    await incident.calls.commit([acting(known, EventKind.JOINED, joined=("b1/2", "b1/4"))])
    await incident.does(EventKind.FREED)
    assert await incident.said() == [("b1", "acknowledged", "li")] * 2


async def test_who_answers_has_seen_the_suspicion_of_the_lift_too(incident: Incident) -> None:
    suspected = "trapped-passenger-suspected"
    other = fired("s2", after(0), rule=suspected, device=OTHER_LIFT)
    await incident.says(*fired("s1", after(0), rule=suspected), *other, *pressed())
    await incident.call("b1/6")
    await incident.does(EventKind.ANSWERED)
    assert await incident.said() == [("s1", "acknowledged", "li"), ("b1", "acknowledged", "li")]
    await incident.says(resolved("s1", after(8), rule=suspected), *fired("s3", after(9), rule=suspected))
    await incident.does(EventKind.FREED)
    assert (await incident.alert("s3")).acknowledged_by is None


@pytest.mark.parametrize(("followed", "seen"), [(2, None), (5, "li")])
async def test_the_end_of_alarm_at_the_lift_belongs_to_it_once_it_was_followed(
    incident: Incident, followed: int, seen: str | None
) -> None:
    await incident.says(*pressed(), *fired("e1", rule=ALARM_RESET))
    await incident.calls.commit([raising(joined=("b1/2",))], Followed(0, followed))
    await incident.does(EventKind.CLOSED)
    assert (await incident.alert("e1")).acknowledged_by == seen


async def test_alerts_of_other_lifts_and_other_rules_and_those_of_a_drill_are_left_alone(incident: Incident) -> None:
    others = [*fired("o1", device=OTHER_LIFT, rule=TRAPPED), *fired("o2", device=LIFT, rule="fault-major")]
    await incident.says(*others, *pressed())
    await incident.call("b1/6", drill=True)
    await incident.does(EventKind.CLOSED)
    assert await incident.said() == []
    real = raising("c2", joined=("b1/6",))
    await incident.calls.commit([real])
    await incident.calls.commit([acting(real.call)])
    assert await incident.said() == [("b1", "acknowledged", "li")]


async def test_its_own_alert_is_acknowledged_unless_the_act_itself_raised_it(incident: Incident) -> None:
    await incident.calls.commit([raising(place=replace(raising().call.place, lift="", point="p1"))])
    about = overdue(device="garden/system/p1")
    late = acting(await incident.known())
    await incident.calls.commit([replace(late, alerts=(about,))])
    assert await incident.said() == []
    await incident.does(EventKind.FREED)
    (only,) = await incident.said()
    assert only[1:] == ("acknowledged", "li")

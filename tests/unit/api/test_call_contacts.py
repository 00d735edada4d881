"""What a call says of a contact: whether Anju tells them, and whether they said that they cannot come."""

import httpx
import pytest

from api.calls import CallContact
from emergency.model import Call, Place, Source, Stamps
from emergency.plan import Contact, Title
from tests.unit.api.test_emergency_calls import done, raise_call
from tests.unit.api.twins import START

_PEOPLE = {"receiver:phone", "person:li", "person:wang", "rota:night"}


def _of(tell: list[str], *declined: str, drill: bool = False) -> CallContact:
    call = Call("c1", Source.RESIDENT, Place("xingfu"), Stamps(START), drill=drill, declined=declined)
    return CallContact.of(Contact("duty", Title("值班", "Duty"), "119", tell), call, _PEOPLE)


@pytest.mark.parametrize(
    ("tell", "drill", "told"),
    [
        pytest.param(["receiver:phone"], False, True, id="a messenger"),
        pytest.param(["receiver:phone"], True, False, id="a messenger, in a drill"),
        pytest.param(["receiver:topic"], False, False, id="a topic"),
        pytest.param(["person:li", "rota:night"], True, True, id="a rota, in a drill"),
        pytest.param([], False, False, id="a phone only"),
    ],
)
def test_a_contact_says_whether_the_system_tells_them(tell: list[str], drill: bool, told: bool) -> None:
    assert _of(tell, drill=drill).told_by_system is told


@pytest.mark.parametrize(
    ("tell", "said_no", "declined"),
    [
        pytest.param([], "值班", True, id="by the Chinese title"),
        pytest.param([], "Duty", True, id="by the English title"),
        pytest.param([], "duty", True, id="by the name in the plan"),
        pytest.param(["person:li", "receiver:topic"], "li", True, id="the only person of the contact, by their link"),
        pytest.param(["person:li", "person:wang"], "li", False, id="one of two people"),
        pytest.param(["person:li", "rota:night"], "li", False, id="one, and a shift stands behind them"),
        pytest.param(["person:li"], "wang", False, id="somebody else"),
        pytest.param(["receiver:topic"], "topic", False, id="a topic"),
    ],
)
def test_a_contact_says_whether_they_cannot_come(tell: list[str], said_no: str, declined: bool) -> None:
    assert _of(tell, said_no).declined is declined


async def test_who_cannot_come_stands_in_the_call_until_they_are_asked_again(lan: httpx.AsyncClient) -> None:
    call_id = (await raise_call(lan)).json()["id"]
    refused = await done(lan, call_id, "cannot-come", {"name": "Maintainer"})
    assert refused["declined"] == ["Maintainer"]
    assert [contact["declined"] for step in refused["ladder"]["steps"] for contact in step["contacts"]] == [
        False,
        True,
        False,
    ]
    assert (await done(lan, call_id, "dispatch", {"name": "Maintainer"}))["declined"] == []

"""Receivers of the plan: how each is reached, whether it is, and trying one out."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from alerts.dispatch import plan
from api.auth import CurrentActor
from api.dependencies import Given
from api.found import found
from api.parameters import RECEIVER
from api.plan import ChannelKind
from api.responses import NOT_FOUND

router = APIRouter(prefix="/receivers", tags=["notifications"])


class Receiver(BaseModel):
    """One way to reach somebody. Where it leads and its secrets are never shown."""

    name: str
    channel: ChannelKind
    failing: bool = Field(description="Its newest message was given up, or nothing has reached it for ten minutes.")
    detail: str | None = Field(description="The error, where it fails.")
    people: list[str] = Field(description="Who is reached by it.")


class Receivers(BaseModel):
    """All receivers, in the order of the plan."""

    items: list[Receiver]


class TestUnderWay(BaseModel):
    """A trial message waits to be delivered; `/notifications` shows what becomes of it."""

    __test__ = False  # Not a test, whatever pytest makes of its name.

    number: int = Field(description="Its number among the notifications.")
    receiver: str


@router.get("", summary="List receivers")
async def list_receivers(given: Given) -> Receivers:
    """The receivers of the plan in force, and whether each can be reached."""
    failing = await given.receivers.failing_receivers()
    planned = given.plan.current()
    return Receivers(items=[_shown(planned, receiver, failing) for receiver in planned.receivers])


@router.post("/{receiver}/test", status_code=202, summary="Try a receiver out", responses=NOT_FOUND)
async def test_receiver(
    given: Given, actor: CurrentActor, receiver: Annotated[str, Path(pattern=RECEIVER, description="Its name.")]
) -> TestUnderWay:
    """Send a trial message to the receiver, the same way as alerts go."""
    names = [one.name for one in given.plan.current().receivers]
    known = receiver if receiver in names else None
    name = found(known, f"receiver {receiver} in the plan: it has {', '.join(names)}")
    number = await given.tests.send_test(name, actor.name, given.clock.now())
    return TestUnderWay(number=number, receiver=name)


def _shown(planned: plan.Plan, receiver: plan.Receiver, failing: dict[str, str]) -> Receiver:
    return Receiver(
        name=receiver.name,
        channel=ChannelKind.of(receiver),
        failing=receiver.name in failing,
        detail=failing.get(receiver.name),
        people=[person.name for person in planned.people if receiver.name in person.receivers],
    )

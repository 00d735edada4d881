"""A real process that takes calls from the tap to their closing, until it is killed: `python -m … URL ROUND`.

It raises one call for each of `LIFTS` in each round, lets time climb their ladders to the top, and then does what
people would. All it knows is in the records: started again, it goes on. It says ``ready`` when it begins and ``done``
when all are closed.
"""

import asyncio
import sys

import msgspec

from core.clock import SystemClock
from core.errors import Conflict
from emergency import acts
from emergency.model import Call, CallFilter, CallState, Cause, Place, Source
from emergency.plan import EmergencyPlan
from emergency.steps import CallRequest
from emergency.switchboard import Switchboard
from storage.records import CallRecordsAdapter, RecordsDatabase
from tests.unit.emergency.boards import Everybody, words
from tests.unit.emergency.calls import NAMES, plan

LIFTS = tuple(f"willow-court/elevator/lift-{number}" for number in range(12))
_NEXT: dict[CallState, acts.Act] = {
    CallState.RINGING: acts.Answer(),
    CallState.ANSWERED: acts.Dispatch("zhang"),
    CallState.DISPATCHED: acts.OnTheWay("zhang"),
    CallState.ON_THE_WAY: acts.OnSite(),
    CallState.ON_SITE: acts.Freed(),
    CallState.FREED: acts.Close(Cause.OTHER),
}


def quick_plan() -> EmergencyPlan:
    """Return the plan of the unit tests, its ladder climbed in a second and a quarter."""
    built = msgspec.to_builtins(plan())
    for number, step in enumerate(built["ladders"][0]["steps"]):
        # The last one lasts, so that nobody is told again before somebody answers.
        step["wait"] = "250ms" if number < len(NAMES) - 1 else "10m"
    return msgspec.convert(built, EmergencyPlan)


async def climb(url: str, in_round: str) -> None:
    database = RecordsDatabase(url)
    await database.open()
    clock, its_plan = SystemClock(), quick_plan()
    records = CallRecordsAdapter(database, clock)
    switchboard = Switchboard(records, Everybody(), clock, lambda: its_plan, words)
    _say("ready")
    await asyncio.gather(*(_raise(switchboard, lift, in_round) for lift in LIFTS))
    while open_calls := await records.calls(CallFilter(open=True), None, 100):
        await switchboard.tick()
        await asyncio.gather(*(_do(switchboard, call) for call in open_calls if call.told == len(NAMES)))
    await database.close()
    _say("done")


async def _raise(switchboard: Switchboard, lift: str, in_round: str) -> None:
    request = CallRequest(Source.RESIDENT, Place("willow-court", lift))
    await switchboard.raise_call(request, "caller", key=f"tap-{in_round}-{lift}")


async def _do(switchboard: Switchboard, call: Call) -> None:
    try:
        await switchboard.act(call.id, _NEXT[call.state], "li")
    except Conflict as error:
        _say(f"conflict: {error}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(climb(sys.argv[1], sys.argv[2]))

"""A ladder, a lift and calls to try things on."""

from datetime import UTC, datetime, timedelta

import msgspec

from emergency import acts, steps
from emergency.ladder import Rules, rules_of
from emergency.model import Call, Decision, Place, Source
from emergency.plan import EmergencyPlan
from emergency.steps import CallRequest
from storage.records.call_rebuilding import CallColumns

T0 = datetime(2026, 3, 1, 22, 15, tzinfo=UTC)
LIFT = Place("willow-court", "willow-court/elevator/lift-3", name_zh="3 号楼电梯", name_en="lift of block 3")
NAMES = ("property", "second", "maintainer", "station", "fire")


def plan(**community: object) -> EmergencyPlan:
    """Return a plan with five steps of 30, 30, 60, 60 and 60 s, every one of them somebody to tell."""
    return msgspec.convert(
        {
            "version": 1,
            "contacts": [
                {"name": name, "title": {"zh": name, "en": name}, "tell": [f"receiver:{name}"], "phone": f"10{index}"}
                for index, name in enumerate(NAMES)
            ],
            "ladders": [
                {
                    "name": "lift",
                    "steps": [
                        {"name": name, "title": {"zh": name, "en": name}, "roles": [name], "wait": wait}
                        for name, wait in zip(NAMES, ("30s", "30s", "60s", "60s", "60s"), strict=True)
                    ],
                }
            ],
            "communities": [{"community": "*", "ladder": "lift", "roles": {}, **community}],
        },
        EmergencyPlan,
    )


RULES = rules_of(plan(), LIFT)


def after(seconds: float) -> datetime:
    """Return the instant that many seconds after the call was raised."""
    return T0 + timedelta(seconds=seconds)


def raised(source: Source = Source.RESIDENT, *, drill: bool = False, rules: Rules = RULES) -> Decision:
    """Return the decision of a call raised at `T0`."""
    return steps.raised(CallRequest(source, LIFT, drill=drill), "c1", "caller", T0, rules)


def call(source: Source = Source.RESIDENT, *done: acts.Act, drill: bool = False) -> Call:
    """Return a call to which ``done`` was done by li, a second apart from the first second on."""
    now = raised(source, drill=drill).call
    for second, what in enumerate(done, 1):
        decided = steps.act(now, what, "li", after(second), RULES)
        now = decided.call if decided else now
    return now


def asked(call: Call) -> set[str]:
    """Return who was asked to go, or goes."""
    return {*call.further, *([call.responder.name] if call.responder else [])}


def columns_of(call: Call, **fields: object) -> CallColumns:
    """Return what is stored of ``call`` beside its record, but for ``fields``."""
    known = {
        "id": call.id,
        "number": call.number,
        "version": call.version,
        "place_key": call.place.key,
        "community": call.place.community,
        "state": call.state.value,
        "source": call.source.value,
        "drill": call.drill,
        "lift": call.place.lift,
        "contractor": call.place.contractor,
        "raised_at": call.stamps.raised,
        "next_at": call.next_at,
    }
    return CallColumns(**known | fields)  # type: ignore[arg-type]

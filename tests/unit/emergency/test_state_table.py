"""The table of states and acts in the documentation is what the state machine does."""

from datetime import timedelta
from pathlib import Path

from core.errors import Conflict
from emergency import acts, steps
from emergency.model import Call, CallState, Cause, Source
from tests.unit.emergency.calls import RULES, T0, after, call

WRITTEN = Path(__file__).parents[3] / "docs" / "reference" / "emergency-call-states.md"
ANSWER, GOES = acts.Answer(), acts.OnTheWay("zhang")
STATES: dict[CallState, list[acts.Act]] = {
    CallState.RINGING: [],
    CallState.ANSWERED: [ANSWER],
    CallState.DISPATCHED: [acts.Dispatch("zhang")],
    CallState.ON_THE_WAY: [GOES],
    CallState.ON_SITE: [acts.OnSite("zhang")],
    CallState.FREED: [acts.Freed()],
    CallState.ABANDONED: [acts.Abandon("")],
}
ACTS: dict[str, acts.Act | timedelta] = {
    "answer, by another one": ANSWER,
    "dispatch": acts.Dispatch("chen"),
    "on-the-way": acts.OnTheWay("zhang", after(600)),
    "cannot-come, by who has it": acts.CannotCome("zhang"),
    "on-site": acts.OnSite(),
    "not-on-site": acts.NotOnSite(),
    "freed": acts.Freed(),
    "abandon": acts.Abandon(),
    "the car's button": acts.Join(Source.CAR_BUTTON, "alert/1"),
    "another resident": acts.Join(Source.RESIDENT, "r2"),
    "close": acts.Close(Cause.OTHER),
    "nobody does anything for 5 min": timedelta(minutes=5),
    "nobody does anything for 31 min": timedelta(minutes=31),
}


def outcome(before: Call, what: acts.Act | timedelta) -> str:
    """Return what ``before`` comes to, and who is told: ``409`` where it is refused, ``=`` where nothing changes."""
    now = after(20)
    try:
        if isinstance(what, timedelta):
            decided = steps.tick(before, T0 + timedelta(seconds=20) + what, RULES)
        else:
            decided = steps.act(before, what, "wang", now, RULES)
    except Conflict:
        return "409"
    if decided is None:
        return "="
    kinds = ", ".join(sorted({f"`{telling.kind.value}`" for telling in decided.tellings}))
    return decided.call.state.value + (f" · {kinds}" if kinds else "")


def table() -> list[str]:
    """Return the table: acts down, states across."""
    standing = {state: call(Source.RESIDENT, *done) for state, done in STATES.items()}
    assert all(state is stands.state for state, stands in standing.items())
    rows = [["", *(state.value for state in standing)], ["---"] * (len(standing) + 1)]
    rows += [[name, *(outcome(stands, what) for stands in standing.values())] for name, what in ACTS.items()]
    return [f"| {' | '.join(row)} |" for row in rows]


def test_the_table_in_the_documentation_is_what_happens() -> None:
    lines = WRITTEN.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("|")] == table()

"""Cases in the manner of Prometheus' unit tests: what a door says on a timeline, and the transitions expected.

Each row runs undisturbed, with a restart after every step, and with a restart after each single one.
"""

from collections.abc import Callable, Sequence

import msgspec
import pytest

from alerts.engine import Engine
from alerts.memory import DeviceState
from alerts.model import Transition
from tests.unit.alerts.talk import Talk, instant, rule, told

Said = list[tuple[float, str | None]]
"""Seconds, and the door's state; ``None`` is time alone: an evaluation between messages."""
Expected = list[tuple[float, str]]
DOOR = "{kind: state, signal: door_state, equals: open}"
GAPS = "gaps: resolve\ngap_after: 10m"

CASES = [
    # ------------------------------------------------------------------ for
    ("for: fires when it has held that long", "for: 60s", [(0, "open"), (60, None)], [(60, "firing")]),
    ("for: not a moment earlier", "for: 60s", [(0, "open"), (59.999, None)], []),
    ("for: fires between messages at its own instant", "for: 60s", [(0, "open"), (300, "open")], [(60, "firing")]),
    ("for: pending goes away untold", "for: 60s", [(0, "open"), (30, "closed"), (300, None)], []),
    (
        "for: over at the last moment, the timer is first",
        "for: 60s",
        [(0, "open"), (60, "closed")],
        [(60, "firing"), (60, "resolved")],
    ),
    (
        "for: begins anew after an interruption",
        "for: 60s",
        [(0, "open"), (59, "closed"), (61, "open"), (120, None), (121, None)],
        [(121, "firing")],
    ),
    (
        "for: many evaluations change nothing",
        "for: 60s",
        [(0, "open"), (10, None), (20, None), (59, None), (60, None)],
        [(60, "firing")],
    ),
    ("for: none fires at once", "", [(0, "open")], [(0, "firing")]),
    (
        "for: resolved at once when it is over",
        "for: 60s",
        [(0, "open"), (100, "closed")],
        [(60, "firing"), (100, "resolved")],
    ),
    (
        "for: fires again after the same wait",
        "for: 60s",
        [(0, "open"), (100, "closed"), (200, "open"), (300, None)],
        [(60, "firing"), (100, "resolved"), (260, "firing")],
    ),
    # ---------------------------------------------------- keep_firing_for
    (
        "keep: stays for that long after it is over",
        "keep_firing_for: 5m",
        [(0, "open"), (60, "closed"), (359, None)],
        [(0, "firing")],
    ),
    (
        "keep: then it is resolved",
        "keep_firing_for: 5m",
        [(0, "open"), (60, "closed"), (360, None)],
        [(0, "firing"), (360, "resolved")],
    ),
    (
        "keep: holding again in between begins it anew",
        "keep_firing_for: 5m",
        [(0, "open"), (60, "closed"), (300, "open"), (310, "closed"), (609, None), (610, None)],
        [(0, "firing"), (610, "resolved")],
    ),
    (
        "keep: holding again keeps the same alert",
        "keep_firing_for: 5m",
        [(0, "open"), (60, "closed"), (300, "open"), (2000, None)],
        [(0, "firing")],
    ),
    (
        "keep: does not apply to what is pending",
        "for: 60s\nkeep_firing_for: 5m",
        [(0, "open"), (30, "closed"), (31, "open"), (90, None), (91, None)],
        [(91, "firing")],
    ),
    (
        "keep: together with for",
        "for: 60s\nkeep_firing_for: 2m",
        [(0, "open"), (70, "closed"), (190, None)],
        [(60, "firing"), (190, "resolved")],
    ),
    # ---------------------------------------------------------------- gaps
    ("gap: is not recovery", "", [(0, "open"), (86_400, None)], [(0, "firing")]),
    (
        "gap: pending goes on counting, as a passenger does",
        "for: 10m",
        [(0, "open"), (86_400, None)],
        [(600, "firing")],
    ),
    ("gap: what follows decides", "", [(0, "open"), (7_200, "closed")], [(0, "firing"), (7_200, "resolved")]),
    (
        "gap: keep_firing_for runs on in it",
        "keep_firing_for: 5m",
        [(0, "open"), (60, "closed"), (86_400, None)],
        [(0, "firing"), (360, "resolved")],
    ),
    (
        "gap: resolve ends what is open",
        GAPS,
        [(0, "open"), (599, None), (600, None)],
        [(0, "firing"), (600, "resolved")],
    ),
    (
        "gap: resolve counts from the last word",
        GAPS,
        [(0, "open"), (300, "open"), (899, None), (900, None)],
        [(0, "firing"), (900, "resolved")],
    ),
    ("gap: resolve drops what is pending", f"for: 20m\n{GAPS}", [(0, "open"), (600, None), (3_600, None)], []),
    (
        "gap: no gap, no end",
        f"for: 20m\n{GAPS}",
        [(0, "open"), (500, "open"), (1_000, "open"), (1_200, None)],
        [(1_200, "firing")],
    ),
    (
        "gap: afterwards it begins anew",
        GAPS,
        [(0, "open"), (900, "open"), (901, None)],
        [(0, "firing"), (600, "resolved"), (900, "firing")],
    ),
    # ------------------------------------------------------------ flapping
    (
        "flap: twice within a minute is told twice",
        "",
        [(0, "open"), (10, "closed"), (20, "open"), (30, "closed")],
        [(0, "firing"), (10, "resolved"), (20, "firing"), (30, "resolved")],
    ),
    (
        "flap: the third time it stays",
        "",
        [(0, "open"), (5, "closed"), (10, "open"), (15, "closed"), (20, "open"), (25, "closed"), (84, None)],
        [(0, "firing"), (5, "resolved"), (10, "firing"), (15, "resolved"), (20, "firing")],
    ),
    (
        "flap: until it is quiet for a minute",
        "",
        [(0, "open"), (5, "closed"), (10, "open"), (15, "closed"), (20, "open"), (25, "closed"), (85, None)],
        [(0, "firing"), (5, "resolved"), (10, "firing"), (15, "resolved"), (20, "firing"), (85, "resolved")],
    ),
    (
        "flap: going on keeps it",
        "",
        [
            (0, "open"),
            (5, "closed"),
            (10, "open"),
            (15, "closed"),
            (20, "open"),
            (25, "closed"),
            (80, "open"),
            (84, "closed"),
            (143, None),
            (144, None),
        ],
        [(0, "firing"), (5, "resolved"), (10, "firing"), (15, "resolved"), (20, "firing"), (144, "resolved")],
    ),
    (
        "flap: three in more than a minute are three",
        "",
        [(0, "open"), (5, "closed"), (30, "open"), (35, "closed"), (60, "open"), (65, "closed")],
        [(0, "firing"), (5, "resolved"), (30, "firing"), (35, "resolved"), (60, "firing"), (65, "resolved")],
    ),
    (
        "flap: other figures",
        "chatter: {count: 2, within: 10s}",
        [(0, "open"), (1, "closed"), (9, "open"), (10, "closed"), (19, None), (20, None)],
        [(0, "firing"), (1, "resolved"), (9, "firing"), (20, "resolved")],
    ),
    (
        "flap: off",
        "chatter: off",
        [(0, "open"), (1, "closed"), (2, "open"), (3, "closed"), (4, "open"), (5, "closed")],
        [(0, "firing"), (1, "resolved"), (2, "firing"), (3, "resolved"), (4, "firing"), (5, "resolved")],
    ),
    (
        "flap: a protected rule tells each",
        "protected: true",
        [(0, "open"), (1, "closed"), (2, "open"), (3, "closed"), (4, "open"), (5, "closed")],
        [(0, "firing"), (1, "resolved"), (2, "firing"), (3, "resolved"), (4, "firing"), (5, "resolved")],
    ),
    (
        "flap: within keep_firing_for nothing is counted",
        "keep_firing_for: 10s",
        [(0, "open"), (1, "closed"), (2, "open"), (3, "closed"), (4, "open"), (5, "closed"), (15, None)],
        [(0, "firing"), (15, "resolved")],
    ),
    (
        "flap: a longer keep_firing_for outlasts the quiet minute",
        "keep_firing_for: 2m\nchatter: {count: 2, within: 5m}",
        [(0, "open"), (1, "closed"), (121, None), (130, "open"), (131, "closed"), (430, None), (431, None)],
        [(0, "firing"), (121, "resolved"), (130, "firing"), (431, "resolved")],
    ),
    (
        "flap: pending that flaps never fires",
        "for: 10s",
        [(0, "open"), (9, "closed"), (10, "open"), (19, "closed"), (20, "open"), (29, "closed"), (100, None)],
        [],
    ),
]
NAMED = [pytest.param(*row[1:], id=row[0]) for row in CASES]


def run(extra: str, said: Said, restarts: Callable[[int], bool]) -> tuple[list[Transition], list[bytes]]:
    """Return the transitions; ``restarts`` tells whether the engine is made anew after a step."""
    talk, door = Talk(), rule("elevator", DOOR, extra)
    engine, stored, found = Engine([door]), dict[str, bytes](), list[Transition]()
    for number, (at, state) in enumerate(said):
        found += engine.advance(instant(at)) if state is None else engine.observe(talk.lift(at, door_state=state))
        stored |= {path: kept for path, kept in engine.dirty().items() if kept is not None}
        if restarts(number):
            engine = Engine([door])
            engine.restore(stored)
    return found, list(stored.values())


@pytest.mark.parametrize(("extra", "said", "expected"), NAMED)
def test_undisturbed(extra: str, said: Said, expected: Expected) -> None:
    assert told(run(extra, said, lambda _: False)[0]) == expected


@pytest.mark.parametrize(("extra", "said", "expected"), NAMED)
def test_restarted_after_every_step(extra: str, said: Said, expected: Expected) -> None:
    assert told(run(extra, said, lambda _: True)[0]) == expected


@pytest.mark.parametrize(("extra", "said", "expected"), NAMED)
def test_restarted_after_any_one_step(extra: str, said: Said, expected: Expected) -> None:
    undisturbed = run(extra, said, lambda _: False)[0]
    assert told(undisturbed) == expected
    for restart in range(len(said)):
        assert run(extra, said, lambda number, at=restart: number == at)[0] == undisturbed  # type: ignore[misc]


@pytest.mark.parametrize(("extra", "said", "expected"), NAMED)
def test_evaluated_every_second_in_between(extra: str, said: Said, expected: Expected) -> None:
    """More evaluations than are needed change nothing, wherever they fall."""
    until = min(said[-1][0], 1_000)
    ticks: Said = [(second, None) for second in range(int(until) + 1)]
    timeline = sorted([*ticks, *said], key=lambda step: (step[0], step[1] is not None))
    assert told(run(extra, timeline, lambda _: False)[0]) == expected


def test_names_of_cases_differ() -> None:
    assert len({row[0] for row in CASES}) == len(CASES) >= 30


def codes(extra: str, said: Said) -> Sequence[str]:
    return [one.reason.code for one in run(extra, said, lambda _: False)[0] if one.kind.value != "pending"]


def test_each_end_says_why() -> None:
    flaps: Said = [(0, "open"), (5, "closed"), (10, "open"), (15, "closed"), (20, "open"), (25, "closed"), (85, None)]
    assert codes("", flaps)[-2:] == ["chattering", "quiet"]
    assert codes(GAPS, [(0, "open"), (600, None)]) == ["state", "gap"]
    assert codes("keep_firing_for: 5s", [(0, "open"), (1, "closed"), (9, None)]) == ["state", "condition_over"]


def test_chattering_says_how_often() -> None:
    flaps: Said = [(0, "open"), (5, "closed"), (10, "open"), (15, "closed"), (20, "open")]
    firing = run("", flaps, lambda _: False)[0][-1]
    assert firing.reason.zh == "反复触发（60 秒内第 3 次）：轿门打开"
    assert firing.reason.en == "chattering (3 times within 60 s): the car door is open"
    assert firing.reason.facts["count"] == 3


def test_at_rest_nothing_is_remembered_of_a_rule() -> None:
    _, (stored,) = run("for: 60s", [(0, "open"), (10, "closed")], lambda _: False)
    assert msgspec.msgpack.decode(stored, type=DeviceState).rules == {}

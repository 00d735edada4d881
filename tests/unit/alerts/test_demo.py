"""The demo over the built-in pack: what goes wrong in it is told, soon after its beginning, and is over in the end."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from alerts.packs import builtin_rules
from alerts.scoring.replay import RaisedAlert, raised, replay
from core.observations import Entry
from ingest.decoders.native import NativeDecoder
from simulators.fleet import Fleet
from simulators.run import DEMO_CYCLE_SECONDS, SimulationOptions, build_fleet
from tests.unit.alerts.test_incidents import DEMO_FACTS, START, as_message

CYCLES = 4
# For each incident what tells it: in which cycles, and from when to when in its cycle, in seconds. The gateway dies at
# the end of a cycle and is told as the next one begins; of the fifth that is all.
EVERY, OF_FIRE, AFTER_EACH = (0, 1, 2, 3), (0, 3), (1, 2, 3, 4)
TOLD: dict[str, tuple[tuple[int, ...], int, int]] = {
    "gate-forced-open": ((0, *AFTER_EACH), 10, 30),
    "thermal-alarm": (OF_FIRE, 30, 180),
    "thermal-runaway": (OF_FIRE, 30, 360),
    "car-alarm-button": (EVERY, 90, 180),
    "trapped-passenger": (EVERY, 90, 180),
    "fault-major": (EVERY, 500, 560),
    "lift-power-off": (EVERY, 615, 690),
    "gate-offline": (EVERY, 660, 790),
    "gateway-offline": (AFTER_EACH, 0, 30),
    "elevator-offline": (AFTER_EACH, 0, 60),
}
TWICE_IN_A_CYCLE = ("car-alarm-button", "trapped-passenger")  # by the power cut as well
END = START + timedelta(seconds=CYCLES * DEMO_CYCLE_SECONDS + 85)


@pytest.fixture(scope="module")
def demo() -> Sequence[RaisedAlert]:
    decode = NativeDecoder(pseudonym_key=b"k" * 32)
    fleet = build_fleet(SimulationOptions(), START)
    return raised(replay(builtin_rules(), DEMO_FACTS, _received(fleet), decode, END).transitions)


def _received(fleet: Fleet) -> Iterator[Entry]:
    position = 0
    while (now := fleet.next_at) < END:
        for output in fleet.step(now):
            if (message := as_message(output, now)) is not None:
                position += 1
                yield Entry(position, now, message.topic, message.payload, len(message.payload))


@pytest.mark.parametrize("rule", TOLD)
def test_what_goes_wrong_is_told_soon_in_each_cycle(demo: Sequence[RaisedAlert], rule: str) -> None:
    cycles, since, until = TOLD[rule]
    fired = [divmod((each.fired_at - START).total_seconds(), DEMO_CYCLE_SECONDS) for each in demo if each.rule == rule]
    soon = [int(cycle) for cycle, seconds in fired if since <= seconds <= until]
    assert soon == list(cycles), fired
    assert len(fired) == len(soon) * (2 if rule in TWICE_IN_A_CYCLE else 1), fired


@pytest.mark.parametrize("rule", ["gate-forced-open", "gate-offline", "gateway-offline", "trapped-passenger"])
def test_what_goes_wrong_is_over_before_it_begins_again(demo: Sequence[RaisedAlert], rule: str) -> None:
    ended = [each.resolved_at for each in demo if each.rule == rule]
    assert ended
    assert None not in ended

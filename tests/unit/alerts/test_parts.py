"""A device that invents parts: bounded in number, and a fire in any of them is told."""

from msgspec import msgpack

from alerts.engine import Engine
from alerts.memory import DeviceState
from alerts.model import TransitionKind
from alerts.parts import PARTS_AT_MOST
from alerts.words import OTHERS
from core.wire.payloads import Region, ThermalTelemetry
from tests.unit.alerts.talk import CAMERA, Talk, instant, rule

HOT = rule("thermal", "{kind: threshold, signal: maximum_celsius, above: 56}", rule_id="hot")


class Shed:
    """One camera under one rule."""

    def __init__(self) -> None:
        self._talk = Talk()
        self.engine = Engine([HOT])

    def look(self, second: float, regions: dict[str, float]) -> list[tuple[TransitionKind, object]]:
        """Send what the camera sees; return what follows, each with the part it is about."""
        named = [Region(region=name, maximum_celsius=celsius) for name, celsius in regions.items()]
        said = self._talk.say(second, CAMERA, ThermalTelemetry(at=instant(second), regions=named))
        steps = self.engine.observe(said)
        return [(step.kind, step.reason.facts.get("part")) for step in steps if step.kind is not TransitionKind.PENDING]

    def parts(self) -> set[str]:
        """Return the parts that are remembered."""
        (state,) = self.engine.dirty().values()
        assert state is not None
        return set(msgpack.decode(state, type=DeviceState).rules["hot"].parts)


def _hot(second: int) -> dict[str, float]:
    return {f"r{second}-{number}": 60.0 for number in range(PARTS_AT_MOST)}


def test_new_names_with_every_message_stay_bounded_while_all_of_them_are_hot() -> None:
    shed = Shed()
    assert shed.look(0, _hot(0))[0] == (TransitionKind.FIRING, "r0-0")
    for second in range(1, 20):
        shed.look(second, _hot(second))
    assert shed.parts() == {*_hot(0), OTHERS}


def test_a_fire_in_a_region_without_a_place_is_told_once_as_another_region() -> None:
    shed = Shed()
    shed.look(0, _hot(0))
    assert shed.look(1, {"new": 90.0}) == [(TransitionKind.REPEATED, OTHERS)]
    assert shed.look(2, {"newer": 95.0}) == []


def test_what_is_over_elsewhere_by_the_hottest_ends_the_other_regions_too() -> None:
    shed = Shed()
    shed.look(0, _hot(0))
    shed.look(1, {"new": 90.0, "cold": 20.0})
    assert OTHERS in shed.parts()
    assert shed.look(2, dict.fromkeys(_hot(0), 20.0)) == []
    # Now there is room again: a new name gets a place of its own, and the others are judged by what they say next.
    assert shed.look(3, {OTHERS: 20.0})[-1][0] is TransitionKind.RESOLVED


def test_a_camera_that_was_set_up_anew_takes_the_places_of_quiet_regions() -> None:
    shed = Shed()
    shed.look(0, {f"old-{number}": 20.0 for number in range(PARTS_AT_MOST)})
    assert shed.look(1, {"shed-a": 70.0}) == [(TransitionKind.FIRING, "shed-a")]


def test_a_look_at_the_shutter_says_nothing_of_regions_without_a_place() -> None:
    shed, talk = Shed(), Talk()
    shed.look(0, _hot(0))
    regions = [Region(region=name, maximum_celsius=30.0) for name in ("new", "newer")]
    body = ThermalTelemetry(at=instant(1), shutter_closed=True, regions=regions)
    assert shed.engine.observe(talk.say(1, CAMERA, body)) == []
    assert shed.look(2, {"new": 90.0}) == [(TransitionKind.REPEATED, OTHERS)]

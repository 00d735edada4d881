"""One stored state that cannot be decoded is left out with its reason; all others are taken over."""

import msgspec

from alerts.dispatch.model import Purpose
from alerts.dispatch.system import SystemWatch, alert_of_state
from alerts.live import LiveView
from core.devices import DeviceKey
from tests.unit.alerts.dispatch.scene import Scene, instant, lift
from tests.unit.alerts.talk import Talk


def test_the_live_view_takes_the_sound_states() -> None:
    talk, view = Talk(), LiveView()
    view.observe(talk.lift(0))
    ((sighting, state),) = view.changed()
    later = LiveView()
    sound = sighting.device.path
    refused = later.restore({sound: state, "demo/elevator/lift-9": state[:-3], "no path": state})
    assert [*refused] == ["demo/elevator/lift-9", "no path"]
    assert refused["demo/elevator/lift-9"] == "Input data was truncated"


def test_a_component_with_a_damaged_memory_is_watched_anew() -> None:
    before, after = SystemWatch(), SystemWatch()
    before.observe({"disk": "full", "clock": "jumped"}, instant(0))
    states = {key: state for key, state in before.dirty().items() if state is not None}
    (damaged,) = [key for key in states if key.endswith("disk")]
    refused = after.restore({**states, damaged: b"\xc1"})
    assert [*refused] == [damaged]
    lost = alert_of_state(damaged)
    assert lost is not None
    assert lost.device == DeviceKey.from_path("anju/system/disk")


def test_an_alert_whose_incident_is_lost_is_told_anew() -> None:
    scene = Scene()
    scene.fire(0, "a1", device=lift(1))
    assert [each.purpose for each in scene.pass_until(60)] == [Purpose.FIRING]
    scene._store()
    (incident,) = [key for key in scene.states if key.startswith("incident/")]
    scene.states[incident] = msgspec.msgpack.encode("nothing of ours")
    scene.desk = type(scene.desk)(scene.plan, scene.inventory)
    assert [*scene.desk.restore(scene.states)] == [incident]
    told = scene.pass_until(180)
    assert Purpose.FIRING in [each.purpose for each in told]
    assert [alert.id for alert in told[0].alerts] == ["a1"]

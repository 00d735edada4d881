"""Alerts about Anju itself: raised when it lasts, once, and over when it is over."""

from datetime import timedelta

import pytest

from alerts.dispatch.system import SystemWatch
from alerts.dispatch.system_rules import device_of, receiver_of
from alerts.model import Severity, Transition, TransitionKind
from tests.unit.alerts.dispatch.scene import START, instant

PENDING, FIRING, RESOLVED = TransitionKind.PENDING, TransitionKind.FIRING, TransitionKind.RESOLVED


def kinds(said: list[Transition]) -> list[tuple[str, TransitionKind]]:
    return [(one.rule, one.kind) for one in said]


@pytest.mark.parametrize("component", ["broker", "ingest"])
def test_a_component_that_is_away_for_half_a_minute_raises_an_alert_of_its_own(component: str) -> None:
    watch = SystemWatch()
    assert watch.observe({component: "refused"}, instant(0)) == []
    assert watch.observe({component: "refused"}, instant(29.999)) == []
    said = watch.observe({component: "timed out"}, instant(30))
    assert kinds(said) == [(f"{component}-away", PENDING), (f"{component}-away", FIRING)]
    assert (said[0].at, said[1].at, said[1].pending_since) == (START, instant(30), START)
    assert said[1].device.path == f"anju/system/{component}"
    assert said[1].reason.en == f"{component}: timed out"
    assert said[1].reason.facts["next_step_zh"]
    assert watch.observe({component: "timed out"}, instant(31)) == []
    (over,) = watch.observe({component: None}, instant(40))
    assert (over.kind, over.alert_id, over.at) == (RESOLVED, said[1].alert_id, instant(40))
    assert watch.observe({component: None}, instant(41)) == []


@pytest.mark.parametrize(
    ("wrong", "zh", "en"),
    [
        ("剩余 1 MiB / 1 MiB free", "剩余 1 MiB", "1 MiB free"),
        ("GET /a / b refused", "GET /a / b refused", "GET /a / b refused"),
    ],
    ids=["both languages", "an error text"],
)
def test_each_language_has_its_own_words(wrong: str, zh: str, en: str) -> None:
    _, firing = SystemWatch().observe({"disk/full": wrong}, instant(0))
    assert (firing.reason.zh, firing.reason.en) == (f"disk/full：{zh}", f"disk/full: {en}")


ERRORS = {
    "broker": "连不上消息服务器，技术信息：[Errno 111]",
    "ingest": "接收程序没有心跳，技术信息：[Errno 111]",
    "receiver/phone-li": "多次发送失败，技术信息：[Errno 111]",
    "service/deliverer": "服务出错，正在自动重启，技术信息：[Errno 111]",
    "configuration/rules": "文件被拒绝，错误原文：[Errno 111]",
}


@pytest.mark.parametrize("component", ERRORS)
def test_an_error_text_is_introduced_in_chinese(component: str) -> None:
    watch = SystemWatch()
    said = [
        *watch.observe({component: "[Errno 111]"}, instant(0)),
        *watch.observe({component: "[Errno 111]"}, instant(30)),
    ]
    shown = component.removeprefix("receiver/")
    assert (said[-1].reason.zh, said[-1].reason.en) == (f"{shown}：{ERRORS[component]}", f"{shown}: [Errno 111]")


def test_a_short_absence_raises_nothing() -> None:
    watch = SystemWatch()
    watch.observe({"broker": "refused"}, instant(0))
    assert watch.observe({"broker": None}, instant(20)) == []
    assert watch.observe({"broker": "refused"}, instant(25)) == []
    assert watch.observe({"broker": "refused"}, instant(54)) == []


def test_a_receiver_that_fails_is_told_of_at_once_and_by_name() -> None:
    watch = SystemWatch()
    said = watch.observe({"receiver/phone-li": "404 Not Found"}, instant(0))
    assert kinds(said) == [("notification-failed", PENDING), ("notification-failed", FIRING)]
    assert said[1].severity is Severity.MAJOR
    assert said[1].device == device_of("receiver/phone-li")
    assert receiver_of(said[1].device) == "phone-li"
    assert kinds(watch.observe({}, instant(1))) == [("notification-failed", RESOLVED)]


def test_what_nobody_reports_yet_after_a_start_is_not_over() -> None:
    before, after = SystemWatch(), SystemWatch()
    before.observe({"device-clock/estate/gate/g1": "6 min slow", "broker": "refused"}, instant(0))
    before.observe({"device-clock/estate/gate/g1": "6 min slow", "broker": "refused"}, instant(30))
    after.restore({key: state for key, state in before.dirty().items() if state is not None})
    assert kinds(after.observe({"broker": None}, instant(100))) == [("broker-away", RESOLVED)]
    assert after.observe({"device-clock/estate/gate/g1": "6 min slow"}, instant(101)) == []
    assert kinds(after.observe({}, instant(102))) == [("device-clock-wrong", RESOLVED)]


def test_what_nobody_reports_at_all_is_over_after_a_while() -> None:
    before, after = SystemWatch(), SystemWatch()
    before.observe({"device-clock/estate/gate/g1": "6 min slow"}, instant(0))
    after.restore({key: state for key, state in before.dirty().items() if state is not None})
    assert after.observe({}, instant(100)) == []
    assert after.observe({}, instant(114)) == []
    assert kinds(after.observe({}, instant(115))) == [("device-clock-wrong", RESOLVED)]


COMPONENTS = {
    "service/notification desk": ("service-failing", "anju/system/service-notification-desk"),
    "disk": ("disk-nearly-full", "anju/system/disk"),
    "disk/full": ("disk-full", "anju/system/disk-full"),
    "configuration/rules": ("configuration-refused", "anju/system/configuration-rules"),
    "clock": ("clock-jumped", "anju/system/clock"),
    "descriptors": ("descriptors-low", "anju/system/descriptors"),
    "stored/emergency_calls": ("unreadable-records", "anju/system/stored-emergency-calls"),
    "device-clock/jinxiu/thermal/shed-1": ("device-clock-wrong", "jinxiu/thermal/shed-1"),
    "device-floods/jinxiu/gate/east": ("device-floods", "jinxiu/gate/east"),
    "device-floods/nonsense": ("device-floods", "anju/system/device-floods-nonsense"),
    "community-floods/jinxiu": ("community-floods", "jinxiu/system/floods"),
    "unknown-devices/jinxiu": ("unknown-devices", "jinxiu/system/unknown-devices"),
    "unknown-devices": ("unknown-devices", "anju/system/unknown-devices"),
    "broker-floods": ("broker-floods", "anju/system/broker-floods"),
}


@pytest.mark.parametrize(("component", "expected"), COMPONENTS.items(), ids=COMPONENTS)
def test_each_component_has_its_rule_and_its_device(component: str, expected: tuple[str, str]) -> None:
    watch = SystemWatch()
    said = watch.observe({component: "broken"}, instant(0)) + watch.observe({component: "broken"}, instant(60))
    assert [(one.rule, one.device.path) for one in said] == [expected, expected]
    assert said[1].title_zh
    assert said[1].title_en
    (over,) = watch.observe({}, instant(61))
    assert (over.rule, over.kind) == (expected[0], RESOLVED)


def test_components_that_nobody_knows_are_passed_over() -> None:
    assert SystemWatch().observe({"telemetry": "away"}, instant(0)) == []


def test_a_restart_neither_forgets_nor_repeats() -> None:
    states: dict[str, bytes] = {}
    said: list[Transition] = []
    watch = SystemWatch()
    for seconds in range(0, 100, 20):
        watch = SystemWatch()
        watch.restore(states)
        away = "refused" if seconds < 60 else None
        for later in (0, 15):
            said += watch.observe({"broker": away, "receiver/wall": "410"}, START + timedelta(seconds=seconds + later))
        for key, state in watch.dirty().items():
            if state is None:
                states.pop(key)
            else:
                states[key] = state
    assert kinds(said) == [
        ("notification-failed", PENDING),
        ("notification-failed", FIRING),
        ("broker-away", PENDING),
        ("broker-away", FIRING),
        ("broker-away", RESOLVED),
    ]
    assert set(states) == {"system/receiver/wall"}
    assert watch.dirty() == {}


def test_what_was_away_before_a_restart_is_watched_again_before_it_is_raised() -> None:
    watch = SystemWatch()
    watch.observe({"ingest": "stopped"}, instant(0))
    states = {key: state for key, state in watch.dirty().items() if state is not None}
    later = SystemWatch()
    later.restore(states)
    assert later.observe({"ingest": "last heard long ago"}, instant(3_600)) == []
    assert later.observe({"ingest": None}, instant(3_602)) == []
    assert later.dirty() == {"system/ingest": None}

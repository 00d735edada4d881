"""A desk with a timeline to act on: alerts are raised, people act, time passes, and everything said is kept."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from alerts.dispatch.desk import Desk
from alerts.dispatch.model import Intent, Purpose, Suppression, SuppressionKind, TimelineNote, Told
from alerts.dispatch.plan import Plan
from alerts.dispatch.plan_loading import load_plan
from alerts.dispatch.speaking import Decision
from alerts.inventory import DeviceFacts, Inventory
from alerts.matchers import Matcher
from alerts.model import Reason, Severity, TransitionKind
from core.devices import DeviceKey, DeviceKind

# A Wednesday; 08:00 in Shanghai.
START = datetime(2026, 3, 4, 0, 0, tzinfo=UTC)

PLAN = """
version: 1
receivers:
  - {name: wall, mqtt: {topic: anju/notifications}}
  - {name: phone-li, apprise: {url: "${LI}"}}
  - {name: phone-wang, apprise: {url: "${WANG}"}}
people:
  - {name: li, receivers: [phone-li]}
  - {name: wang, receivers: [phone-wang]}
policies:
  - name: ladder
    steps:
      - {after: 0s, notify: [receiver:wall]}
      - {after: 5m, notify: [person:li]}
      - {after: 10m, notify: [person:wang]}
    repeat: 30m
    unattended: {critical: 15m, major: 1h}
routes:
  - {name: critical, severity: critical, policy: ladder, group_wait: 0s}
  - {name: offline, rule: "*-offline", policy: ladder, group_by: [gateway], group_wait: 30s}
  - {name: rest, policy: ladder, group_by: [building], group_wait: 30s, group_interval: 5m}
inhibitions:
  - source: [{label: rule, value: gateway-offline}]
    target: [{label: rule, value: "*-offline", operator: like}]
    equal: [gateway]
    grace: 2m
flood: null
"""


def plan(text: str = PLAN, **changes: object) -> Plan:
    """Return the plan of ``text`` with ``changes``."""
    return replace(load_plan(text, "plan.yaml"), **changes)


def lift(number: int = 1) -> DeviceKey:
    return DeviceKey("demo", DeviceKind.ELEVATOR, f"lift-{number}")


def gateway(name: str = "gw-1") -> DeviceKey:
    return DeviceKey("demo", DeviceKind.GATEWAY, name)


def instant(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def silence(
    begins: float, ends: float, *matchers: Matcher, kind: SuppressionKind = SuppressionKind.SILENCE, name: str = "1"
) -> Suppression:
    """Return a suppression of everything that ``matchers`` match, from second ``begins`` to ``ends``."""
    return Suppression(name, kind, matchers, instant(begins), instant(ends), "works", "li", START)


def step(
    seconds: float,
    kind: TransitionKind,
    alert: str = "a1",
    *,
    device: DeviceKey | None = None,
    rule: str = "door",
    severity: Severity = Severity.MAJOR,
) -> Told:
    """Return one step of a timeline."""
    at = instant(seconds)
    facts: dict[str, str | float | int | bool] = {"next_step_zh": "去看", "next_step_en": "look"}
    reason = Reason("state", "门开着", "the door is open", facts)
    device = device or lift()
    return Told(1, alert, rule, severity, device, kind, at, at, None, reason, "电梯门", "Lift door", at)


class Scene:
    """A desk, and what it said so far. Seconds count from `START`."""

    def __init__(self, the_plan: Plan | None = None, facts: Mapping[DeviceKey, DeviceFacts] | None = None) -> None:
        self.plan = the_plan or plan()
        self.inventory = Inventory(facts or {}, 1)
        self.desk = Desk(self.plan, self.inventory)
        self.said = Decision()
        self.states: dict[str, bytes] = {}
        self._suppressions: Sequence[Suppression] = ()
        self.fired: list[Told] = []
        self._newest: dict[str, Told] = {}
        self._sequence = 0

    def apply(self, told: Told) -> list[Intent]:
        """Let one step of a timeline happen; return what it led to."""
        self._sequence += 1
        return self._keep(self.desk.observe(replace(told, sequence=self._sequence)))

    def fire(
        self,
        seconds: float,
        alert: str = "a1",
        *,
        device: DeviceKey | None = None,
        rule: str = "door",
        severity: Severity = Severity.MAJOR,
        **flags: bool,
    ) -> list[Intent]:
        told = step(seconds, TransitionKind.FIRING, alert, device=device, rule=rule, severity=severity)
        told = replace(told, **flags)
        self.fired.append(told)
        self._newest[alert] = told
        return self.apply(told)

    def act(
        self, seconds: float, kind: TransitionKind, alert: str = "a1", severity: Severity | None = None
    ) -> list[Intent]:
        """Let something else happen to an alert: what a person did, its end, another severity."""
        fired = self._newest[alert]
        at = instant(seconds)
        self._newest[alert] = replace(fired, severity=severity or fired.severity)
        return self.apply(replace(self._newest[alert], kind=kind, at=at, recorded_at=at, actor="li"))

    def resolve(self, seconds: float, alert: str = "a1") -> list[Intent]:
        return self.act(seconds, TransitionKind.RESOLVED, alert)

    def acknowledge(self, seconds: float, alert: str = "a1") -> list[Intent]:
        return self.act(seconds, TransitionKind.ACKNOWLEDGED, alert)

    def pass_until(self, seconds: float) -> list[Intent]:
        return self._keep(self.desk.advance(instant(seconds)))

    def suppress(self, *suppressions: Suppression) -> None:
        self._suppressions = suppressions
        self.desk.set_suppressions(suppressions)

    def restart(self) -> None:
        """Go on with a new desk that knows only what the old one gave out to be stored."""
        self._store()
        self.desk = Desk(self.plan, self.inventory)
        self.desk.set_suppressions(self._suppressions)
        self.desk.restore(self.states)

    def _store(self) -> None:
        for key, state in self.desk.dirty().items():
            if state is None:
                self.states.pop(key, None)
            else:
                self.states[key] = state

    @property
    def remembered(self) -> dict[str, bytes]:
        """What is stored, the desk's own clock left out."""
        self._store()
        return {key: state for key, state in self.states.items() if key != "desk"}

    def notes(self, alert: str) -> list[TimelineNote]:
        return [note for note in self.said.notes if note.alert_id == alert]

    def codes(self, alert: str) -> list[str]:
        return [note.reason.code for note in self.notes(alert)]

    def _keep(self, decision: Decision) -> list[Intent]:
        self.said.add(decision)
        return decision.intents


def brief(intents: Sequence[Intent]) -> list[tuple[float, str, Purpose]]:
    """Return when, to whom and what for, in few words."""
    return [((one.at - START).total_seconds(), one.receiver, one.purpose) for one in intents]

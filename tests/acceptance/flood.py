"""A flood of alarms: many lifts, each with five causes, every cause one alert and every alert one incident."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from core.devices import Channel, DeviceKey, DeviceKind
from core.wire import topics

RECEIVER = "call-centre"
SECRET_VARIABLE = "FLOOD_HOOK_SECRET"
FAULTS = {"chain": "1", "door": "2", "zone": "4", "restart": "8"}
"""GB/T 24476-2017 message codes, one for each rule."""
_RULE = """\
  - id: {rule}
    kind: elevator
    severity: {severity}
    title: {{zh: {rule}, en: {rule}}}
    next_step: {{zh: 查看, en: look}}
    condition: {{kind: event, types: [{begins}], {kinds}clears_on: [{ends}]}}
"""
_PLAN = """\
version: 1
receivers:
  - name: {receiver}
    webhook: {{url: "{url}", secret: "${{{secret}}}"}}
policies:
  - name: once
    steps: [{{after: 0s, notify: ["receiver:{receiver}"]}}]
routes:
  - {{policy: once, group_by: [device, rule], group_wait: 0s}}
flood: null
"""
_KINDS = {
    "chain": "safety_chain_open",
    "door": "door_close_failure",
    "zone": "stopped_outside_door_zone",
    "restart": "restart_prevented",
}
Cause = tuple[str, DeviceKey]
"""Rule and device."""


def write_rules(folder: Path) -> Path:
    """Write the five rules, and return their file."""
    rules = [_RULE.format(rule="button", severity="critical", begins="alarm_pressed", kinds="", ends="alarm_released")]
    rules += [
        _RULE.format(
            rule=name, severity="major", begins="fault_raised", kinds=f"kinds: [{kind}], ", ends="fault_cleared"
        )
        for name, kind in _KINDS.items()
    ]
    path = folder / "flood-rules.yaml"
    path.write_text("version: 1\nrules:\n" + "".join(rules), encoding="utf-8")
    return path


def write_plan(folder: Path, url: str) -> Path:
    """Write the plan that tells ``url`` of each alert by itself, and return its file."""
    path = folder / "flood-plan.yaml"
    path.write_text(_PLAN.format(receiver=RECEIVER, url=url, secret=SECRET_VARIABLE), encoding="utf-8")
    return path


def alarms(count: int, start: datetime) -> Iterator[tuple[Cause, str, bytes]]:
    """Yield ``count`` alarms, no cause twice: what must come of each, its topic and its payload."""
    rules = ["button", *FAULTS]
    for number in range(count):
        lift = DeviceKey("willow-court", DeviceKind.ELEVATOR, f"lift-{number // len(rules):04}")
        rule = rules[number % len(rules)]
        content: dict[str, object] = {"type": "alarm_pressed"}
        if rule != "button":
            content = {"type": "fault_raised", "source": "gbt24476-2017", "code": FAULTS[rule]}
        at = start + timedelta(milliseconds=number)
        payload = {"at": at.isoformat(), "seq": number, **content}
        yield (rule, lift), topics.build(lift, Channel.EVENT), json.dumps(payload).encode()

"""The built-in rules with a fire alarm and pre-alarm by level alone, for tests of time, gaps and regions.

The pack tells a fire by its growth over half a minute; where a test is about when messages count, one level is plainer.
"""

from alerts.packs import builtin_rules
from alerts.rules import Rule, load_rules

_BY_LEVEL = """
version: 1
rules:
  - id: thermal-pre-alarm
    kind: thermal
    severity: major
    title: {zh: 温度预警, en: Thermal pre-alarm}
    next_step: {zh: 查看热像画面, en: Look at the thermal picture}
    for: 10s
    by_arrival: true
    condition: {kind: threshold, signal: maximum_celsius, above: 42, clear: 40}
    at_once: {kind: event, types: [episode_started, episode_updated], where: {level: pre_alarm},
      clears_on: [episode_ended], resolve_after: 24h}
    late: tell
    max_late: 24h
    late_severity: minor
    late_readings: true
  - id: thermal-alarm
    kind: thermal
    severity: critical
    title: {zh: 温度报警, en: Thermal alarm}
    next_step: {zh: 立即切断充电电源, en: Cut the charging power now}
    latch: true
    protected: true
    for: 4s
    condition: {kind: threshold, signal: maximum_celsius, above: 56, clear: 53}
    at_once: {kind: event, types: [episode_started, episode_updated], where: {level: alarm},
      clears_on: [episode_ended], resolve_after: 24h}
    late: tell
    max_late: 24h
    late_readings: true
"""


def rules_by_level() -> list[Rule]:
    """Return the built-in rules, two of them by level."""
    by_level = {rule.id: rule for rule in load_rules(_BY_LEVEL, "by-level.yaml")}
    return [by_level.get(rule.id, rule) for rule in builtin_rules()]

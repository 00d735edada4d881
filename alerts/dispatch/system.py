"""Anju's own alerts: a broker that is away, a receiver that cannot be reached, a disk that is nearly full."""

import re
from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from alerts.dispatch.system_rules import RECEIVER, SystemRule, device_of, rule_of
from alerts.memory import Microseconds
from alerts.model import Reason, Transition, TransitionKind
from alerts.ports import Afresh
from alerts.restoring import restored
from alerts.steps import alert_id
from core.clock import from_microseconds, to_microseconds

_STATE = "system/"
_CHINESE = re.compile("[\u4e00-\u9fff]")
_NEVER = 0
# Ours: all parts are stopped and started together, and some need longer until they give their first sign of life.
WATCHED_AGAIN: Microseconds = 15_000_000


class ComponentMemory(Struct, array_like=True):
    """Since when a component is not healthy, and the alert about it, once it fires."""

    since: Microseconds
    alert: str = ""


class SystemWatch:
    """Turns reports on components (`system_rules`) into transitions of their alerts."""

    def __init__(self) -> None:
        self._components: dict[str, ComponentMemory] = {}
        self._changed: dict[str, ComponentMemory | None] = {}
        self._unwatched: set[str] = set()
        """Restored without an alert: what they are reported to be may be older than this start."""
        self._unreported: set[str] = set()
        """Restored with an alert and not reported since: the part that reports on them may not be up yet."""
        self._began: Microseconds = _NEVER

    def restore(self, states: Mapping[str, bytes]) -> dict[str, str]:
        """Take over what `dirty` gave out before, whatever else there may be; return what cannot be read, with reasons.

        What was away without an alert yet is watched for `WATCHED_AGAIN` first: nobody knows how it fared meanwhile.
        For as long, what has an alert and is not reported at all is not believed to be healthy.
        """
        return restored({key: state for key, state in states.items() if key.startswith(_STATE)}, self._restore_one)

    def _restore_one(self, key: str, state: bytes) -> None:
        name = key.removeprefix(_STATE)
        memory = self._components[name] = msgspec.msgpack.decode(state, type=ComponentMemory)
        (self._unreported if memory.alert else self._unwatched).add(name)

    def dirty(self) -> dict[str, bytes | None]:
        """Return the states that changed since the last call, by key; ``None`` deletes."""
        changed = {
            _STATE + name: None if memory is None else msgspec.msgpack.encode(memory)
            for name, memory in self._changed.items()
        }
        self._changed = {}
        return changed

    def observe(self, health: Mapping[str, str | None], now: datetime) -> list[Transition]:
        """Take the reports of ``now``: what is wrong with each component, ``None`` for nothing.

        A component that is reported no more is as good as healthy; unknown ones are passed over.
        """
        instant = to_microseconds(now)
        self._began = self._began or instant
        self._unreported -= health.keys()
        if instant >= self._began + WATCHED_AGAIN:
            self._unreported.clear()
        said: list[Transition] = []
        for name in sorted(health.keys() | self._components.keys()):
            rule = rule_of(name)
            if rule is not None and name not in self._unreported:
                said += self._step(name, rule, health.get(name), instant)
        return said

    def _step(self, name: str, rule: SystemRule, wrong: str | None, now: Microseconds) -> list[Transition]:
        memory = self._components.get(name)
        if wrong is None:
            if memory is None:
                return []
            del self._components[name]
            self._unwatched.discard(name)
            self._changed[name] = None
            reason = Reason("healthy", "已恢复正常", "it works again")
            return [_transition(name, rule, memory, TransitionKind.RESOLVED, now, reason)] if memory.alert else []
        if memory is None:
            memory = self._components[name] = self._changed[name] = ComponentMemory(now)
        if memory.alert or now < self._raised_from(name, rule, memory):
            return []
        memory.alert = alert_id(rule.id, device_of(name).path, memory.since, 0)
        self._changed[name] = memory
        return _begin(name, rule, memory, wrong, now)

    def _raised_from(self, name: str, rule: SystemRule, memory: ComponentMemory) -> Microseconds:
        lasted = memory.since + rule.lasting
        return max(lasted, self._began + WATCHED_AGAIN) if rule.lasting and name in self._unwatched else lasted


def alert_of_state(key: str) -> Afresh | None:
    """Return the alert that the memory under ``key`` knew of, if any; ``None`` for a component without a rule."""
    name = key.removeprefix(_STATE)
    rule = rule_of(name)
    return None if rule is None else Afresh(device_of(name), rule.id)


def _begin(name: str, rule: SystemRule, memory: ComponentMemory, wrong: str, now: Microseconds) -> list[Transition]:
    facts: dict[str, str | float | int | bool] = {
        "component": name,
        "next_step_zh": rule.next_step_zh,
        "next_step_en": rule.next_step_en,
    }
    code = "unhealthy"
    shown = name.removeprefix(RECEIVER)
    zh, en = _languages(wrong, rule)
    pending = Reason(code, f"{shown}：{zh}", f"{shown}: {en}")
    firing = Reason(code, pending.zh, pending.en, facts)
    return [
        _transition(name, rule, memory, TransitionKind.PENDING, memory.since, pending),
        _transition(name, rule, memory, TransitionKind.FIRING, now, firing),
    ]


def _languages(wrong: str, rule: SystemRule) -> tuple[str, str]:
    """Return a report in Chinese and in English: ``中文 / English``, or an error text after Chinese words."""
    zh, _, en = wrong.partition(" / ")
    if en and _CHINESE.search(zh):
        return zh, en
    return f"{rule.error_zh}：{wrong}" if rule.error_zh else wrong, wrong


def _transition(
    name: str, rule: SystemRule, memory: ComponentMemory, kind: TransitionKind, at: Microseconds, reason: Reason
) -> Transition:
    return Transition(
        alert_id=memory.alert,
        rule=rule.id,
        severity=rule.severity,
        device=device_of(name),
        kind=kind,
        at=from_microseconds(at),
        pending_since=from_microseconds(memory.since),
        reason=reason,
        position=0,
        title_zh=rule.title_zh,
        title_en=rule.title_en,
    )

"""From what the emergency service says to what the outbox and the timelines of alerts hold. Pure."""

from alerts.dispatch.model import CallPage, CallWords, Intent, Purpose
from alerts.model import Reason, Severity, Transition, TransitionKind
from alerts.steps import alert_id
from core.clock import to_microseconds
from core.devices import DeviceKey, DeviceKind
from emergency.model import Call, OwnAlert, Page, Words
from emergency.own_rules import OWN_RULES, device_about, own_rule


def intent_of(page: Page) -> Intent:
    """Return ``page`` as a notification: its line is the call, so that a receiver is told of one call in order."""
    return Intent(
        id=page.id,
        incident=page.call,
        version=page.version,
        receiver=page.receiver,
        purpose=Purpose.CALL,
        severity=Severity.CRITICAL,
        at=page.at,
        step=page.step,
        community=page.community,
        alerts=(),
        count=0,
        person=page.person or None,
        call=CallPage(page.call, page.kind.value, page.drill, _words(page.zh), _words(page.en), page.facts),
    )


def own_alert_id(alert: OwnAlert) -> str:
    """Return the alert's name, the same however often it is decided."""
    return alert_id(alert.rule, alert.device, to_microseconds(alert.since), 0)


def own_alert_ids(call: Call) -> list[str]:
    """Return the names that alerts about ``call`` have, those of its first and of its present rescue clock."""
    began, device = {call.stamps.raised, call.rescue_from or call.stamps.raised}, device_about(call.place)
    return [alert_id(rule, device, to_microseconds(since), 0) for rule in OWN_RULES for since in sorted(began)]


def device_of(alert: OwnAlert, community: str) -> DeviceKey:
    """Return what the alert is about; for a place without a device a part of Anju stands in ``community``."""
    try:
        return DeviceKey.from_path(alert.device)
    except ValueError:
        return DeviceKey(community, DeviceKind.SYSTEM, "emergency-calls")


def own_steps(alert: OwnAlert, community: str) -> list[Transition]:
    """Return the steps of its timeline: pending and firing, or that it is over."""
    if not alert.firing:
        return [_step(alert, community, TransitionKind.RESOLVED)]
    return [_step(alert, community, kind) for kind in (TransitionKind.PENDING, TransitionKind.FIRING)]


def _words(words: Words) -> CallWords:
    return CallWords(words.title, words.body, words.short)


def _step(alert: OwnAlert, community: str, kind: TransitionKind) -> Transition:
    rule = own_rule(alert.rule)
    facts: dict[str, str | float | int | bool] = {
        "next_step_zh": rule.next_step_zh,
        "next_step_en": rule.next_step_en,
    }
    return Transition(
        alert_id=own_alert_id(alert),
        rule=alert.rule,
        severity=Severity(rule.severity),
        device=device_of(alert, community),
        kind=kind,
        at=alert.since if kind is TransitionKind.PENDING else alert.at,
        pending_since=alert.since,
        reason=Reason(kind.value, alert.reason_zh, alert.reason_en, facts if alert.firing else {}),
        position=0,
        title_zh=rule.title_zh,
        title_en=rule.title_en,
        protected=rule.protected,
    )

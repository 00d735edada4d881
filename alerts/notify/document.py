"""The notification as machines read it: one JSON document for webhooks and MQTT, with a version and a schema."""

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Literal

import msgspec
from msgspec import Struct

from alerts.dispatch.model import AlertBrief, CallPage, Intent, Purpose
from alerts.model import Severity
from alerts.notify.wording import Language, Wording, link_to

VERSION: Literal["anju-notification/1"] = "anju-notification/1"
"""Rises when a field is removed or changes its meaning; new fields come without notice."""


class Bilingual(Struct, frozen=True):
    """A text in both languages."""

    zh: str
    en: str


class Words(Struct, frozen=True):
    """The notification as people are told it: one line, several lines, and one SMS."""

    title: Bilingual
    body: Bilingual
    short: Bilingual


class AlertDocument(Struct, frozen=True):
    """One alert. ``device`` is ``community/kind/device``; ``hanging`` are devices whose alerts this one stands for.

    ``happened_at`` is the device's instant of what arrived late, after a gap of its link; for all others it is null.
    """

    id: str
    rule: str
    severity: Severity
    device: str
    place: Bilingual
    title: Bilingual
    reason: Bilingual
    next_step: Bilingual
    fired_at: datetime
    resolved_at: datetime | None
    acknowledged_by: str | None
    hanging: Sequence[str]
    link: str | None
    happened_at: datetime | None = None


class CallDocument(Struct, frozen=True):
    """An emergency call. ``kind`` says why it is told: ``call`` asks to take it, ``dispatch`` to go there.

    With ``drill`` nobody is in need. ``facts`` are what is known of place, lift, state and phones; new ones come
    without notice.
    """

    id: str
    kind: str
    drill: bool
    facts: Mapping[str, str | float | int | bool | None]


class NotificationDocument(Struct, frozen=True, omit_defaults=True):
    """What a receiver is told. The same ``id`` again is the same message again.

    ``version`` rises with each message of an ``incident``, so that what was shown before can be replaced. ``count`` is
    how many alerts the incident has; ``alerts`` holds at most 50 of them, the worst and newest first. ``call`` is there
    with the purpose ``call`` only: then ``incident`` is the call's id, and there are no alerts. ``confirm`` is there
    where a person is meant, with the weekly test and with pages of calls: the link by which they answer without signing
    in. Whoever has it can answer for them.
    """

    schema: Literal["anju-notification/1"]
    id: str
    incident: str
    version: int
    purpose: Purpose
    severity: Severity
    at: datetime
    receiver: str
    person: str | None
    step: int
    community: str
    count: int
    alerts: Sequence[AlertDocument]
    words: Words
    call: CallDocument | None = None
    confirm: str = ""


def document_of(intent: Intent, zone: tzinfo, base_url: str | None) -> NotificationDocument:
    """Return ``intent`` as its document: the same each time, so that a repeat has the same bytes."""
    return NotificationDocument(
        schema=VERSION,
        id=intent.id,
        incident=intent.incident,
        version=intent.version,
        purpose=intent.purpose,
        severity=intent.severity,
        at=intent.at,
        receiver=intent.receiver,
        person=intent.person,
        step=intent.step,
        community=intent.community,
        count=intent.count,
        alerts=[_alert(alert, base_url) for alert in intent.alerts],
        words=_words(intent, Wording(zone, base_url)),
        call=_call(intent.call) if intent.call else None,
        confirm=intent.confirm,
    )


def body_of(intent: Intent, zone: tzinfo, base_url: str | None) -> bytes:
    """Return the bytes that are sent."""
    return msgspec.json.encode(document_of(intent, zone, base_url))


def json_schema() -> dict[str, Any]:
    """Return the schema (JSON Schema 2020-12) as plain values; receivers pass over fields that are not in it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Anju notification",
        **msgspec.json.schema(NotificationDocument),
    }


def schema_text() -> str:
    """Return the schema as the text of its published file, docs/reference/notification.schema.json."""
    return msgspec.json.format(msgspec.json.encode(json_schema(), order="sorted"), indent=2).decode() + "\n"


def _words(intent: Intent, wording: Wording) -> Words:
    zh, en = wording.notice(intent, Language.ZH), wording.notice(intent, Language.EN)
    return Words(Bilingual(zh.title, en.title), Bilingual(zh.body, en.body), Bilingual(zh.short, en.short))


def _call(page: CallPage) -> CallDocument:
    return CallDocument(page.call, page.kind, page.drill, page.facts)


def _alert(alert: AlertBrief, base_url: str | None) -> AlertDocument:
    return AlertDocument(
        id=alert.id,
        rule=alert.rule,
        severity=alert.severity,
        device=alert.device.path,
        place=Bilingual(alert.place_zh, alert.place_en),
        title=Bilingual(alert.title_zh, alert.title_en),
        reason=Bilingual(alert.reason_zh, alert.reason_en),
        next_step=Bilingual(alert.next_step_zh, alert.next_step_en),
        fired_at=alert.fired_at,
        resolved_at=alert.resolved_at,
        acknowledged_by=alert.acknowledged_by,
        hanging=alert.hanging,
        link=link_to(base_url, alert.id),
        happened_at=alert.happened_at,
    )

"""What a notification says: an intent in Chinese, in English or in both, long for reading and short for an SMS."""

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

from msgspec import Struct

from alerts.dispatch.model import AlertBrief, CallPage, Intent, Purpose
from alerts.notify.phrases import EN, ZH, Phrases

# One SMS holds 70 characters of UCS-2, or 160 of the GSM alphabet, which plain English fits.
SHORT_CHARACTERS = 70
SHORT_ASCII_CHARACTERS = 160
FURTHER_ALERTS = 5
HANGING_DEVICES = 5
_ELLIPSIS = "…"


class Language(StrEnum):
    """What a receiver reads."""

    ZH = "zh"
    EN = "en"
    BOTH = "both"


class Notice(Struct, frozen=True):
    """A notification in words: a title of one line, a body of several, and all of it as one SMS."""

    title: str
    body: str
    short: str


class Wording:
    """Puts intents into words. Instants are shown in ``zone``; without ``base_url`` no link is given.

    The same intent always gives the same words: "how long" is counted up to the intent's own instant.
    """

    def __init__(self, zone: tzinfo, base_url: str | None = None, *, zh: Phrases = ZH, en: Phrases = EN) -> None:
        self._zone = zone
        self._base_url = base_url
        self._zh = zh
        self._en = en

    def notice(self, intent: Intent, language: Language) -> Notice:
        """Return ``intent`` in words; in both languages Chinese stands first, and is the one of the short form."""
        zh = _Speaker(self._zh, self._zone, self._base_url, chinese=True)
        en = _Speaker(self._en, self._zone, self._base_url, chinese=False)
        if language is not Language.BOTH:
            return (zh if language is Language.ZH else en).notice(intent)
        first, second = zh.notice(intent), en.notice(intent)
        return Notice(f"{first.title} / {second.title}", f"{first.body}\n\n{second.title}\n{second.body}", first.short)


def link_to(base_url: str | None, alert_id: str) -> str | None:
    """Return where a person finds the alert, ``None`` where Anju has no public address."""
    return f"{base_url.rstrip('/')}/alerts/{alert_id}" if base_url else None


class _Speaker:
    """Speaks one language."""

    def __init__(self, phrases: Phrases, zone: tzinfo, base_url: str | None, *, chinese: bool) -> None:
        self._phrases = phrases
        self._zone = zone
        self._base_url = base_url
        self._chinese = chinese

    def notice(self, intent: Intent) -> Notice:
        if intent.call is not None:
            return self._called(intent, intent.call)
        return Notice(self._heading(intent), "\n".join(self._lines(intent)), self._short(intent))

    def _called(self, intent: Intent, page: CallPage) -> Notice:
        """Take a page's own words; that a drill is one is seen to here as well, whoever found the words."""
        words = page.zh if self._chinese else page.en
        mark = self._phrases.drill if page.drill else ""
        person = f"\n{self._phrases.person.format(name=_one_line(intent.person))}" if intent.person else ""
        if intent.confirm:
            person += f"\n{self._phrases.reply.format(link=intent.confirm)}"
        return Notice(
            _marked(_one_line(words.title), mark),
            _marked(words.body, mark) + person,
            _squeezed_call(_marked(_one_line(words.short), mark)),
        )

    def _heading(self, intent: Intent) -> str:
        opening = self._phrases.openings[intent.purpose]
        severity = self._phrases.severities[intent.severity]
        if not intent.alerts:
            return self._phrases.heading.format(severity=severity, opening=opening, subject=intent.community or "Anju")
        subject = self._subjects(intent, late=intent.purpose is not Purpose.RESOLVED)
        return self._phrases.heading.format(severity=severity, opening=opening, subject=subject)

    def _subjects(self, intent: Intent, *, late: bool) -> str:
        alert = intent.alerts[0]
        subject = self._subject(alert)
        if late and alert.happened_at is not None:
            subject = self._phrases.late_subject.format(subject=subject, **self._happened(alert.happened_at, alert))
        if intent.count < 2:
            return subject
        return self._phrases.several.format(subject=subject, count=intent.count, more=intent.count - 1)

    def _subject(self, alert: AlertBrief) -> str:
        return self._phrases.subject.format(place=self._place(alert), what=self._title(alert))

    def _lines(self, intent: Intent) -> Iterator[str]:
        if intent.purpose is Purpose.TEST or not intent.alerts:
            yield self._phrases.test.format(at=self._minute(intent.at))
            if intent.confirm:
                yield self._phrases.confirm.format(link=intent.confirm)
        else:
            yield from self._about(intent, intent.alerts[0])
            yield from self._further(intent)
        yield from self._circumstances(intent)

    def _about(self, intent: Intent, alert: AlertBrief) -> Iterator[str]:
        say, over = self._phrases, intent.purpose is Purpose.RESOLVED
        yield say.where.format(place=self._place(alert))
        yield say.what.format(what=self._title(alert), severity=say.severities[alert.severity])
        yield self._time(alert, intent.at)
        if reason := self._choose(alert.reason_zh, alert.reason_en):
            yield say.reason.format(reason=reason)
        if (step := self._choose(alert.next_step_zh, alert.next_step_en)) and not over:
            yield say.next_step.format(step=step)
        yield from self._acknowledgement(intent, over=over)
        yield from self._hanging(alert)

    def _time(self, alert: AlertBrief, now: datetime) -> str:
        start, until = self._minute(alert.fired_at), alert.resolved_at
        if alert.happened_at is not None:
            return self._phrases.happened.format(start=self._minute(alert.happened_at), at=start)
        lasting = self._lasting((until or now) - alert.fired_at)
        if until is None:
            return self._phrases.since.format(start=start, lasting=lasting)
        return self._phrases.lasted.format(start=start, end=self._minute(until), lasting=lasting)

    def _acknowledgement(self, intent: Intent, *, over: bool) -> Iterator[str]:
        names = dict.fromkeys(_one_line(alert.acknowledged_by) for alert in intent.alerts if alert.acknowledged_by)
        if not names:
            if not over:
                yield self._phrases.unacknowledged
            return
        whole = all(alert.acknowledged_by for alert in intent.alerts) and intent.count <= len(intent.alerts)
        phrase = self._phrases.acknowledged if whole else self._phrases.partly_acknowledged
        yield phrase.format(names=self._phrases.comma.join(names))

    def _hanging(self, alert: AlertBrief) -> Iterator[str]:
        if not alert.hanging:
            return
        names = self._phrases.comma.join(alert.hanging[:HANGING_DEVICES])
        if len(alert.hanging) > HANGING_DEVICES:
            names = self._phrases.and_more.format(names=names)
        yield self._phrases.hanging.format(count=len(alert.hanging), names=names)

    def _further(self, intent: Intent) -> Iterator[str]:
        if intent.count < 2:
            return
        say, shown = self._phrases, intent.alerts[1 : 1 + FURTHER_ALERTS]
        yield say.further.format(count=intent.count - 1)
        for alert in shown:
            subject = self._subject(alert)
            if alert.resolved_at is not None and intent.purpose is not Purpose.RESOLVED:
                subject = say.cleared.format(subject=subject)
            yield say.further_line.format(severity=say.severities[alert.severity], subject=subject)
        if (rest := intent.count - 1 - len(shown)) > 0:
            yield say.further_rest.format(count=rest)

    def _circumstances(self, intent: Intent) -> Iterator[str]:
        say = self._phrases
        if intent.step > 0:
            yield say.ladder.format(step=intent.step + 1)
        if intent.person:
            yield say.person.format(name=_one_line(intent.person))
        if intent.version > 1:
            yield say.told.format(version=intent.version)
        if intent.alerts and (link := link_to(self._base_url, intent.alerts[0].id)):
            yield say.link.format(link=link)

    def _short(self, intent: Intent) -> str:
        text = self._squeezed(intent, SHORT_ASCII_CHARACTERS)
        return text if text.isascii() else self._squeezed(intent, SHORT_CHARACTERS)

    def _squeezed(self, intent: Intent, room: int) -> str:
        """Return the short form in ``room`` characters: the subject is cut before the time, the next step is whole."""
        say = self._phrases
        opening, severity = say.openings[intent.purpose], say.severities[intent.severity]
        subject = self._subjects(intent, late=False) if intent.alerts else intent.community or "Anju"
        tail = self._short_time(intent)
        frame = len(say.short.format(severity=severity, opening=opening, subject="")) + len(tail)
        text = say.short.format(severity=severity, opening=opening, subject=_cut(subject, room - frame)) + tail
        step = self._first_step(intent)
        longer = text + say.short_next_step.format(step=step)
        if intent.confirm:
            step, longer = intent.confirm, say.short_confirm.format(link=intent.confirm)
        return longer if step and len(longer) <= room else text[:room]

    def _short_time(self, intent: Intent) -> str:
        if not intent.alerts:
            return ""
        alert = intent.alerts[0]
        if alert.happened_at is not None:
            return self._phrases.short_happened.format(**self._happened(alert.happened_at, alert))
        if intent.purpose is Purpose.RESOLVED:
            lasting = self._lasting((alert.resolved_at or intent.at) - alert.fired_at)
            return self._phrases.short_lasted.format(lasting=lasting)
        # The year is left out.
        return self._phrases.short_since.format(start=self._minute(alert.fired_at)[5:])

    def _happened(self, happened_at: datetime, alert: AlertBrief) -> dict[str, str]:
        """Return when it happened and when it was received: without the year, and without the day said before."""
        start, at = self._minute(happened_at), self._minute(alert.fired_at)
        return {"start": start[5:], "at": at[11:] if at[:10] == start[:10] else at[5:]}

    def _first_step(self, intent: Intent) -> str:
        if not intent.alerts or intent.purpose is Purpose.RESOLVED:
            return ""
        return self._choose(intent.alerts[0].next_step_zh, intent.alerts[0].next_step_en)

    def _place(self, alert: AlertBrief) -> str:
        return self._choose(alert.place_zh, alert.place_en) or alert.device.path

    def _title(self, alert: AlertBrief) -> str:
        return self._choose(alert.title_zh, alert.title_en) or alert.rule

    def _choose(self, zh: str, en: str) -> str:
        return _one_line((zh or en) if self._chinese else (en or zh))

    def _minute(self, instant: datetime) -> str:
        # Figures only: month names would hang on the machine's locale.
        return instant.astimezone(self._zone).strftime("%Y-%m-%d %H:%M")

    def _lasting(self, duration: timedelta) -> str:
        say, minutes = self._phrases, duration // timedelta(minutes=1)
        if minutes < 1:
            return say.no_time
        days, hours, minutes = minutes // 1_440, minutes // 60 % 24, minutes % 60
        # Two units are exact enough, and the minutes of a day-long alert are noise.
        parts = [(say.days, days), (say.hours, hours), (say.minutes, 0 if days else minutes)]
        return " ".join(phrase.format(count=count) for phrase, count in parts if count)


def _marked(text: str, mark: str) -> str:
    return text if text.startswith(mark.rstrip()) else mark + text


def _squeezed_call(text: str) -> str:
    return _cut(text, SHORT_ASCII_CHARACTERS if text.isascii() else SHORT_CHARACTERS)


def _one_line(text: str) -> str:
    # A line break in a title would begin a header of an e-mail.
    return " ".join(text.split())


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: max(0, room - 1)] + _ELLIPSIS

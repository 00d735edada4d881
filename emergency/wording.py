"""What a page of a call says, in Chinese and English: long for reading, short for an SMS. Pure, but for `load_words`.

The words are in `words.json` beside this module, by language and key, like those of the desk's page. What stands in
braces is filled in here. Where each value of an enum has a word, the key ends in the value (`_VALUES`).
"""

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from functools import cache
from importlib.resources import files

import msgspec

from core.errors import StartupError
from core.wire.payloads import Direction, DoorState
from emergency.ladder import LadderStep
from emergency.model import STOPPED, Call, CallState, PageKind, Responder, Source, Value, Words

Table = Mapping[str, Mapping[str, str]]
"""Words by language and key."""

# One SMS holds 70 characters of UCS-2; what an English page says of a Chinese place needs them too.
SHORT_CHARACTERS = 70
# Of those the place keeps at least so many, whatever else there is to say.
_LEAST_PLACE = 12
_MOST_SAID = 200
_ELLIPSIS = "…"
_VALUES: dict[str, Iterable[str]] = {
    "opening": set(PageKind) - {PageKind.UPDATE},
    "update": CallState,
    "after": CallState,
    "next": set(PageKind) - {PageKind.UPDATE, PageKind.CALL},
    "source": Source,
    "door": DoorState,
    "direction": Direction,
}


@cache
def load_words() -> Table:
    """Return the words of pages; raises `StartupError` where some are missing. Read once, later no file is needed."""
    text = files("emergency").joinpath("words.json").read_bytes()
    words = msgspec.json.decode(text, type=dict[str, dict[str, str]])
    if missing := missing_words(words):
        raise StartupError(f"words of calls: {'; '.join(missing)}")
    return words


def missing_words(words: Table) -> list[str]:
    """Return what one language lacks beside the other, and for which values there is no word in either."""
    zh, en = words["zh"], words["en"]
    wanted = {f"{stem}_{value}" for stem, values in _VALUES.items() for value in values}
    missing = [f"{key}: no word in zh" for key in sorted((wanted | en.keys()) - zh.keys())]
    missing += [f"{key}: no word in en" for key in sorted((wanted | zh.keys()) - en.keys())]
    return missing + [f"{key}: not the same braces" for key in zh if key in en and _braces(zh[key]) != _braces(en[key])]


def _braces(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


class PageWording:
    """Puts pages into words. Instants are shown in ``zone``; without ``base_url`` no link is given.

    The same call always gives the same words. Everything said of a drill begins with its mark.
    """

    def __init__(self, zone: tzinfo, base_url: str | None = None) -> None:
        self._zh, self._en = (_Speaker(language, zone, base_url) for language in ("zh", "en"))

    def __call__(
        self, call: Call, kind: PageKind, step: LadderStep | None, to_dial: Sequence[LadderStep] = ()
    ) -> tuple[Words, Words]:
        """Return the page in Chinese and in English.

        ``step`` is the one of the ladder whose people are told, ``to_dial`` those whose numbers wait to be dialled.
        """
        return self._zh.words(call, kind, step, to_dial), self._en.words(call, kind, step, to_dial)


class _Speaker:
    """Speaks one language."""

    def __init__(self, language: str, zone: tzinfo, base_url: str | None) -> None:
        self._words = load_words()[language]
        self._chinese = language == "zh"
        self._zone = zone
        self._base_url = base_url

    def words(self, call: Call, kind: PageKind, step: LadderStep | None, to_dial: Sequence[LadderStep]) -> Words:
        mark = self._say("drill") if call.drill else ""
        return Words(
            mark + self._title(call, kind),
            "\n".join(self._lines(call, kind, step, to_dial)),
            self._short(call, kind, mark, to_dial if kind is PageKind.DIAL else ()),
        )

    def _say(self, key: str, **facts: object) -> str:
        return self._words[key].format(**facts)

    def _spoken(self, zh: str, en: str) -> str:
        return zh if self._chinese else en

    def _title(self, call: Call, kind: PageKind) -> str:
        floor = _text(call.place.latest.get("floor"))
        title = self._say("title", opening=self._opening(call, kind), place=self._place(call))
        return title + self._say("title_floor", floor=floor) if floor else title

    def _opening(self, call: Call, kind: PageKind) -> str:
        return self._say(f"update_{call.state}" if kind is PageKind.UPDATE else f"opening_{kind}")

    def _lines(
        self, call: Call, kind: PageKind, step: LadderStep | None, to_dial: Sequence[LadderStep]
    ) -> Iterator[str]:
        if call.drill:
            yield self._say("drill_line")
        yield from self._where(call)
        yield from self._who_calls(call)
        yield from self._who_helps(call)
        yield from self._clock(call, kind)
        if step is not None and kind in (PageKind.CALL, PageKind.DISPATCH):
            yield self._say("step", step=_one_line(self._spoken(step.title_zh, step.title_en)))
        if to_dial and call.state not in STOPPED and not call.drill:
            yield self._say("to_dial", numbers=self._say("comma").join(self._numbers(to_dial)))
        if next_step := self._next_step(call, kind):
            yield self._say("next_step", step=next_step)
        if self._base_url:
            yield self._say("link", link=f"{self._base_url.rstrip('/')}/desk#call={call.id}")

    def _numbers(self, steps: Sequence[LadderStep]) -> Iterator[str]:
        for step in steps:
            for each in step.contacts:
                if each.phone:
                    title = _one_line(self._spoken(each.title.zh, each.title.en))
                    yield title if each.phone in title else f"{title} {each.phone}"

    def _where(self, call: Call) -> Iterator[str]:
        place = call.place
        building = self._say("building", building=_one_line(place.building)) if place.building else ""
        yield self._say("where", place=self._place(call)) + building
        if facts := self._say("comma").join(self._car(call)):
            yield self._say("car", facts=facts)
        if call.people is not None:
            yield self._say("people", people=call.people)
        if place.rescue_code:
            yield self._say("rescue_code", code=place.rescue_code)

    def _car(self, call: Call) -> Iterator[str]:
        latest = call.place.latest
        if floor := _text(latest.get("floor")):
            yield self._say("floor", floor=floor)
        if (door := latest.get("door_state")) in [*DoorState]:
            yield self._say(f"door_{door}")
        if (direction := latest.get("direction")) in [*Direction]:
            yield self._say(f"direction_{direction}")
        if isinstance(there := latest.get("passenger_present"), bool):
            yield self._say("passenger_present" if there else "passenger_absent")

    def _who_calls(self, call: Call) -> Iterator[str]:
        caller = call.caller
        yield self._say("since", at=self._instant(call.stamps.raised))
        yield self._say("source", source=self._say(f"source_{call.source}"))
        if named := " ".join(filter(None, (_one_line(caller.name), _one_line(caller.phone)))):
            yield self._say("caller", caller=named)
        if caller.text:
            yield self._say("text", text=_cut(_one_line(caller.text), _MOST_SAID))

    def _who_helps(self, call: Call) -> Iterator[str]:
        stamps, responder = call.stamps, call.responder
        if call.answered_by:
            yield self._say("answered", name=_one_line(call.answered_by))
        if responder is not None:
            key = "dispatched" if responder.on_the_way_at is None else "on_the_way"
            yield self._say(key, name=self._responder(responder))
        if stamps.on_site is not None:
            yield self._say("on_site", at=self._minute(stamps.on_site))
        if stamps.freed is not None:
            yield self._say("freed", at=self._minute(stamps.freed))

    def _responder(self, responder: Responder) -> str:
        name = " ".join(filter(None, (_one_line(responder.name), _one_line(responder.phone))))
        if responder.arrives_at is None:
            return name
        return self._say("arrives", name=name, at=self._minute(responder.arrives_at))

    def _clock(self, call: Call, kind: PageKind) -> Iterator[str]:
        stamps = call.stamps
        over = stamps.on_site or stamps.freed or call.state in (CallState.ABANDONED, CallState.CLOSED)
        if call.rescue_by is not None and not over:
            late = kind is PageKind.OVERDUE or stamps.overdue is not None
            yield self._say("overdue" if late else "rescue_by", at=self._minute(call.rescue_by))

    def _next_step(self, call: Call, kind: PageKind) -> str:
        if kind is PageKind.UPDATE:
            return self._say(f"after_{call.state}")
        if call.drill:
            return self._say("next_drill")
        if kind is PageKind.CALL:
            return self._say("next_call_lift" if call.place.lift else "next_call_place")
        return self._say(f"next_{kind}")

    def _short(self, call: Call, kind: PageKind, mark: str, to_dial: Sequence[LadderStep]) -> str:
        """Return all of it in one SMS: what does not fit is left out from the end, then the place is cut."""
        head = mark + self._say("title", opening=self._opening(call, kind), place="")
        place, tail = self._place(call), ""
        wanted = min(len(place), _LEAST_PLACE)
        for piece in self._short_pieces(call, to_dial):
            if len(head) + wanted + len(tail) + len(piece) <= SHORT_CHARACTERS:
                tail += piece
        return head + _cut(place, SHORT_CHARACTERS - len(head) - len(tail)) + tail

    def _short_pieces(self, call: Call, to_dial: Sequence[LadderStep]) -> Iterator[str]:
        """What matters most first."""
        if floor := _text(call.place.latest.get("floor")):
            yield self._say("short_floor", floor=floor)
        for phone in dict.fromkeys(each.phone for step in to_dial for each in step.contacts if each.phone):
            yield self._say("short_dial", phone=phone)
        if call.place.rescue_code:
            yield self._say("short_code", code=call.place.rescue_code)
        if call.people is not None:
            yield self._say("short_people", people=call.people)
        yield self._say("short_since", at=self._minute(call.stamps.raised))

    def _place(self, call: Call) -> str:
        place = call.place
        named = self._spoken(place.name_zh, place.name_en) or place.name_zh or place.name_en
        return _one_line(named) or place.lift or place.point or place.community

    def _instant(self, instant: datetime) -> str:
        # Figures only: month names would hang on the machine's locale.
        return instant.astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S")

    def _minute(self, instant: datetime) -> str:
        return instant.astimezone(self._zone).strftime("%H:%M")


def _text(value: Value) -> str:
    return "" if value is None or isinstance(value, bool) else _one_line(str(value))


def _one_line(text: str) -> str:
    # A line break in a title would begin a header of an e-mail.
    return " ".join(text.split())


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: max(0, room - 1)] + _ELLIPSIS

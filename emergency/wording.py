"""What a page of a call says, in Chinese and English: long for reading, short for an SMS. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from typing import TypeVar

from core.wire.payloads import Direction, DoorState
from emergency.ladder import LadderStep
from emergency.model import STOPPED, Call, CallState, PageKind, Responder, Value, Words
from emergency.phrases import EN, ZH, Phrases
from emergency.plan import Title

# One SMS holds 70 characters of UCS-2; what an English page says of a Chinese place needs them too.
SHORT_CHARACTERS = 70
# Of those the place keeps at least so many, whatever else there is to say.
_LEAST_PLACE = 12
_MOST_SAID = 200
_ELLIPSIS = "…"
_Name = TypeVar("_Name", DoorState, Direction)


def link_to(base_url: str, call_id: str) -> str:
    """Return where the desk shows a call."""
    return f"{base_url.rstrip('/')}/desk#call={call_id}"


class PageWording:
    """Puts pages into words. Instants are shown in ``zone``; without ``base_url`` no link is given.

    The same call always gives the same words. Everything said of a drill begins with its mark.
    """

    def __init__(self, zone: tzinfo, base_url: str | None = None) -> None:
        self._zone = zone
        self._base_url = base_url

    def __call__(
        self, call: Call, kind: PageKind, step: LadderStep | None, to_dial: Sequence[LadderStep] = ()
    ) -> tuple[Words, Words]:
        """Return the page in Chinese and in English.

        ``step`` is the one of the ladder whose people are told, ``to_dial`` those whose numbers wait to be dialled.
        """
        link = link_to(self._base_url, call.id) if self._base_url else ""
        zh = _Speaker(ZH, self._zone, chinese=True).words(call, kind, step, to_dial, link)
        en = _Speaker(EN, self._zone, chinese=False).words(call, kind, step, to_dial, link)
        return zh, en


class _Speaker:
    """Speaks one language."""

    def __init__(self, phrases: Phrases, zone: tzinfo, *, chinese: bool) -> None:
        self._say = phrases
        self._zone = zone
        self._chinese = chinese

    def words(
        self, call: Call, kind: PageKind, step: LadderStep | None, to_dial: Sequence[LadderStep], link: str
    ) -> Words:
        mark = self._say.drill if call.drill else ""
        return Words(
            mark + self._title(call, kind),
            "\n".join([*self._lines(call, kind, step, to_dial), *([self._say.link.format(link=link)] if link else [])]),
            self._short(call, kind, mark, to_dial if kind is PageKind.DIAL else ()),
        )

    def _title(self, call: Call, kind: PageKind) -> str:
        floor = _text(call.place.latest.get("floor"))
        title = self._say.title.format(opening=self._opening(call, kind), place=self._place(call))
        return title + self._say.title_floor.format(floor=floor) if floor else title

    def _opening(self, call: Call, kind: PageKind) -> str:
        opening = self._say.openings[kind]
        return self._say.updates.get(call.state, opening) if kind is PageKind.UPDATE else opening

    def _lines(
        self, call: Call, kind: PageKind, step: LadderStep | None, to_dial: Sequence[LadderStep]
    ) -> Iterator[str]:
        say = self._say
        if call.drill:
            yield say.drill_line
        yield from self._where(call)
        yield from self._who_calls(call)
        yield from self._who_helps(call)
        yield from self._clock(call, kind)
        if step is not None and kind in (PageKind.CALL, PageKind.DISPATCH):
            yield say.step.format(step=_one_line(self._title_of(step)))
        if to_dial and call.state not in STOPPED and not call.drill:
            yield say.to_dial.format(numbers=say.comma.join(self._numbers(to_dial)))
        if next_step := self._next_step(call, kind):
            yield say.next_step.format(step=next_step)

    def _title_of(self, named: LadderStep | Title) -> str:
        if isinstance(named, LadderStep):
            return named.title_zh if self._chinese else named.title_en
        return named.zh if self._chinese else named.en

    def _numbers(self, steps: Sequence[LadderStep]) -> Iterator[str]:
        for step in steps:
            for each in step.contacts:
                if each.phone:
                    title = _one_line(self._title_of(each.title))
                    yield title if each.phone in title else f"{title} {each.phone}"

    def _where(self, call: Call) -> Iterator[str]:
        say, place = self._say, call.place
        building = say.building.format(building=_one_line(place.building)) if place.building else ""
        yield say.where.format(place=self._place(call)) + building
        if facts := self._say.comma.join(self._car(call)):
            yield say.car.format(facts=facts)
        if call.people is not None:
            yield say.people.format(people=call.people)
        if place.rescue_code:
            yield say.rescue_code.format(code=place.rescue_code)

    def _car(self, call: Call) -> Iterator[str]:
        say, latest = self._say, call.place.latest
        if floor := _text(latest.get("floor")):
            yield say.floor.format(floor=floor)
        if (door := _one_of(DoorState, latest.get("door_state"))) is not None:
            yield say.doors[door]
        if (direction := _one_of(Direction, latest.get("direction"))) is not None:
            yield say.directions[direction]
        if isinstance(there := latest.get("passenger_present"), bool):
            yield say.someone if there else say.no_one

    def _who_calls(self, call: Call) -> Iterator[str]:
        say, caller = self._say, call.caller
        yield say.since.format(at=self._instant(call.stamps.raised))
        yield say.source.format(source=say.sources[call.source])
        if named := " ".join(filter(None, (_one_line(caller.name), _one_line(caller.phone)))):
            yield say.caller.format(caller=named)
        if caller.text:
            yield say.text.format(text=_cut(_one_line(caller.text), _MOST_SAID))

    def _who_helps(self, call: Call) -> Iterator[str]:
        say, stamps = self._say, call.stamps
        if call.answered_by:
            yield say.answered.format(name=_one_line(call.answered_by))
        if call.responder is not None:
            phrase = say.dispatched if call.responder.on_the_way_at is None else say.on_the_way
            yield phrase.format(name=self._responder(call.responder))
        if stamps.on_site is not None:
            yield say.on_site.format(at=self._minute(stamps.on_site))
        if stamps.freed is not None:
            yield say.freed.format(at=self._minute(stamps.freed))

    def _responder(self, responder: Responder) -> str:
        name = " ".join(filter(None, (_one_line(responder.name), _one_line(responder.phone))))
        if responder.arrives_at is None:
            return name
        return self._say.arrives.format(name=name, at=self._minute(responder.arrives_at))

    def _clock(self, call: Call, kind: PageKind) -> Iterator[str]:
        stamps = call.stamps
        over = stamps.on_site or stamps.freed or call.state in (CallState.ABANDONED, CallState.CLOSED)
        if call.rescue_by is None or over:
            return
        late = kind is PageKind.OVERDUE or stamps.overdue is not None
        phrase = self._say.overdue if late else self._say.rescue_by
        yield phrase.format(at=self._minute(call.rescue_by))

    def _next_step(self, call: Call, kind: PageKind) -> str:
        say = self._say
        if kind is PageKind.UPDATE:
            return say.update_steps.get(call.state, "")
        if call.drill:
            return say.in_a_drill
        asked = say.take_lift if call.place.lift else say.take_place
        steps = {
            PageKind.CALL: asked,
            PageKind.DISPATCH: say.go,
            PageKind.HALF_TIME: say.half_time,
            PageKind.OVERDUE: say.call_out,
            PageKind.AGAIN: say.again,
            PageKind.REMINDER: say.left_open,
            PageKind.DIAL: say.dial,
        }
        return steps[kind]

    def _short(self, call: Call, kind: PageKind, mark: str, to_dial: Sequence[LadderStep]) -> str:
        """Return all of it in one SMS: what does not fit is left out from the end, then the place is cut."""
        head = mark + self._say.title.format(opening=self._opening(call, kind), place="")
        place, tail = self._place(call), ""
        wanted = min(len(place), _LEAST_PLACE)
        for piece in self._short_pieces(call, to_dial):
            if len(head) + wanted + len(tail) + len(piece) <= SHORT_CHARACTERS:
                tail += piece
        return head + _cut(place, SHORT_CHARACTERS - len(head) - len(tail)) + tail

    def _short_pieces(self, call: Call, to_dial: Sequence[LadderStep]) -> Iterator[str]:
        """What matters most first."""
        say = self._say
        if floor := _text(call.place.latest.get("floor")):
            yield say.short_floor.format(floor=floor)
        for phone in dict.fromkeys(each.phone for step in to_dial for each in step.contacts if each.phone):
            yield say.short_dial.format(phone=phone)
        if call.place.rescue_code:
            yield say.short_code.format(code=call.place.rescue_code)
        if call.people is not None:
            yield say.short_people.format(people=call.people)
        yield say.short_since.format(at=self._minute(call.stamps.raised))

    def _place(self, call: Call) -> str:
        place = call.place
        named = (place.name_zh or place.name_en) if self._chinese else (place.name_en or place.name_zh)
        return _one_line(named) or place.lift or place.point or place.community

    def _instant(self, instant: datetime) -> str:
        # Figures only: month names would hang on the machine's locale.
        return instant.astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S")

    def _minute(self, instant: datetime) -> str:
        return instant.astimezone(self._zone).strftime("%H:%M")


def _one_of(names: type[_Name], value: Value) -> _Name | None:
    return next((name for name in names if name.value == value), None)


def _text(value: Value) -> str:
    return "" if value is None or isinstance(value, bool) else _one_line(str(value))


def _one_line(text: str) -> str:
    # A line break in a title would begin a header of an e-mail.
    return " ".join(text.split())


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: max(0, room - 1)] + _ELLIPSIS

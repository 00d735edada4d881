"""The page behind a QR code as one document: both languages, style, script and the state it begins in. Pure."""

import base64
import functools
import hashlib
import re
from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from urllib.parse import quote

import msgspec
from msgspec import Struct

from emergency.ladder import rules_of
from emergency.model import Call, CallPoint, Place
from emergency.plan import EmergencyPlan

_FOLDER = files("api").joinpath("pages/resident")
_BOTH = re.compile(r"\[\[(.*?)\|(.*?)\]\]", re.DOTALL)
_SLOT = re.compile(r"\{\{(\w+)\}\}")
_INDENT = re.compile(r"^[ ]+", re.MULTILINE)
_COMMENT = re.compile(r"^(?:// .*)?\n|[ ]+// .*$", re.MULTILINE)
_SPACE = re.compile(r"('[^'\n]*')|/\*[^*]*\*/|[ ]*([{}(),;:=<>+*?&|!-])[ ]*")
_QUOTED = re.compile(r'(?<=\s)(?!data-when)([a-z-]+)="([\w-]+)"')
_WHEN = re.compile(r'data-when="([^"]*)"')
# The city's hotline for trapped passengers and the fire service: they answer whatever becomes of us.
ALWAYS = (("电梯应急热线", "Lift rescue hotline", "96333"), ("消防救援", "Fire and rescue", "119"))
STEPS = {
    "raised": ("已呼叫", "Called"),
    "rang": ("已送达值班人员", "Delivered to people on duty"),
    "answered": ("值班人员已接听", "Answered"),
    "dispatched": ("已安排救援人员", "Rescuers asked to come"),
    "on_the_way": ("救援人员已出发", "Rescuers on the way"),
    "on_site": ("救援人员已到场", "Rescuers here"),
    "freed": ("救援完成", "Rescue complete"),
}
OVER = ("freed", "abandoned", "closed")
# Long enough to read, and to take a call back in between.
_REFRESH = '<noscript><meta http-equiv="refresh" content="8"></noscript><script>{}</script>'


class Html(str):
    """Text that is HTML already; everything else is escaped."""


class StepShown(Struct, frozen=True):
    """A step that is done: when, in the community's time, and by whom; either may be empty."""

    at: str = ""
    by: str = ""


class ClockShown(Struct, frozen=True):
    """The rescue clock: until when, in the community's time (empty for none), and how many seconds that is from now."""

    by: str
    left_seconds: int


class Progress(Struct, frozen=True):
    """How a call stands, as its caller is told. ``shows`` are the words under which parts of the page are visible."""

    id: str
    state: str
    open: bool
    drill: bool
    shows: tuple[str, ...]
    steps: dict[str, StepShown]
    rescue: ClockShown
    arrives_at: str = ""


class Phone(Struct, frozen=True):
    """A number to dial, with whose it is."""

    title_zh: str
    title_en: str
    number: str

    @property
    def href(self) -> str:
        """The address that dials it."""
        return "tel:" + re.sub(r"[^+0-9]", "", self.number)


class Shown(Struct, frozen=True):
    """What one document shows. ``view`` is a word of the page: idle, unknown, unkept, …; with a call it is *call*."""

    lang: str
    view: str = "idle"
    token: str = ""
    place: Place = Place("")
    former: bool = False
    call: Progress | None = None
    call_id: str = ""
    """Of a call that cannot be shown now."""
    phones: tuple[Phone, ...] = tuple(Phone(*each) for each in ALWAYS)


class _Files(Struct, frozen=True):
    page: str
    style: str
    script: str
    guard: str
    worker: str
    voice: str


@functools.cache
def _files() -> _Files:
    names = ("page.html", "style.css", "script.js", "guard.js", "sw.js", "../voice.js")
    # Indents, comments and some quotes are for those who read the source; the page has to come through a bad line.
    read = (_COMMENT.sub("", _INDENT.sub("", _FOLDER.joinpath(name).read_text(encoding="utf-8"))) for name in names)
    page, style, script, *others = read
    bilingual = _BOTH.sub(r"<span lang=zh-CN>\1</span><span lang=en>\2</span>", page)
    return _Files(_QUOTED.sub(r"\1=\2", bilingual), style, _SPACE.sub(r"\1\2", script), *others)


def worker() -> str:
    """Return the script that keeps pages for when there is no network."""
    return _files().worker


def voice() -> str:
    """Return the script for those who want to talk."""
    return _files().voice


@functools.cache
def policy() -> str:
    """Return the Content-Security-Policy of the page: its own style and script, and what this server has."""
    return (
        f"default-src 'none'; script-src 'self' {_hash(_files().script)} {_hash(_files().guard)};"
        f" style-src {_hash(_files().style)};"
        # Old browsers do not count a WebSocket of the same origin as 'self'.
        " connect-src 'self' ws: wss:; img-src data:; media-src 'self' blob:; worker-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def phones_of(plan: EmergencyPlan, place: Place) -> tuple[Phone, ...]:
    """Return the numbers a caller may dial: the first step of the ladder, then those that are there for everybody."""
    steps = rules_of(plan, place).steps
    own = [(each.title.zh, each.title.en, each.phone) for each in (steps[0].contacts if steps else ()) if each.phone]
    found: dict[str, Phone] = {}
    for phone in (Phone(*each) for each in (*own, *ALWAYS)):
        found.setdefault(phone.href, phone)
    return tuple(found.values())


def rendered(shown: Shown) -> str:
    """Return the whole document."""
    place, call, token = shown.place, shown.call, quote(shown.token, safe="")
    call_id = call.id if call else quote(shown.call_id, safe="")
    standing = _standing(shown)
    words = [*standing, *(call.shows if call else (shown.view,))]
    past, coming = _steps(call)
    state = {"place": standing, "view": shown.view, "call": call}
    values: dict[str, str] = {
        "lang": "zh-CN" if shown.lang == "zh" else "en",
        "lang_word": shown.lang,
        "title": "一键呼叫 Call for help",
        "style": Html(_files().style),
        "script": Html(_files().script),
        "refresh": Html(_REFRESH.format(_files().guard) if call and call.open else ""),
        "token": token,
        "state": msgspec.json.encode(state).decode(),
        "name_zh": place.name_zh or place.name_en or place.building or "求助",
        "name_en": place.name_en or place.name_zh or place.building or "Call for help",
        "rescue_code": place.rescue_code,
        "and_call": f"&call={call_id}" if call_id else "",
        "back": f"/c/{token}/calls/{call_id}/abandon" if call_id else "",
        "past": Html("".join(past)),
        "coming": Html("".join(coming)),
        "past_count": str(max(0, len(call.steps) - 1)) if call else "",
        "by": call.rescue.by if call else "",
        "left": "{}:{:02}".format(*divmod(call.rescue.left_seconds, 60)) if call else "",
        "eta": call.arrives_at if call else "",
        "phones": Html("\n".join(map(_phone, shown.phones))),
        "dial": "dial" if "undelivered" in words else "",
    }
    return filled(_WHEN.sub(lambda part: _seen(part, words), _files().page), values)


def filled(template: str, values: Mapping[str, str]) -> str:
    """Return ``template`` with its slots filled, escaped unless `Html`."""

    def value(slot: re.Match[str]) -> str:
        found = values[slot[1]]
        return found if isinstance(found, Html) else escape(found)

    return _SLOT.sub(value, template)


def both(zh: str, en: str) -> Html:
    """Return ``zh`` and ``en``, of which the page shows one."""
    return Html(f"<span lang=zh-CN>{escape(zh)}</span><span lang=en>{escape(en)}</span>")


def _standing(shown: Shown) -> list[str]:
    """Return the words that hold for the page whatever becomes of the call."""
    here = [] if shown.view == "unknown" else ["lift" if shown.place.lift or not shown.place.point else "entrance"]
    coded = ["coded"] if shown.place.rescue_code else []
    return [*here, *coded, *(["former"] if shown.former else [])]


def _seen(part: re.Match[str], words: Iterable[str]) -> str:
    return part[0] if set(part[1].split()) & set(words) else f"{part[0]} hidden"


def _steps(call: Progress | None) -> tuple[list[str], list[str]]:
    """Return the rows of the steps before the present one, and the present one with those to come."""
    done: dict[str, StepShown] = call.steps if call else {}
    present = next(reversed(done), "raised")
    at = list(STEPS).index(present)
    over = call is not None and call.state in OVER
    rows = [
        f'<li data-step="{name}" class="{"now" if name == present else "done" if name in done else ""}"'
        f"{' hidden' if name not in done and (over or number < at) else ''}><time>{escape(step.at)}</time>"
        f'{both(*words)} <span class="by">{escape(step.by)}</span></li>'
        for number, (name, words) in enumerate(STEPS.items())
        for step in [done.get(name, StepShown())]
    ]
    return rows[:at], rows[at:]


def _phone(phone: Phone) -> str:
    title = both(phone.title_zh, phone.title_en)
    return f'<a class="phone" href="{escape(phone.href)}"><span>{title}</span><b>{escape(phone.number)}</b></a>'


def place_key(point: CallPoint) -> str:
    """Return the key of the place at which ``point`` hangs; one call at a time is open there."""
    return Place(point.community, point.lift, point.id).key


def belongs(call: Call, point: CallPoint) -> bool:
    """Tell whether a caller at ``point`` may see ``call``: it is one for help at this place, however it was raised."""
    return call.place.key == place_key(point)

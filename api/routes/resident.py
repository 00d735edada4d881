"""The page behind a QR code: one button that needs no log-in, no script, and hardly a line.

Whoever scans a code calls. The answer to a tap is the page again, or JSON for its script; it always carries numbers to
dial. What goes wrong is shown as a page that can still be used.
"""

import contextlib
import gzip
import re
from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus
from typing import Annotated
from urllib.parse import parse_qs, quote, urlencode

import msgspec
import structlog
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import RedirectResponse
from msgspec.structs import replace

from alerts.dispatch.plan import messengers_of
from api.call_places import place_of_point
from api.dependencies import Dependencies, Given
from api.problems import RETRY_AFTER_SECONDS, problem_response
from api.resident_identity import Identities, Identity, give
from api.resident_page import Phone, Progress, Shown, belongs, phones_of, policy, rendered, voice, worker
from api.resident_progress import Delivery, delivery, progress
from api.routes.emergency_calls import key_of
from api.take_backs import TakeBacks
from api.voice_exchange import VoiceExchange
from core.clock import wall_ahead
from core.errors import Conflict, TemporaryError
from emergency.acts import Abandon, Details
from emergency.joining import DETAILS_KEPT
from emergency.model import Call, CallPoint, CallState, Place, ScannedCode, Source
from emergency.rescue import on_the_wall
from emergency.steps import CALLER, CallRequest

router = APIRouter(prefix="/c", include_in_schema=False)
# No parameter here has bounds: whatever a browser sends, a call is not refused for it.
ShownCall = Annotated[str | None, Query(alias="call")]
Languages = Annotated[str, Header(alias="Accept-Language")]
_WORD = re.compile(r"[\w-]{1,64}", re.ASCII)
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_OVER = (CallState.ABANDONED, CallState.FREED, CallState.CLOSED)
# A key that leads to a call that is over is followed that far: each is a tap that came again after its call had ended.
_FOLLOWED = 5
_FORM_BYTES = 4_096
_NAME_CHARACTERS, _PHONE_CHARACTERS, _PEOPLE = 40, 30, range(1, 101)
_NOT_OF_A_PHONE = re.compile(r"[^0-9+() -]")
_Act = Callable[[CallPoint, Call, dict[str, str]], Awaitable[Call | None]]
_log = structlog.get_logger()


@router.get("/sw.js")
async def get_worker(request: Request) -> Response:
    """The script that shows the page without a network."""
    return _script(request, worker())


@router.get("/voice.js")
async def get_voice(request: Request) -> Response:
    """The script that the page asks for when somebody wants to talk."""
    return _script(request, voice())


@router.get("/{token}")
async def get_page(
    given: Given,
    request: Request,
    token: str,
    call: ShownCall = None,
    lang: str | None = None,
    languages: Languages = "",
) -> Response:
    """The page of a lift or an entrance, with ``call`` as it stands now where it is one of this place."""
    lang = _language(lang, languages)
    try:
        with _border():
            found = await _scanned(given, token)
            if found is None:
                return _page(request, Shown(lang, "unknown", token), 404)
            shown = await _shown(given, lang, token, found)
            own = await _call_of(given, found.point, call)
            if own is None:
                return _page(request, shown, 410 if shown.view == "ended" else 200)
            told = _progress(given, request, own, await _delivery(given, own))
            return _page(request, replace(shown, view="call", call=told))
    except TemporaryError:
        return _page(request, Shown(lang, "idle", token), 503)


@router.get("/{token}/calls")
async def get_form(token: str, lang: str | None = None, languages: Languages = "") -> Response:
    """Lead to the page whoever loads again what a form was answered with."""
    return _led(token, _language(lang, languages))


@router.get("/{token}/calls/{call_id}/abandon")
@router.get("/{token}/calls/{call_id}/details")
async def get_back_form(token: str, call_id: str, lang: str | None = None, languages: Languages = "") -> Response:
    """Lead to the page of the call, as `get_form`."""
    return _led(token, _language(lang, languages), call_id)


@router.post("/{token}/calls")
async def raise_call(
    given: Given,
    request: Request,
    token: str,
    idempotency_key: Annotated[str, Header()] = "",
    languages: Languages = "",
) -> Response:
    """One tap. Answers the call as JSON to the script and a redirect to the page to a form."""
    said = await _said(request)
    lang, key = _language(said.get("lang"), languages), idempotency_key or said.get("key", "")
    shown = Shown(lang, "unkept", token)
    try:
        with _border():
            found = await _scanned(given, token)
            if found is None:
                return _refused(request, Shown(lang, "unknown", token), 404, "this code is not known")
            shown = await _shown(given, lang, token, found)
            if found.ended(given.clock.now()):
                return _refused(request, shown, 410, "this code was replaced: please dial")
            shown = replace(shown, view="unkept")
            call, new = await _tapped(given, request, found.point, shown.place, key)
    except TemporaryError:
        return _refused(request, shown, 503, "calls cannot be kept now: please dial")
    return _answer(given, request, token, call, lang, status=201 if new else 200)


@router.get("/{token}/calls/{call_id}")
async def get_progress(given: Given, request: Request, token: str, call_id: str, languages: Languages = "") -> Response:
    """How the call stands, for the page that shows it."""
    try:
        with _border():
            call = await _known(given, token, call_id)
            if call is None:
                return _no_call(request, token, _language(None, languages))
            return _json(_progress(given, request, call, await _delivery(given, call)))
    except TemporaryError:
        wait = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return problem_response(request, 503, "how it stands cannot be read now", headers=wait)


@router.post("/{token}/calls/{call_id}/abandon")
async def take_back(given: Given, request: Request, token: str, call_id: str, languages: Languages = "") -> Response:
    """The caller takes it back; on what has gone too far for that nothing changes."""
    return await _acted(
        given, request, token, call_id, languages, lambda point, call, _: _taken_back(given, request, point, call)
    )


@router.post("/{token}/calls/{call_id}/details")
async def leave_details(
    given: Given, request: Request, token: str, call_id: str, languages: Languages = ""
) -> Response:
    """A caller leaves name, phone or head count, after the call is out; what is no phone or no number is left out."""
    return await _acted(
        given, request, token, call_id, languages, lambda _, call, said: _detailed(given, request, call, said)
    )


async def _acted(
    given: Dependencies, request: Request, token: str, call_id: str, languages: str, act: _Act
) -> Response:
    said = await _said(request)
    lang = _language(said.get("lang"), languages)
    shown = Shown(lang, "away", token, call_id=call_id)
    try:
        with _border():
            found = await _scanned(given, token)
            call = await _call_of(given, found.point, call_id) if found else None
            if found is None or call is None:
                return _no_call(request, token, lang)
            shown = replace(shown, place=call.place, phones=phones_of(given.emergency.calls.plan, call.place))
            after = await act(found.point, call, said)
            if after is None:
                return _refused(request, shown, 422, "nothing of it can be kept")
            call = after
    except TemporaryError:
        return _refused(request, shown, 503, "this cannot be kept now: try again, or dial")
    return _answer(given, request, token, call, lang)


@contextlib.contextmanager
def _border() -> Iterator[None]:
    """Raise `TemporaryError` whatever goes wrong inside; what nobody expected is written down."""
    try:
        yield
    except TemporaryError:
        raise
    except Exception as error:  # the request's border: whoever calls for help is shown numbers, whatever is broken
        _log.error("call_page.failed", exc_info=error)
        raise TemporaryError("a fault of the service, recorded there") from error


async def _tapped(given: Dependencies, request: Request, point: CallPoint, place: Place, key: str) -> tuple[Call, bool]:
    """Raise a call or join the open one. Also returns whether it is a new one. No tap is refused (`take_backs`)."""
    who, take_backs = _who(request), _take_backs(request)
    before = take_backs.before(who.tapper(point.id), given.clock.steady())
    asked = CallRequest(Source.RESIDENT, place, ref=who.name, shared=who.shared, taken_back=before)
    return await _raised(given, asked, key if _KEY.fullmatch(key) else "")


async def _raised(given: Dependencies, asked: CallRequest, key: str) -> tuple[Call, bool]:
    """Return a call that somebody comes to: a key whose call has ended meanwhile raises, or joins, another one."""
    key = key and key_of(CALLER, asked.place.key, key)
    for _ in range(_FOLLOWED if key else 0):
        call, new = await given.emergency.calls.raise_call(asked, CALLER, key=key)
        if call.state not in _OVER:
            return call, new
        key = key_of(CALLER, call.id, key)
    return await given.emergency.calls.raise_call(asked, CALLER)


async def _detailed(given: Dependencies, request: Request, call: Call, said: dict[str, str]) -> Call | None:
    """Keep what a caller leaves; ``None`` where nothing of it can be kept, as of a closed call."""
    name = "".join(filter(str.isprintable, " ".join(said.get("name", "").split())))[:_NAME_CHARACTERS]
    phone = _NOT_OF_A_PHONE.sub("", said.get("phone", "")).strip()[:_PHONE_CHARACTERS]
    people = next((count for count in _PEOPLE if str(count) == said.get("people", "").strip()), None)
    if not (name or phone or people):
        return None
    with contextlib.suppress(Conflict):
        after = await given.emergency.calls.act(call.id, Details(_who(request).page, name, phone, people), CALLER)
        if after is not None and (after.version != call.version or len(after.details) < DETAILS_KEPT):
            return after
    return None


async def _taken_back(given: Dependencies, request: Request, point: CallPoint, call: Call) -> Call:
    """Take ``call`` back for who asks; what has gone too far for that stays."""
    who = _who(request)
    with contextlib.suppress(Conflict):
        after = await given.emergency.calls.act(call.id, Abandon(who.name_in(call)), CALLER) or call
        if after.version != call.version:
            _take_backs(request).add(who.tapper(point.id), given.clock.steady())
        return after
    return call


def _who(request: Request) -> Identity:
    identities: Identities = request.app.state.identities
    return identities.of(request)


def _take_backs(request: Request) -> TakeBacks:
    take_backs: TakeBacks = request.app.state.take_backs
    return take_backs


async def _scanned(given: Dependencies, token: str) -> ScannedCode | None:
    return await given.emergency.points.by_token(token) if _WORD.fullmatch(token) else None


async def _known(given: Dependencies, token: str, call_id: str) -> Call | None:
    found = await _scanned(given, token)
    return await _call_of(given, found.point, call_id) if found else None


async def _call_of(given: Dependencies, point: CallPoint, call_id: str | None) -> Call | None:
    call = await given.emergency.reader.call(call_id) if call_id and _WORD.fullmatch(call_id) else None
    return call if call is not None and belongs(call, point) else None


async def _shown(given: Dependencies, lang: str, token: str, code: ScannedCode) -> Shown:
    place = await place_of_point(given.emergency.places, code.point)
    phones = phones_of(given.emergency.calls.plan, place)
    ended = code.ended(given.clock.now())
    view = "ended" if ended else "idle"
    return Shown(lang, view, token, place, former=code.former and not ended, phones=phones)


async def _said(request: Request) -> dict[str, str]:
    """Return the fields of a form. What cannot be read is left out: a call is not refused for it."""
    body = (await request.body())[:_FORM_BYTES].decode("utf-8", "replace")
    return {name: values[-1] for name, values in parse_qs(body).items()}


def _language(chosen: str | None, languages: str) -> str:
    """Return ``zh`` or ``en``: what was chosen, else what the browser asks for, Chinese where it says nothing."""
    if chosen in ("zh", "en"):
        return chosen
    wanted = re.findall(r"[a-z]{2,3}", re.sub(r"[-;][^,]*", "", languages.lower()))
    return next((each for each in wanted if each in ("zh", "en")), "en" if wanted else "zh")


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


def _answer(given: Dependencies, request: Request, token: str, call: Call, lang: str, status: int = 200) -> Response:
    if _wants_json(request):
        # How it was delivered is asked for next: a tap waits for nothing.
        return _json(_progress(given, request, call, Delivery()), status)
    return _led(token, lang, call.id)


def _led(token: str, lang: str, call_id: str = "") -> Response:
    asked = {"call": call_id, "lang": lang} if call_id else {"lang": lang}
    return RedirectResponse(f"/c/{quote(token, safe='')}?{urlencode(asked)}", HTTPStatus.SEE_OTHER)


def _json(told: Progress, status: int = 200) -> Response:
    return Response(msgspec.json.encode(told), status, {"Cache-Control": "no-store"}, "application/json")


def _progress(given: Dependencies, request: Request, call: Call, delivered: Delivery) -> Progress:
    exchange: VoiceExchange = request.app.state.voice.exchange
    shown, now = on_the_wall(call, wall_ahead(given.clock)), given.clock.now()
    return progress(shown, now, given.zone, delivered, staff_waits=exchange.staff_waits(call.id))


async def _delivery(given: Dependencies, call: Call) -> Delivery:
    """Return whether a call that rings has reached a person."""
    if call.state is not CallState.RINGING:
        return Delivery()
    pages = await given.emergency.reader.pages(call.id)
    return delivery(call, pages, messengers_of(given.plan.current()), given.clock.now())


def _no_call(request: Request, token: str, lang: str) -> Response:
    if _wants_json(request):
        return problem_response(request, 404, "there is no such call at this place")
    return _led(token, lang)  # Where it says whether the code is known, and calls.


def _refused(request: Request, shown: Shown, status: int, detail: str) -> Response:
    last = status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
    headers = {} if last else {"Retry-After": str(RETRY_AFTER_SECONDS)}
    if _wants_json(request):
        return problem_response(request, status, f"{detail}: {_said_phones(shown.phones)}", headers=headers)
    return _page(request, shown, status, headers)


def _said_phones(phones: tuple[Phone, ...]) -> str:
    return ", ".join(f"{phone.title_en} {phone.number}" for phone in phones)


def _page(request: Request, shown: Shown, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    sent = {
        "Content-Security-Policy": policy(),
        "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
        "Cache-Control": "private, no-cache",
        "Vary": "Accept-Encoding, Accept-Language",
        "Referrer-Policy": "same-origin",
        # By this the page's worker tells it from what a proxy answers.
        "Anju-Page": shown.view,
        **(headers or {}),
    }
    response = _packed(request, rendered(shown), "text/html", status, sent)
    if request.method == "GET":  # Not with the answer to a tap: its take-back would come from somebody else.
        give(request, response)
    return response


def _script(request: Request, text: str) -> Response:
    return _packed(request, text, "text/javascript", 200, {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"})


def _packed(request: Request, text: str, media_type: str, status: int, headers: dict[str, str]) -> Response:
    body, sent = text.encode(), {"X-Content-Type-Options": "nosniff", **headers}
    if "gzip" in request.headers.get("accept-encoding", ""):
        # A third of the bytes: half a second on an old network.
        body, sent["Content-Encoding"] = gzip.compress(body, 6, mtime=0), "gzip"
    return Response(body, status, sent, f"{media_type}; charset=utf-8")

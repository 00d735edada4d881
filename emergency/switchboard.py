"""Takes what people, devices and time do to calls, decides by the pure core, and keeps it, each thing in one commit."""

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar, cast
from weakref import WeakValueDictionary

import msgspec

from core.clock import Clock, Moment, moment
from core.errors import Conflict, Stale, TemporaryError
from emergency import steps
from emergency.acts import Act, Join
from emergency.ladder import LadderStep, Rules, rules_of
from emergency.model import Call, Decision, Page, PageKind, Place, Telling, Value, Words
from emergency.plan import EmergencyPlan
from emergency.ports import CallCommit, CallRecords, Directory, Places, Recipient
from emergency.rescue import on_the_wall
from emergency.steps import CallRequest

Wording = Callable[[Call, PageKind, LadderStep | None, Sequence[LadderStep]], tuple[Words, Words]]
"""Puts a page into words, Chinese and English: the step whose people are told, the steps to be dialled by hand."""
_ATTEMPTS = 20
_Result = TypeVar("_Result")
_DUE_AT_ONCE = 200
_OF_NEWS = (PageKind.AGAIN, PageKind.REMINDER, PageKind.HALF_TIME, PageKind.OVERDUE, PageKind.DIAL)
"""What somebody has to hear of, whoever it is."""


class NobodyToTell(Conflict):
    """A dispatch is to be told through a step of which nobody can be told now: no shift, no receiver, a drill."""


class _Decide(Protocol):
    """One of the functions of `emergency.steps`, everything else that it needs given already."""

    def __call__(self, call: Call, *, now: datetime, rules: Rules, ahead: timedelta) -> Decision | None: ...


class Switchboard:
    """Any number of them may work on the same records: in the API's process and in the service that climbs ladders.

    Whatever is returned is kept. Everything raises `TemporaryError` while the records are away.
    """

    def __init__(
        self,
        records: CallRecords,
        directory: Directory,
        clock: Clock,
        plan: Callable[[], EmergencyPlan],
        wording: Wording,
    ) -> None:
        self._records = records
        self._directory = directory
        self._clock = clock
        self._plan = plan
        self._wording = wording
        self._turns = WeakValueDictionary[str, asyncio.Lock]()
        self.stuck: dict[str, str] = {}
        self.unrepaired: dict[str, str] = {}
        self.damaged_due = False
        """Whether the last `tick` met a call that `repair` has to look at."""
        self.on_pages: Callable[[], None] = lambda: None
        """Called after a commit with pages: whoever delivers need not wait for its next look."""

    @property
    def plan(self) -> EmergencyPlan:
        """The plan in force."""
        return self._plan()

    def rules(self, call: Call) -> Rules:
        """Return ladder and times for the place of ``call``, by the plan in force."""
        return rules_of(self.plan, call.place)

    def words(self, call: Call, kind: PageKind) -> tuple[Words, Words]:
        """Return what a page of ``call`` says now, in Chinese and in English."""
        shown = on_the_wall(call, moment(self._clock).ahead)
        return self._wording(shown, kind, None, self.rules(call).to_dial(call))

    async def raise_call(self, request: CallRequest, actor: str, *, key: str = "") -> tuple[Call, bool]:
        """Raise a call, or join into the one that is open there; return it, and whether it is a new one.

        The same ``key`` again returns the same call, whatever has become of it. The first step's pages are kept with
        it.
        """
        call_id = secrets.token_hex(16)
        if not request.place.lift and not request.place.point:
            apart = msgspec.structs.replace(request.place, apart=key or call_id)
            request = msgspec.structs.replace(request, place=apart)
        raising = partial(self._raise_once, request, actor, key, call_id)
        return await self._in_turn(request.place.key, raising, "the call could not be kept")

    async def _raise_once(self, request: CallRequest, actor: str, key: str, call_id: str) -> tuple[Call, bool]:
        if (kept := await self._kept_before(key, call_id)) is not None:
            return kept, kept.id == call_id
        there = await self._records.open_at(request.place.key, drill=request.drill)
        decided = self._raised(there, request, actor, key or call_id, call_id)
        if decided is None:
            return cast(Call, there), False  # Only a call that was there can be left as it was.
        await self._keep(decided, key=key)
        return await self._records.call(decided.call.id) or decided.call, there is None

    async def _in_turn(self, key: str, attempt: Callable[[], Awaitable[_Result]], failure: str) -> _Result:
        """Return what ``attempt`` returns; where it raises `Stale`, it goes on one after another for each ``key``.

        So fifty people who tap at once are all heard. Attempts in other processes still race: their number is bounded.
        """
        with contextlib.suppress(Stale):
            return await attempt()
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:
            for _ in range(_ATTEMPTS):
                with contextlib.suppress(Stale):
                    return await attempt()
        raise TemporaryError(f"{failure}: too much happened at once, try again")

    async def _kept_before(self, key: str, call_id: str) -> Call | None:
        """Return the call that was raised with this key, or by an attempt whose outcome was not told."""
        kept = await self._records.by_key(key) if key else None
        return kept or await self._records.call(call_id)

    def _raised(self, there: Call | None, request: CallRequest, actor: str, ref: str, call_id: str) -> Decision | None:
        now = moment(self._clock)
        if there is None:
            rules = rules_of(self.plan, request.place)
            return steps.raised(request, call_id, actor, now.steady, rules, ahead=now.ahead)
        its_ref, caller = request.ref or ref, request.caller
        join = Join(request.source, its_ref, caller.text, request.people, caller, request.shared)
        return steps.act(there, join, actor, now.steady, self.rules(there), ahead=now.ahead)

    async def act(self, call_id: str, what: Act, actor: str) -> Call | None:
        """Do ``what`` to a call; ``None`` where there is no such call. `Conflict` where it does not stand so."""
        return await self._change(call_id, partial(steps.act, what=what, actor=actor))

    async def repair(self, places: Places) -> list[str]:
        """Give calls that were rebuilt from a damaged record their place, clock and alert; return their ids.

        A call that cannot be repaired holds up no other: ``unrepaired`` names it with the error, and it is tried again.
        """
        repaired, unrepaired, self.damaged_due = list[str](), dict[str, str](), False
        for call in filter(steps.needs_repair, await self._records.damaged()):
            try:
                await self._change(call.id, partial(steps.repaired, place=await _place_anew(call, places)))
                repaired.append(call.id)
            except TemporaryError:
                raise
            except Exception as error:  # noqa: BLE001 - one call must not keep all others from being heard
                unrepaired[call.id] = f"call {call.id} cannot be repaired: {error!r}"
        self.unrepaired = unrepaired
        return repaired

    async def _change(self, call_id: str, decide: _Decide) -> Call | None:
        return await self._in_turn(call_id, partial(self._change_once, call_id, decide), f"call {call_id}")

    async def _change_once(self, call_id: str, decide: _Decide) -> Call | None:
        call, now = await self._records.call(call_id), moment(self._clock)
        if call is None:
            return None
        decided = decide(call, now=now.steady, rules=self.rules(call), ahead=now.ahead)
        if decided is None:
            return call
        await self._keep(decided)
        return decided.call

    async def tick(self) -> None:
        """Do what is due, of all calls.

        A call that cannot be decided, by a mistake of ours, holds up no other: ``stuck`` names it with the error.
        """
        stuck: dict[str, str] = {}
        while due := await self._records.due(self._clock.steady(), _DUE_AT_ONCE):
            self.damaged_due = self.damaged_due or any(map(steps.needs_repair, due))
            ticking = (self._change(call.id, steps.tick) for call in due)
            for call, came in zip(due, await asyncio.gather(*ticking, return_exceptions=True), strict=True):
                if isinstance(came, TemporaryError) or (came is not None and not isinstance(came, Call | Exception)):
                    raise came
                if isinstance(came, Exception):
                    stuck[call.id] = f"call {call.id}: {came!r}"
            if len(due) < _DUE_AT_ONCE or stuck:
                break
        self.stuck = stuck

    async def _keep(self, decided: Decision, *, key: str = "") -> None:
        whole, pages = await self._with_pages(decided, moment(self._clock))
        await self._records.commit([CallCommit(whole.call, whole.events, pages, whole.alerts, key)])
        if pages:
            self.on_pages()

    async def _with_pages(self, decided: Decision, now: Moment) -> tuple[Decision, tuple[Page, ...]]:
        """Address the tellings. After a step that reaches nobody, and that nobody is asked to dial, the next is told.

        Raises `NobodyToTell` where somebody was to be told to go, and cannot be.
        """
        rules, version = self.rules(decided.call), decided.call.version
        pages = await self._pages(decided.call, decided.tellings, rules, now)
        if _has(PageKind.DISPATCH, decided.tellings) and not _has(PageKind.DISPATCH, pages):
            raise NobodyToTell(f"call {decided.call.id}: nobody of that step can be told now; dial them")
        while decided.call.told < len(rules.steps) and _reaches_nobody(decided.tellings, pages):
            further = steps.climbed(decided.call, now.steady, rules, ahead=now.ahead)
            call = msgspec.structs.replace(further.call, version=version)
            pages += await self._pages(call, further.tellings, rules, now)
            decided = Decision(call, decided.events + further.events, further.tellings, decided.alerts + further.alerts)
        return decided, pages

    async def _pages(self, call: Call, tellings: Sequence[Telling], rules: Rules, now: Moment) -> tuple[Page, ...]:
        call, pages = on_the_wall(call, now.ahead), dict[tuple[PageKind, str], Page]()
        for telling in tellings:
            told = await self._recipients(telling.steps, call, rules, now)
            if not told and telling.kind in _OF_NEWS:
                told = await self._first_reached(call, rules, now)
            # One page for a receiver on several steps: of the first of a telling, but of the newest telling.
            step_of = {recipient.receiver: (index, recipient) for index, recipient in reversed(told)}
            for receiver, (index, recipient) in reversed(step_of.items()):
                pages[telling.kind, receiver] = self._page(call, telling.kind, rules, index, recipient, now)
        return tuple(pages.values())

    async def _first_reached(self, call: Call, rules: Rules, now: Moment) -> list[tuple[int, Recipient]]:
        """Return the people of the first step of whom anybody can be told now."""
        for index in range(len(rules.steps)):
            if found := await self._recipients([index], call, rules, now):
                return found
        return []

    async def _recipients(
        self, steps: Iterable[int], call: Call, rules: Rules, now: Moment
    ) -> list[tuple[int, Recipient]]:
        found: list[tuple[int, Recipient]] = []
        for index in steps:
            if index < len(rules.steps):
                targets = rules.steps[index].targets
                told = await self._directory.resolve(targets, now.wall, rota_only=call.drill)
                found += [(index, recipient) for recipient in told]
        return found

    def _page(self, call: Call, kind: PageKind, rules: Rules, index: int, recipient: Recipient, now: Moment) -> Page:
        step, to_dial = rules.steps[index], rules.to_dial(call)
        zh, en = self._wording(call, kind, step, to_dial)
        return Page(
            id=page_id(call, kind, recipient.receiver),
            call=call.id,
            version=call.version,
            receiver=recipient.receiver,
            person=recipient.person,
            kind=kind,
            at=now.wall,
            step=index,
            community=call.place.community,
            drill=call.drill,
            zh=zh,
            en=en,
            facts=facts_of(call, [step, *to_dial]),
        )


async def _place_anew(call: Call, places: Places) -> Place:
    """Return what is known of the place, under the key by which the call is the open one there."""
    if not call.place.lift:
        return call.place
    found = await places.of_lift(call.place.lift)
    return found if found.key == call.place.key else call.place


def page_id(call: Call, kind: PageKind, receiver: str) -> str:
    """Return the page's name: the same decision addressed again gives the same page."""
    return hashlib.blake2b(f"{call.id}|{call.version}|{kind.value}|{receiver}".encode(), digest_size=12).hexdigest()


def facts_of(call: Call, steps: Sequence[LadderStep]) -> dict[str, Value]:
    """Return what machines are told beside the words, the numbers of ``steps`` among it."""
    place = call.place
    phones = {f"phone_{each.name}": each.phone for step in steps for each in step.contacts if each.phone}
    return {
        "state": call.state.value,
        "source": call.source.value,
        "lift": place.lift,
        "point": place.point,
        "building": place.building,
        "place_zh": place.name_zh,
        "place_en": place.name_en,
        "rescue_code": place.rescue_code,
        "contractor": place.contractor,
        "floor": place.latest.get("floor"),
        "people": call.people,
        "raised_at": call.stamps.raised.isoformat(),
        "rescue_by": call.rescue_by.isoformat() if call.rescue_by else None,
        **phones,
    }


def _has(kind: PageKind, told: Iterable[Telling | Page]) -> bool:
    return any(each.kind is kind for each in told)


def _reaches_nobody(tellings: Sequence[Telling], pages: Sequence[Page]) -> bool:
    """Tell whether the newest step of the ladder has no page, and nobody is asked to dial its number.

    Steps before it in the same decision, of a call that nobody looked at for long, do not count for it.
    """
    if not _has(PageKind.CALL, tellings):
        return False
    newest = max(at for at, telling in enumerate(tellings) if telling.kind is PageKind.CALL)
    told = any(page.kind is PageKind.CALL and page.step in tellings[newest].steps for page in pages)
    asked = _has(PageKind.DIAL, tellings[newest:]) and _has(PageKind.DIAL, pages)
    return not told and not asked

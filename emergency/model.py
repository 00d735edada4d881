"""A call for help: what it is, how it stands, and what is decided of it. Everything is kept, nothing is ever undone."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

Value = str | float | int | bool | None


class Source(StrEnum):
    """How a call came in."""

    RESIDENT = "resident"
    """The page behind the QR code."""
    APP = "app"
    """The property app, through the API."""
    CAR_BUTTON = "car_button"
    """The alarm button in the car."""
    ALERT = "alert"
    """A trapped passenger whom the rules found, button or not."""
    STAFF = "staff"
    DRILL = "drill"


class CallState(StrEnum):
    """How far help has come; only `CLOSED` ends the call.

    The first four follow from who is responsible and who goes: `Call.settled`.
    """

    RINGING = "ringing"
    """Nobody has taken it, or who had taken it left it: the ladder climbs."""
    ANSWERED = "answered"
    DISPATCHED = "dispatched"
    """Whoever took it asked somebody to go."""
    ON_THE_WAY = "on_the_way"
    """Somebody said that they are going."""
    ON_SITE = "on_site"
    FREED = "freed"
    ABANDONED = "abandoned"
    """The caller took it back; somebody on duty still has to look and close it."""
    CLOSED = "closed"


STOPPED = (CallState.ON_SITE, CallState.FREED, CallState.ABANDONED, CallState.CLOSED)
"""States in which neither the ladder climbs nor the rescue clock runs."""


class Cause(StrEnum):
    """Why it came to the call. Classes of the maintainers' reports after a trapping (domain facts, rescue)."""

    EXTERNAL = "external"
    HUMAN = "human"
    DOOR_SYSTEM = "door_system"
    CONTROL = "control"
    DRIVE = "drive"
    OTHER = "other"
    FALSE_ALARM = "false_alarm"
    DRILL = "drill"


class EventKind(StrEnum):
    """What happened to a call: the steps of its history."""

    RAISED = "raised"
    JOINED = "joined"
    """The same need was told another way: a button, an alert, a second tap."""
    STEP_TOLD = "step_told"
    """A step of the ladder was told; the first one makes it ring."""
    TO_BE_DIALLED = "to_be_dialled"
    """The turn of a step whose number somebody has to dial by hand."""
    DIALLED = "dialled"
    """Somebody dialled the number of a step, and says what was answered."""
    ANSWERED = "answered"
    DISPATCHED = "dispatched"
    ON_THE_WAY = "on_the_way"
    CANNOT_COME = "cannot_come"
    HANDED_ON = "handed_on"
    ON_SITE = "on_site"
    NOT_ON_SITE = "not_on_site"
    """*On site* was a mistake, or they left with people still inside: the ladder goes on."""
    FREED = "freed"
    ALARM_ENDED = "alarm_ended"
    """The end of the car's alarm, set at the installation."""
    HALF_TIME = "half_time"
    """Half of the time for rescue has passed with nobody on site."""
    OVERDUE = "overdue"
    REMINDED = "reminded"
    """Nobody closed it, long after it seemed over."""
    ABANDONED = "abandoned"
    NOTED = "noted"
    CLOSED = "closed"
    DETAILS = "details"
    """A resident left name, phone or head count after the call was out."""


class Place(Struct, frozen=True):
    """Where help is needed, as it was known when the call came in.

    ``lift`` is the path ``community/elevator/device``, empty at an entrance. What the lift last said stands in
    ``latest``: floor, door_state, direction, passenger_present, load_kilograms, service_mode, ….
    """

    community: str
    lift: str = ""
    point: str = ""
    """The call point whose code was scanned, empty for other sources."""
    building: str = ""
    name_zh: str = ""
    name_en: str = ""
    rescue_code: str = ""
    """The six digits by which the city's hotline 96333 knows the lift."""
    contractor: str = ""
    latest: dict[str, Value] = {}
    apart: str = ""
    """Keeps calls apart that name neither lift nor point: two people of one estate are two calls then."""

    @property
    def key(self) -> str:
        """One call at a time is open for one key."""
        if self.lift or self.point:
            return self.lift or f"{self.community}/point/{self.point}"
        return f"{self.community}/{self.apart}" if self.apart else self.community


class TakenBack(Struct, frozen=True):
    """How many calls were taken back within the hour before this one: from its code, and of all by who calls now.

    A mark for people to judge by; it holds up no call.
    """

    code: int = 0
    network: int = 0
    """By somebody at the same address, which a whole mobile network may share."""
    phone: int = 0
    """By the same page on the same phone."""


class Caller(Struct, frozen=True):
    """Who calls, as far as they say; kept with the call and nowhere else."""

    name: str = ""
    phone: str = ""
    text: str = ""
    page: str = ""
    """The page on which a resident left this, empty where it came with the call."""


class Stamps(Struct, frozen=True):
    """When each thing first happened."""

    raised: datetime
    rang: datetime | None = None
    answered: datetime | None = None
    dispatched: datetime | None = None
    on_the_way: datetime | None = None
    on_site: datetime | None = None
    freed: datetime | None = None
    alarm_ended: datetime | None = None
    abandoned: datetime | None = None
    closed: datetime | None = None
    half_time: datetime | None = None
    overdue: datetime | None = None


class Responder(Struct, frozen=True):
    """Who was asked to go, or is going; ``arrives_at`` is an instant of the steady clock, the others of the wall clock.

    ``on_the_way_at`` is ``None`` until they said that they are going.
    """

    name: str
    phone: str = ""
    arrives_at: datetime | None = None
    contractor: str = ""
    asked_at: datetime | None = None
    on_the_way_at: datetime | None = None


class Dialled(Struct, frozen=True):
    """That ``by`` dialled the number of the step ``step``; ``at`` is of the wall clock, ``answer`` what was said."""

    step: str
    at: datetime
    by: str
    answer: str = ""


class Party(StrEnum):
    """Who has to act next."""

    LADDER = "ladder"
    """Everybody who was told so far: any of them may take the call."""
    STAFF = "staff"
    """Who answered, or asked somebody to go."""
    RESPONDER = "responder"
    """Who is on the way, or on site."""


class Responsible(Struct, frozen=True):
    """Who has to act next, and by when, on the steady clock: then the ladder climbs, or people are reminded."""

    party: Party
    until: datetime
    name: str = ""


AGAIN = "+"
STAFF_SAYS = "staff"


class Call(Struct, frozen=True):
    """A call at one version. ``version`` rises with every change; 0 is a call nobody has kept yet.

    ``stamps`` are instants of the wall clock, as people read them. What is waited for, and how long anything took, goes
    by the steady clock (`core.clock`): ``next_at``, ``responsible``, ``rescue_by``, ``clock_from`` and ``timed`` go by
    that one; `emergency.rescue.on_the_wall` shows them to people.
    """

    id: str
    source: Source
    place: Place
    stamps: Stamps
    state: CallState = CallState.RINGING
    version: int = 0
    number: int = 0
    """Rises with each call raised; given by the records."""
    drill: bool = False
    caller: Caller = Caller()
    ladder: str = ""
    """Name of the ladder it climbs, by the plan in force when it came in."""
    told: int = 0
    """Where the ladder stands: the next step is ``told``; the turn of those below has come, but for ``passed``."""
    passed: tuple[int, ...] = ()
    """Steps below ``told`` that were passed over, since somebody of a later one was asked to go."""
    dialled: tuple[Dialled, ...] = ()
    """Of the steps that somebody has to dial by hand, those that were dialled, in order."""
    next_at: datetime | None = None
    """When something happens by itself: the next step, half time, overdue; ``None`` when nothing will."""
    responsible: Responsible | None = None
    """``None`` of a closed call, and of one that an earlier version kept: `emergency.changes.adopted`."""
    rescue_from: datetime | None = None
    """When the rescue clock began anew, by the wall clock; ``None`` where it runs since the call was raised."""
    rescue_by: datetime | None = None
    """When somebody has to be on site: the end of the rescue clock."""
    answered_by: str = ""
    responder: Responder | None = None
    further: tuple[str, ...] = ()
    """Who was asked to go before or beside ``responder``, and has not declined."""
    coming: tuple[str, ...] = ()
    """Of ``further`` those who said that they are going."""
    alarm: bool = False
    """A car's alarm button belongs to it: it can only be closed after the end of alarm was set at the installation."""
    joined: tuple[str, ...] = ()
    """Alerts and further sources that were joined into it."""
    callers: tuple[str, ...] = ()
    """The residents who tapped: the names of their pages, or of their networks where a page has none.

    With `AGAIN` behind it, it is a second tap under that name that may be somebody else's.
    """
    tap_pages: tuple[datetime, ...] = ()
    """When a tap told people again of a call that somebody had taken, on the steady clock."""
    tap_owed_at: datetime | None = None
    """When people are told of a tap that came too soon after ``tap_pages``, on the steady clock; ``None`` for none."""
    withdrawn: tuple[str, ...] = ()
    """Of ``callers`` those who took it back while others still called; `STAFF_SAYS` where staff said so for them."""
    declined: tuple[str, ...] = ()
    """Who said that they do not come, and was not asked since."""
    taken_back_before: TakenBack = TakenBack()
    noted: str = ""
    """Digest of the note that is the newest event, empty where that is something else."""
    cause: Cause | None = None
    people: int | None = None
    """People in the car, as far as somebody told."""
    alerts: tuple[str, ...] = ()
    """Rules of our own alerts about this call that fire now."""
    was_overdue: bool = False
    """A rescue clock that ran before the present one ended with nobody on site."""
    clock_from: datetime | None = None
    """When the rescue clock began; ``None`` for a call kept before both clocks were told apart."""
    timed: Stamps | None = None
    """``stamps`` by the steady clock; ``None`` as above."""
    damaged: str = ""
    """Why its record could not be read, where it was rebuilt from columns and history; parts of it may be missing."""
    details: tuple[str, ...] = ()
    """Digests of what residents left of themselves."""

    @property
    def measured(self) -> Stamps:
        """What durations are taken from."""
        return self.timed or self.stamps

    @property
    def contractor(self) -> str:
        """In whose record it stands: of who was asked to go, else of who maintains the lift; empty for nobody's."""
        return (self.responder.contractor if self.responder else "") or self.place.contractor

    @property
    def open(self) -> bool:
        """Whether somebody still has to do something."""
        return self.state is not CallState.CLOSED

    @property
    def due(self) -> tuple[int, ...]:
        """The steps of the ladder whose turn has come."""
        return tuple(step for step in range(self.told) if step not in self.passed)

    @property
    def climb_at(self) -> datetime | None:
        """When the next step is told unless somebody acts; ``None`` where the ladder has stopped."""
        return None if self.responsible is None or self.state in STOPPED else self.responsible.until

    @property
    def settled(self) -> CallState:
        """How far help has come, by who is responsible and who goes."""
        if self.state in STOPPED:
            return self.state
        if self.responder is not None and self.responder.on_the_way_at is not None:
            return CallState.ON_THE_WAY
        if self.responsible is None or self.responsible.party is Party.LADDER:
            return CallState.RINGING
        return CallState.ANSWERED if self.responder is None else CallState.DISPATCHED


class CallEvent(Struct, frozen=True):
    """One step of a call's history. ``actor`` is the name behind a token, "caller", "ladder", "clock" or a device."""

    kind: EventKind
    at: datetime
    actor: str
    facts: dict[str, Value] = {}
    text: str = ""


class PageKind(StrEnum):
    """Why somebody is told of a call."""

    CALL = "call"
    """A step of the ladder: please take it."""
    DISPATCH = "dispatch"
    UPDATE = "update"
    """Answered, on site, freed, taken back: those told before need not go, or may look."""
    HALF_TIME = "half_time"
    OVERDUE = "overdue"
    AGAIN = "again"
    """Somebody calls again, or somebody else does, of a call that was taken."""
    REMINDER = "reminder"
    """It seemed over long ago, and nobody has closed it."""
    DIAL = "dial"
    """The number of the next step has to be dialled by hand: please do."""


class Telling(Struct, frozen=True):
    """That somebody is to be told, before it is known who that is now: ``steps`` of the ladder, resolved when told."""

    kind: PageKind
    steps: tuple[int, ...]


class OwnAlert(Struct, frozen=True):
    """An alert that the emergency service raises itself, or ends: ``since`` and ``rule`` make its identity."""

    rule: str
    device: str
    since: datetime
    at: datetime
    firing: bool
    reason_zh: str
    reason_en: str


class Decision(Struct, frozen=True):
    """What follows from one act or from the passing of time: the call as it is now, and everything to be told."""

    call: Call
    events: tuple[CallEvent, ...] = ()
    tellings: tuple[Telling, ...] = ()
    alerts: tuple[OwnAlert, ...] = ()


class Words(Struct, frozen=True):
    """A page in one language: a title of one line, a body of several, and all of it as one SMS."""

    title: str
    body: str
    short: str


class Page(Struct, frozen=True):
    """What one receiver is told of a call. The same ``id`` again is the same page again."""

    id: str
    call: str
    version: int
    receiver: str
    person: str
    kind: PageKind
    at: datetime
    step: int
    community: str
    drill: bool
    zh: Words
    en: Words
    facts: dict[str, Value] = {}
    """For machines: lift, place, rescue code, state, phones."""


class PageRow(Struct, frozen=True):
    """A page as it is read back, with how delivering stands: ``waiting``, ``delivered`` or ``failed``.

    ``finished_at`` is when the receiver had it, or when it was given up; ``detail`` what the receiver answered, or the
    last error.
    """

    receiver: str
    person: str
    kind: str
    step: int
    status: str
    at: datetime
    finished_at: datetime | None = None
    detail: str = ""


class EventRow(Struct, frozen=True):
    """An event as it is read back; ``number`` rises in commit order over all calls, without gaps."""

    number: int
    call: str
    event: CallEvent


class CallFilter(Struct, frozen=True):
    """Every field narrows; ``None`` does not. since <= raised < until. ``contractor`` maintains the place."""

    open: bool | None = None
    state: CallState | None = None
    community: str | None = None
    lift: str | None = None
    contractor: str | None = None
    source: Source | None = None
    drill: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


class CallPoint(Struct, frozen=True):
    """A QR code at a lift or an entrance. Its token is derived by `emergency.tokens.PointTokens`.

    ``generation`` rises when the token is rotated.
    """

    id: str
    community: str
    name_zh: str
    name_en: str
    lift: str = ""
    building: str = ""
    generation: int = 1
    created_at: datetime | None = None
    removed_at: datetime | None = None


class ScannedCode(Struct, frozen=True):
    """What a token on a wall leads to: the call point, and how long the token still raises calls."""

    point: CallPoint
    former: bool = False
    """The point has another token since."""
    until: datetime | None = None
    """When the token ends, ``None`` while no end is set."""

    def ended(self, now: datetime) -> bool:
        """Whether the token was revoked, or its time of grace has passed: it raises no calls then."""
        return self.until is not None and self.until <= now


class KeptCode(Struct, frozen=True):
    """That the code of a lift's controller is kept: who set it, and when."""

    actor: str
    at: datetime

"""What can be done to a call: by people, by the caller, by devices."""

from datetime import datetime

from msgspec import Struct

from emergency.model import Caller, Cause, Source


class Join(Struct, frozen=True, tag=True):
    """The same need was told another way. ``ref`` names it (an alert's id, a key, a resident's page), joined once only.

    A ``shared`` one may stand for several people (a network): its second tap counts as that of somebody else.
    """

    source: Source
    ref: str
    text: str = ""
    people: int | None = None
    caller: Caller = Caller()
    shared: bool = False


class Answer(Struct, frozen=True, tag=True):
    """Somebody on duty talks, or is about to."""


class Dispatch(Struct, frozen=True, tag=True):
    """``name`` is asked to go. ``step`` is the step of the ladder whose people are told of it, ``None`` for none."""

    name: str
    phone: str = ""
    contractor: str = ""
    step: int | None = None


class OnTheWay(Struct, frozen=True, tag=True):
    """``name`` goes, and says when they will be there, by the wall clock."""

    name: str
    arrives_at: datetime | None = None
    phone: str = ""
    contractor: str = ""


class CannotCome(Struct, frozen=True, tag=True):
    """``name`` does not come: the call is handed on at once."""

    name: str
    reason: str = ""


class OnSite(Struct, frozen=True, tag=True):
    name: str = ""


class NotOnSite(Struct, frozen=True, tag=True):
    """Nobody is there, or nobody any more, and people are still inside."""

    reason: str = ""


class Freed(Struct, frozen=True, tag=True):
    """Nobody is trapped any more."""

    people: int | None = None


class EndAlarm(Struct, frozen=True, tag=True):
    """The end of the car's alarm, set by a competent person at the installation; ``how`` is ``code`` or ``device``."""

    how: str


class Abandon(Struct, frozen=True, tag=True):
    """The caller takes it back. ``caller`` is among `Call.callers`; empty where staff or an app says so for them."""

    caller: str = ""


class Note(Struct, frozen=True, tag=True):
    text: str


class Close(Struct, frozen=True, tag=True):
    cause: Cause
    text: str = ""


class Dial(Struct, frozen=True, tag=True):
    """The number of ``step``, by its name, was dialled by hand; ``answer`` is what was said there."""

    step: str
    answer: str = ""


class Details(Struct, frozen=True, tag=True):
    """What a resident leaves of themselves once the call is out; blank fields change nothing.

    ``page`` names the page it comes from, empty where nobody knows. Another page never overwrites what one left.
    """

    page: str
    name: str = ""
    phone: str = ""
    people: int | None = None


Taking = Answer | Dispatch | OnTheWay | OnSite | Freed
Act = Join | Taking | CannotCome | NotOnSite | EndAlarm | Abandon | Dial | Note | Close | Details

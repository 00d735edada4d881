"""The emergency plan as it is written down: ladders, and per community the people on them."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from core.durations import PATTERN

Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
Wait = Annotated[str, Meta(pattern=PATTERN, description="A duration such as 30s or 5m.")]
Phone = Annotated[
    str, Meta(pattern=r"^\+?[0-9][0-9 -]{1,20}$", description='A number to dial, in quotes: "+86 571 8888 0001".')
]
Target = Annotated[
    str,
    Meta(
        pattern=r"^(rota|person|receiver):[a-z0-9-]{1,40}$",
        description="rota:NAME, person:NAME or receiver:NAME of the notification plan.",
    ),
]
Text = Annotated[str, Meta(min_length=1, max_length=200)]


class _Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """An unknown key is a mistake in the file, not something to pass over."""


class Title(_Strict, frozen=True):
    """What people read, in both languages."""

    zh: Text
    en: Text


class Contact(_Strict, frozen=True):
    """Somebody who can be asked for help: told through ``tell``, dialled at ``phone``; at least one of the two."""

    name: Name
    title: Title
    phone: Phone | None = None
    tell: list[Target] = []
    contractor: bool = False
    """A maintenance contractor: calls in which it was told stand in its record."""

    @property
    def person(self) -> str:
        """Who answers for it: the person it tells, or its own name where that is not one alone."""
        people = [target for target in self.tell if not target.startswith("receiver:")]
        return people[0].removeprefix("person:") if len(people) == 1 else self.name

    @property
    def names(self) -> frozenset[str]:
        """Names under which it is sent or answers: its own, its titles, and its person."""
        return frozenset({self.name, self.title.zh, self.title.en, self.person})


class Step(_Strict, frozen=True):
    """Its contacts are told; ``wait`` later the next step is, unless somebody has taken the call.

    A contact is named by its role, ``duty``, or by its name. One that the community does not have is passed over; a
    step without anybody to tell or dial is left out at once.
    """

    name: Name
    title: Title
    roles: Annotated[list[Name], Meta(min_length=1)]
    wait: Wait
    dial: bool = False
    """Somebody has to dial its numbers by hand, whoever else is told. So it is where nobody on it can be told."""


class Ladder(_Strict, frozen=True):
    """Who is asked one after another, and how long each has.

    ``answered_wait`` after it was answered and nobody was dispatched the ladder climbs on; ``dispatch_wait`` after a
    dispatch that nobody confirmed as well.
    """

    name: Name
    steps: Annotated[list[Step], Meta(min_length=1, max_length=20)]
    answered_wait: Wait = "3m"
    dispatch_wait: Wait = "60s"


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class DrillHours(_Strict, frozen=True):
    """When drills may begin, by the site's local time; each lift has one a month. Without ``days`` on any day."""

    hours: Annotated[
        str,
        Meta(
            pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$",
            description='Local hours of one day in quotes, "09:30-11:00".',
        ),
    ]
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = []


class Community(_Strict, frozen=True):
    """Who helps in a community; ``*`` stands for all that have no entry of their own. ``roles`` maps role to contact.

    ``contractors`` names the contact that maintains a lift where it is another than that of the role ``maintainer``.
    """

    community: Annotated[str, Meta(pattern=r"^(\*|[a-z0-9-]{1,64})$")]
    ladder: Name
    roles: dict[Name, Name]
    area: Literal["urban", "rural"] = "urban"
    contractors: dict[str, Name] = {}
    """Lift's name (or path) to contact."""
    nearby: list[Name] = []
    """Contacts shown to the desk beside the ladder: neighbours, a shop, a first-aider."""
    drills: DrillHours | None = None
    """When the monthly drills of its lifts begin; without, people begin them."""


class EmergencyPlan(_Strict, frozen=True):
    """A whole plan file."""

    version: Literal[1]
    contacts: Annotated[list[Contact], Meta(min_length=1)]
    ladders: Annotated[list[Ladder], Meta(min_length=1)]
    communities: Annotated[list[Community], Meta(min_length=1)]

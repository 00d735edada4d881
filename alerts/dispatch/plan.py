"""The plan of who is told what, as it is written down: receivers, people, rotas, ladders, routes, inhibitions."""

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from alerts.matchers import Matcher, Operator
from alerts.model import Severity
from core.durations import Duration

Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
"""At most 40 characters, so that a receiver's name fits into the name of the device that stands for it."""
Wait = Annotated[
    str,
    Meta(pattern=r"^(0s|[1-9][0-9]{0,8}(ms|s|m|h|d))$", description="A duration such as 45s, 5m or 1h; 0s is at once."),
]
ClockTime = Annotated[
    str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description='Local time in quotes: "08:00".')
]
Hours = Annotated[
    str,
    Meta(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$",
        description='Local hours in quotes, "08:00-20:00"; "20:00-08:00" ends on the next day.',
    ),
]
Target = Annotated[
    str,
    Meta(pattern=r"^(rota|person|receiver):[a-z0-9-]{1,40}$", description="rota:NAME, person:NAME or receiver:NAME."),
]
WeeklyTest = Annotated[
    str, Meta(pattern=r"^(mon|tue|wed|thu|fri|sat|sun) ([01][0-9]|2[0-3]):[0-5][0-9]$", description='"mon 10:00"')
]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
GroupBy = Literal["community", "building", "gateway", "kind", "device", "rule"]
Language = Literal["zh", "en", "both"]
Turn = Literal["1d", "1w"]
Gaps = Literal["refuse", "allow"]
EqualLabel = Literal["gateway", "device", "community", "building"]
Text = Annotated[str, Meta(min_length=1, max_length=1_000)]


class _Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """An unknown key is a mistake in the file, not something to pass over."""


class AppriseChannel(_Strict, frozen=True):
    """A channel by its Apprise URL, which holds a secret: only a reference such as ``${WECOM_URL}``."""

    url: Text


class WebhookChannel(_Strict, frozen=True):
    """An address that is sent signed JSON; ``secret`` signs it and is only a reference such as ``${HOOK_SECRET}``."""

    url: Text
    secret: Text


class MqttChannel(_Strict, frozen=True):
    """A topic of the broker, outside of ``anju/v1``, where devices speak."""

    topic: Text


class Receiver(_Strict, frozen=True):
    """One way to reach somebody: exactly one of the three channels."""

    name: Name
    apprise: AppriseChannel | None = None
    webhook: WebhookChannel | None = None
    mqtt: MqttChannel | None = None
    language: Language = "both"


class Person(_Strict, frozen=True):
    """Somebody who can be told, by all of ``receivers``; ``weekly_test`` proves every week that it works."""

    name: Name
    receivers: Annotated[list[Name], Meta(min_length=1)]
    weekly_test: WeeklyTest | None = None


class Layer(_Strict, frozen=True):
    """People who take turns from ``start`` on, a day or a week each, the first of them first.

    With ``hours`` they are on duty in these hours only; a shift belongs to the day on which it begins. Without, a turn
    changes at ``handover``.
    """

    start: date
    people: Annotated[list[Name], Meta(min_length=1)]
    every: Turn = "1w"
    hours: Hours | None = None
    handover: ClockTime = "00:00"


class Rota(_Strict, frozen=True):
    """Who is on duty when: everybody whose layer says so. ``gaps: allow`` where hours without anybody are meant."""

    name: Name
    layers: Annotated[list[Layer], Meta(min_length=1)]
    zone: str | None = None
    gaps: Gaps = "refuse"


class Step(_Strict, frozen=True):
    """``after`` that long without an acknowledgement, these are told."""

    after: Wait
    notify: Annotated[list[Target], Meta(min_length=1)]


class Policy(_Strict, frozen=True):
    """A ladder: its steps, how often those told are reminded, and when an acknowledged alert counts as left alone."""

    name: Name
    steps: Annotated[list[Step], Meta(min_length=1)]
    repeat: Duration | None = None
    unattended: dict[Severity, Duration] = {}
    notify_resolved: bool = True


class Schedule(_Strict, frozen=True):
    """Local hours and days of the week; what is left out does not narrow."""

    hours: Hours | None = None
    days: list[Day] = []


class Route(_Strict, frozen=True):
    """Alerts that match everything in ``match`` and the short forms go by ``policy``, told together by ``group_by``.

    A short form may name several, ``critical,major``, or use ``*``. The first route that matches takes the alert, and
    with ``continue`` the next ones are asked as well. ``group_wait`` is before the first notification of an incident,
    ``group_interval`` between later ones; critical and protected alerts wait for neither.
    """

    policy: Name
    name: Name | None = None
    match: list[Matcher] = []
    severity: Text | None = None
    rule: Text | None = None
    kind: Text | None = None
    community: Text | None = None
    building: Text | None = None
    tag: Text | None = None
    schedule: Schedule | None = None
    group_by: tuple[GroupBy, ...] = ("device",)
    group_wait: Wait = "30s"
    group_interval: Duration = "5m"
    go_on: bool = field(name="continue", default=False)

    def matchers(self) -> tuple[Matcher, ...]:
        """Return all comparisons, the short forms written out."""
        short = {name: getattr(self, name) for name in ("severity", "rule", "kind", "community", "building")}
        found = [_short(name, value) for name, value in short.items() if value is not None]
        tagged = [Matcher("tag", self.tag)] if self.tag is not None else []
        return (*self.match, *found, *tagged)


class Inhibition(_Strict, frozen=True):
    """While an alert that matches ``source`` fires, people are not told of those that match ``target``.

    Both must agree in every label of ``equal``, and a label that is empty agrees with nothing. What matches ``source``
    is a cause, and never inhibited by the same inhibition. Targets that still fire ``grace`` after it are told.
    """

    source: Annotated[list[Matcher], Meta(min_length=1)]
    target: Annotated[list[Matcher], Meta(min_length=1)]
    equal: list[EqualLabel] = []
    grace: Wait = "1m"


class Flood(_Strict, frozen=True):
    """More than ``over`` incidents of a community told ``within`` that time: what is not critical comes as a digest."""

    over: Annotated[int, Meta(ge=1, le=1_000)] = 10
    within: Duration = "10m"
    digest_every: Duration = "5m"


class Plan(_Strict, frozen=True):
    """A whole plan file. The last route takes everything, so that no alert is told to nobody."""

    version: Literal[1]
    receivers: Annotated[list[Receiver], Meta(min_length=1)]
    policies: Annotated[list[Policy], Meta(min_length=1)]
    routes: Annotated[list[Route], Meta(min_length=1)]
    zone: str = "Asia/Shanghai"
    people: list[Person] = []
    rotas: list[Rota] = []
    # Each is compared with every other one, to find those that go round in a circle.
    inhibitions: Annotated[list[Inhibition], Meta(max_length=200)] = []
    flood: Flood | None = Flood()


def _short(label: str, value: str) -> Matcher:
    if "," in value:
        return Matcher(label, value, Operator.IN)
    return Matcher(label, value, Operator.LIKE if "*" in value else Operator.EQUALS)


# Built into every plan: when nothing at all can be heard, silence of a device says nothing of the device.
BLIND: tuple[Inhibition, ...] = tuple(
    Inhibition(
        source=[Matcher("rule", rule), Matcher("kind", "system"), Matcher("severity", "critical")],
        target=[Matcher("rule", "*-offline", Operator.LIKE)],
        grace="2m",
    )
    for rule in ("broker-away", "ingest-away")
)


def inhibitions_of(plan: Plan) -> tuple[Inhibition, ...]:
    """Return the plan's inhibitions and those built in."""
    return (*plan.inhibitions, *BLIND)


def messengers_of(plan: Plan) -> frozenset[str]:
    """Return the receivers that a person reads: a messenger, a mail box or a phone, not a topic or a webhook."""
    return frozenset(each.name for each in plan.receivers if each.apprise is not None)


def people_targets(plan: Plan) -> frozenset[str]:
    """Return the targets that lead to a person, by one of the receivers of `messengers_of`."""
    messengers = messengers_of(plan)
    people = {each.name for each in plan.people if messengers & set(each.receivers)}
    rotas = {each.name for each in plan.rotas if people & {name for layer in each.layers for name in layer.people}}
    return frozenset(
        {
            *(f"receiver:{name}" for name in messengers),
            *(f"person:{name}" for name in people),
            *(f"rota:{name}" for name in rotas),
        }
    )


def reaches_people(plan: Plan) -> bool:
    """Tell whether any step of a policy leads to a person."""
    reached = people_targets(plan)
    return any(reached & set(step.notify) for policy in plan.policies for step in policy.steps)


def targets_of(plan: Plan) -> frozenset[str]:
    """Return everybody whom ``plan`` can tell, each as a step of a ladder names it."""
    named = [f"rota:{each.name}" for each in plan.rotas]
    named += [f"person:{each.name}" for each in plan.people]
    named += [f"receiver:{each.name}" for each in plan.receivers]
    return frozenset(named)

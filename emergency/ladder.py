"""The ladder of one call: whom its steps reach by the plan, and the times that go with it."""

from collections.abc import Collection, Iterator
from datetime import timedelta
from enum import StrEnum

from msgspec import Struct

from core.durations import microseconds
from emergency.model import Call, Place
from emergency.plan import Community, Contact, EmergencyPlan, Ladder, Step

# TSG T5002 art. 5, via citing sources: rescuers on site within 30 minutes in a built-up area, one hour elsewhere.
RESCUE = {"urban": timedelta(minutes=30), "rural": timedelta(hours=1)}
MAINTAINER = "maintainer"


class Reach(StrEnum):
    """Whom a step reaches."""

    PEOPLE = "people"
    """A person: by a messenger, mail or phone that Anju tells."""
    DIAL = "dial"
    """A number, once somebody dials it by hand."""
    MACHINES = "machines"
    """Topics and webhooks alone: nobody hears of it unless something behind them tells people."""


class LadderStep(Struct, frozen=True):
    """One step as it reaches people: never without a contact."""

    name: str
    title_zh: str
    title_en: str
    wait: timedelta
    dial: bool
    """Its numbers have to be dialled by hand; whoever can be told is told as well."""
    contacts: tuple[Contact, ...]

    @property
    def wait_seconds(self) -> float:
        return self.wait.total_seconds()

    @property
    def targets(self) -> tuple[str, ...]:
        """Return whom the notification plan has to tell, each once."""
        return tuple(dict.fromkeys(target for contact in self.contacts for target in contact.tell))

    def reach(self, people: Collection[str]) -> Reach:
        """Return whom it reaches, where ``people`` are the targets that lead to persons."""
        if any(target in people for target in self.targets):
            return Reach.PEOPLE
        return Reach.DIAL if self.dial else Reach.MACHINES


class Rules(Struct, frozen=True):
    """What the plan in force says of one place."""

    ladder: str
    steps: tuple[LadderStep, ...]
    answered_wait: timedelta
    dispatch_wait: timedelta
    rescue: timedelta
    nearby: tuple[Contact, ...] = ()

    def known_as(self, name: str, names: Collection[str]) -> str:
        """Return the one of ``names`` under which the same person is known, ``name`` itself where there is none.

        A title that several contacts share names nobody in particular.
        """
        whose = self._persons(name)
        if name in names or len(whose) != 1:
            return name
        return next((each for each in names if self._persons(each) == whose), name)

    def _persons(self, name: str) -> set[str]:
        contacts = (*(each for step in self.steps for each in step.contacts), *self.nearby)
        return {each.person for each in contacts if name in each.names}

    def to_dial(self, call: Call) -> list[LadderStep]:
        """Return the steps whose turn has come and whose numbers nobody has dialled yet."""
        done = {each.step for each in call.dialled}
        due = (self.steps[index] for index in call.due if index < len(self.steps))
        return [step for step in due if step.dial and step.name not in done]


class Unreached(Struct, frozen=True):
    """A step that reaches no person, not even by a number to dial. ``lift`` is empty where it is so for all lifts."""

    community: str
    step: LadderStep
    lift: str = ""

    def __str__(self) -> str:
        return f"step {self.step.name} in {self.lift or self.community}"


def unreached(plan: EmergencyPlan, people: Collection[str]) -> Iterator[Unreached]:
    """Yield the steps of ``plan`` that reach no person, where ``people`` are the targets that lead to persons."""
    for community in plan.communities:
        common = rules_of(plan, Place(community.community)).steps
        yield from (Unreached(community.community, each) for each in common if each.reach(people) is Reach.MACHINES)
        for lift in community.contractors:
            for each in rules_of(plan, Place(community.community, lift)).steps:
                if each not in common and each.reach(people) is Reach.MACHINES:
                    yield Unreached(community.community, each, lift)


def rules_of(plan: EmergencyPlan, place: Place) -> Rules:
    """Return the ladder and the times for ``place``; the plan was checked, so every name in it is known."""
    community = community_of(plan, place.community)
    ladder = next(each for each in plan.ladders if each.name == community.ladder)
    contacts = {each.name: each for each in plan.contacts}
    return Rules(
        ladder=ladder.name,
        steps=tuple(_steps(ladder, community, contacts, place)),
        answered_wait=_span(ladder.answered_wait),
        dispatch_wait=_span(ladder.dispatch_wait),
        rescue=RESCUE[community.area],
        nearby=tuple(contacts[name] for name in community.nearby),
    )


def community_of(plan: EmergencyPlan, name: str) -> Community:
    """Return the entry of a community, that of ``*`` where it has none of its own."""
    own = [each for each in plan.communities if each.community == name]
    return own[0] if own else next(each for each in plan.communities if each.community == "*")


def _steps(ladder: Ladder, community: Community, contacts: dict[str, Contact], place: Place) -> Iterator[LadderStep]:
    for step in ladder.steps:
        names = [_contact_name(role, community, contacts, place) for role in step.roles]
        found = tuple(contacts[name] for name in dict.fromkeys(names) if name is not None)
        if found:
            yield _step(step, found)


def _contact_name(role: str, community: Community, contacts: dict[str, Contact], place: Place) -> str | None:
    """A lift's own maintainer before the community's, then the role, then a contact of that very name."""
    if role == MAINTAINER:
        lift = place.lift.rpartition("/")[2]
        own = community.contractors.get(place.lift) or community.contractors.get(lift) or place.contractor
        if own in contacts:
            return own
    return community.roles.get(role) or (role if role in contacts else None)


def _step(step: Step, contacts: tuple[Contact, ...]) -> LadderStep:
    # A contact with a number and nothing else cannot be told, whatever the step says.
    dial = any(each.phone for each in contacts) and (step.dial or not any(each.tell for each in contacts))
    return LadderStep(step.name, step.title.zh, step.title.en, _span(step.wait), dial, contacts)


def _span(duration: str) -> timedelta:
    return timedelta(microseconds=microseconds(duration))

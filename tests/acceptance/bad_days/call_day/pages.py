"""Whether people had been told: pages that the histories call for, pages that were decided, pages that arrived."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from tests.acceptance.bad_days.call_day.history import MACHINES, Event, Story
from tests.acceptance.bad_days.call_day.plans import PEOPLE, ROTA_STEP
from tests.acceptance.bad_days.call_day.records import ROUNDED_SECONDS, Day, Json, Told

_OVER = ("on_site", "freed", "closed")
_ENDING = ("on_site", "freed", "closed", "abandoned")
_EVERY_ROUND = ("guard", "manager", "maintainer")
"""Steps that every plan of the day has; a round tells all of them."""
_NEED_NOT_GO = "need not go"
Wanted = tuple[str, str]
"""Kind and receiver; an empty receiver is anybody."""


def arrived(day: Day) -> dict[tuple[str, str, str, str], list[Told]]:
    """Return the accepted pages by call, receiver, kind and the instant at which they were decided."""
    found = defaultdict[tuple[str, str, str, str], list[Told]](list)
    for told in day.told:
        document = told.request.document
        if call := document.get("call"):
            found[call["id"], document["receiver"], call["kind"], _instant(document["at"])].append(told)
    return found


def _instant(shown: str) -> str:
    return f"{Day.instant(shown):.3f}"


def unarrived(story: Story, day: Day, arrived: dict[tuple[str, str, str, str], list[Told]]) -> Iterator[str]:
    """Yield what is wrong with the pages that were decided: not delivered, never received, or too late."""
    for page in story.call["pages"]:
        words = f"page {page['kind']} to {page['receiver']} at {page['at']}"
        came = arrived.get((story.id, page["receiver"], page["kind"], _instant(page["at"])), [])
        if page["status"] == "failed" and page["detail"] and _was_deaf(page, day):
            continue
        if page["status"] != "delivered":
            yield f"{words} is {page['status']}: {page['detail']}"
        elif not came:
            yield f"{words} is said to be delivered, and nobody received it"
        else:
            first, decided = min(told.at for told in came), day.back(page["at"])
            if first > decided + day.telling_slack(page["receiver"], decided, first):
                yield f"{words} came {first - decided:.1f} s after it was decided"


def _was_deaf(page: Json, day: Day) -> bool:
    """Tell whether the receiver refused pages for some of the time in which this one was tried."""
    given_up = day.back(page["finished_at"]) if page.get("finished_at") else float("inf")
    return day.deaf[page["receiver"]].within(day.back(page["at"]) - ROUNDED_SECONDS, given_up) > 0


def undecided(story: Story, day: Day) -> Iterator[str]:
    """Yield what the history says that people were told, and no page was decided for."""
    for event in story.events:
        for kind, receiver in _wanted(story, event):
            if not any(_is_of(page, kind, receiver, event, day) for page in story.call["pages"]):
                unpaged = f"no page {kind} to {receiver or 'anybody'}"
                yield f"{event.kind} of {event.facts} at {event.at:.2f}: {unpaged}; {story.told_as()}"


def _is_of(page: Json, kind: str, receiver: str, event: Event, day: Day) -> bool:
    decided = day.back(page["at"])
    return (
        page["kind"] == kind
        and receiver in ("", page["receiver"])
        and event.at - ROUNDED_SECONDS <= decided <= event.at + day.slack(event.at, decided) + ROUNDED_SECONDS
    )


def _wanted(story: Story, event: Event) -> list[Wanted]:
    drill, name = story.call["drill"], str(event.facts.get("name", ""))
    if event.kind == "step_told":
        steps: Sequence[str] = _EVERY_ROUND if event.facts.get("again") else (name,)
        told = [step for step in steps if step == ROTA_STEP or not drill]
        return [("call", person) for step in told for person in PEOPLE[step]]
    if event.kind == "to_be_dialled" and not drill:
        return [("dial", "")]
    if event.kind in ("half_time", "overdue") and not drill and not _is_overtaken(story, event):
        return [(event.kind, "")]
    if event.kind == "reminded":
        return [("reminder", "")]
    if event.kind == "freed" or (event.kind == "abandoned" and event.facts.get("stopped")):
        return [("update", "")]
    if event.kind == "closed" and _is_news(story, event):
        return [("update", "")]
    if event.kind == "dispatched" and not drill:
        return [("dispatch", person) for person in PEOPLE.get(_through(story, event), ())]
    if event.kind == "joined" and event.facts.get("source") in MACHINES and _state_before(story, event) == "on_site":
        return [("again", "")]
    return []


def _is_news(story: Story, closed: Event) -> bool:
    """Tell whether somebody may still be about to go, by the history, and has to be told of the closing."""
    over, told, asked = False, 0, set[str]()
    for event in (each for each in story.events if each.number < closed.number):
        match event.kind:
            case "step_told" | "to_be_dialled" if event.facts.get("step") == 1:
                over, told, asked = False, 1, set()
            case "step_told" | "to_be_dialled":
                told += 1
            case "dispatched" | "on_the_way":
                over = False
                asked.add(str(event.facts.get("name", "")))
            case "cannot_come":
                asked.discard(str(event.facts.get("name", "")))
            case "answered" | "on_site" if event.at < closed.at:
                over = False
            case "freed" | "abandoned":
                over = over or event.kind == "freed" or bool(event.facts.get("stopped"))
    return not over and (told > 1 or bool(asked))


def _is_overtaken(story: Story, event: Event) -> bool:
    """Tell whether an act that ends the matter came so soon that nobody need hear of the clock any more."""
    return any(each.kind in _ENDING and 0 <= each.number - event.number <= 3 for each in story.events)


def _through(story: Story, event: Event) -> str:
    """Return the step whose people a dispatch told, empty for none."""
    acts = (act for act in story.acts if act.name == "dispatch" and act.done and not act.lost and act.covers(event.at))
    return next((str(act.said.get("step", "")) for act in acts if act.actor == event.actor), "")


def _state_before(story: Story, event: Event) -> str:
    """Return ``on_site`` where somebody was there for certain."""
    before = [each.kind for each in story.events if each.number < event.number]
    moves = [kind for kind in before if kind in (*_ENDING, "not_on_site", "raised", "joined")]
    return moves[-1] if moves else ""


def wrongly_reassured(stories: Sequence[Story], day: Day) -> Iterator[str]:
    """Yield pages that said that nobody need go, while the newest word of the call was another."""
    by_id = {story.id: story for story in stories}
    for told in day.told:
        document = told.request.document
        call = document.get("call")
        if call and _NEED_NOT_GO in str(document["words"]):
            story, decided = by_id[call["id"]], day.back(document["at"])
            before = [each for each in story.events if each.at <= decided + ROUNDED_SECONDS]
            if not any(each.kind in _OVER for each in before):
                yield f"{document['receiver']} was told that they need not go; {story.told_as()}"
            elif _is_resumed(before):
                yield f"{document['receiver']} was told that they need not go, after it rang again; {story.told_as()}"


def _is_resumed(before: Sequence[Event]) -> bool:
    """Tell whether the ladder was told after the newest word that it is over, and not in the same decision."""
    over = max(index for index, each in enumerate(before) if each.kind in _OVER)
    at = before[-1].at
    return any(each.kind in ("not_on_site", "step_told") and each.at < at - ROUNDED_SECONDS for each in before[over:])


def stray(stories: Sequence[Story], day: Day) -> Iterator[str]:
    """Yield what arrived and should not have: unsigned, changed when it was sent again, or of no page."""
    pages = {
        (story.id, page["receiver"], page["kind"], _instant(page["at"]))
        for story in stories
        for page in story.call["pages"]
    }
    bodies: dict[str, bytes] = {}
    for told in day.told:
        if not told.request.is_signed():
            yield f"{told.request.id} is not signed"
        if bodies.setdefault(told.request.id, told.request.body) != told.request.body:
            yield f"{told.request.id} was another one when it was sent again"
    yield from (f"{key} arrived, and nobody decided it" for key in arrived(day).keys() - pages)

"""Where a call comes from: a lift, a call point or a community, as far as anybody has told."""

from msgspec.structs import replace

from api.dependencies import EmergencyParts
from api.problems import InvalidRequest
from emergency.model import CallPoint, Place
from emergency.ports import Places


async def place_of_point(places: Places, point: CallPoint) -> Place:
    """Return the place behind a QR code: its lift, or the entrance it hangs at."""
    if not point.lift:
        return Place(
            community=point.community,
            point=point.id,
            building=point.building,
            name_zh=point.name_zh,
            name_en=point.name_en,
        )
    place = await places.of_lift(point.lift)
    return replace(
        place,
        point=point.id,
        building=place.building or point.building,
        name_zh=place.name_zh or point.name_zh,
        name_en=place.name_en or point.name_en,
    )


async def asked_place(given: EmergencyParts, *, lift: str | None, point: str | None, community: str | None) -> Place:
    """Return the place that a request names, by the nearest thing it names that is known; raises `InvalidRequest`.

    A lift that nobody has heard of is taken as it is: people may stand in it all the same.
    """
    kept = await given.points.point(point) if point else None
    if kept is not None and kept.removed_at is None:
        return await place_of_point(given.places, kept)
    if lift:
        return await given.places.of_lift(lift)
    if community:
        return Place(community=community)
    if point:
        raise InvalidRequest("body.point", f"no call point {point}", "the `id` of one, or `lift`, or `community`")
    raise InvalidRequest("body.lift", "no place named", "at least one of `lift`, `point` and `community`")

"""Where a call comes from: a lift, a call point or a community, as far as anybody has told."""

from msgspec.structs import replace

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

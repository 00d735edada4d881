"""The events of all emergency calls, as frames of a live stream."""

from collections.abc import Sequence

from api.call_ports import CallReader
from api.calls import EmergencyCallEvent
from api.feed import Frame, event_of
from emergency.model import Call, EventRow

# Nobody sees less than a tenth of a second, and a second feed beside that of the alerts must not cost as much again.
POLL_SECONDS = 0.05
_REMEMBERED_LIMIT = 1_000


class CallFrames:
    """Reads events, and once per call where it is: that never changes."""

    def __init__(self, calls: CallReader) -> None:
        self._calls = calls
        self._labels: dict[str, dict[str, str]] = {}

    async def newest(self) -> int:
        return await self._calls.last_event()

    async def frames(self, after: int, limit: int) -> Sequence[Frame]:
        return [await self._frame(row) for row in await self._calls.events_after(after, limit)]

    async def _frame(self, row: EventRow) -> Frame:
        encoded = event_of(row.number, "call", EmergencyCallEvent.of(row).model_dump_json())
        return Frame(row.number, encoded, await self._labels_of(row.call))

    async def _labels_of(self, call_id: str) -> dict[str, str]:
        if call_id not in self._labels:
            call = await self._calls.call(call_id)
            if len(self._labels) >= _REMEMBERED_LIMIT:
                self._labels.clear()
            self._labels[call_id] = _labels(call_id, call)
        return self._labels[call_id]


def _labels(call_id: str, call: Call | None) -> dict[str, str]:
    where = {} if call is None else {"community": call.place.community, "drill": str(call.drill).lower()}
    return {"call": call_id, **where}

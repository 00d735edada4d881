"""Who waits on which floor and who is in the car; the lift collects everyone on its way before it turns round."""

from simulators.traffic import Passenger

# More people than this do not queue before a lift of a small house: they take the stairs.
LONGEST_QUEUE = 8


class Calls:
    """The passengers of one lift, and the order in which they are served."""

    def __init__(self, floors: int, rated_load_kilograms: float) -> None:
        self._waiting: list[list[Passenger]] = [[] for _ in range(floors)]
        self._riders: list[Passenger] = []
        self._rated_load_kilograms = rated_load_kilograms
        self._upwards = True

    @property
    def load_kilograms(self) -> float:
        return round(sum((rider.kilograms for rider in self._riders), 0.0), 1)

    @property
    def occupied(self) -> bool:
        return bool(self._riders)

    def wait(self, passenger: Passenger) -> None:
        """Add somebody who wants a ride, unless the queue is too long already."""
        queue = self._waiting[passenger.origin]
        if len(queue) < LONGEST_QUEUE:
            queue.append(passenger)

    def exchange(self, floor: int) -> None:
        """Let out who has arrived at ``floor`` and let in who waits, up to the rated load."""
        self._riders = [rider for rider in self._riders if rider.destination != floor]
        queue, left = self._waiting[floor], []
        for passenger in queue:
            if self.load_kilograms + passenger.kilograms <= self._rated_load_kilograms:
                self._riders.append(passenger)
            else:
                left.append(passenger)
        self._waiting[floor] = left

    def empty_car(self) -> None:
        """Let everyone out, wherever they wanted to go: after a rescue."""
        self._riders = []

    def next_stop(self, floor: int) -> int | None:
        """Return the floor to serve next from ``floor`` (which may be ``floor`` itself), ``None`` when nobody asks."""
        wanted = {index for index, queue in enumerate(self._waiting) if queue}
        wanted |= {rider.destination for rider in self._riders}
        if not wanted:
            return None
        if floor in wanted:
            if self._stops_for(floor):
                return floor
            wanted.discard(floor)  # Who waits there does not fit in any more: the car leaves without them.
        above = [index for index in wanted if index > floor]
        below = [index for index in wanted if index < floor]
        if not above and not below:
            return None
        self._upwards = bool(above) if self._upwards else not below
        return min(above) if self._upwards else max(below)

    def _stops_for(self, floor: int) -> bool:
        room = self._rated_load_kilograms - self.load_kilograms
        return any(rider.destination == floor for rider in self._riders) or any(
            passenger.kilograms <= room for passenger in self._waiting[floor]
        )

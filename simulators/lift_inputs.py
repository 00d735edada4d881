"""What can be done to a lift from outside."""

from simulators.model import Input


class StopBetweenFloors(Input, frozen=True):
    """The next ride with somebody in the car ends between two floors; in a quiet hour somebody gets in for it."""


class PressAlarm(Input, frozen=True):
    """The passenger presses the alarm button; does nothing while nobody is in the car."""


class TestAlarm(Input, frozen=True):
    """The alarm is asked for its test call."""

    __test__ = False  # The name must not make pytest collect it.


class BreakAlarm(Input, frozen=True):
    """The alarm's line is dead: it tries its test call at once, and every one fails until it is repaired."""


class RepairAlarm(Input, frozen=True):
    """The alarm's line is repaired, and tried at once."""


class FreePassengers(Input, frozen=True):
    """A rescuer moves the stuck car to the nearest level, opens the door and puts the lift back in service."""


class ObstructDoor(Input, frozen=True):
    """Something lies in the door: it reopens each time it closes."""


class ClearDoor(Input, frozen=True):
    """The obstacle is taken away."""


class UnsettleDoor(Input, frozen=True):
    """The door opens anew each time it has closed, and no fault is seen in it."""


class SettleDoor(Input, frozen=True):
    """The door stays closed again."""


class Overload(Input, frozen=True):
    """At the next open door people get in until the load is ``share`` of the rated one; the car does not leave."""

    share: float = 1.2


class UnloadCar(Input, frozen=True):
    """Those that are too many get out."""


class CutPower(Input, frozen=True):
    """The mains fail: between floors, during the next ride with somebody in the car; not ``occupied``, at once."""

    occupied: bool = True


class RestorePower(Input, frozen=True):
    """The mains are back: a car between floors creeps to the nearest level and opens."""

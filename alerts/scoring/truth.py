"""What really happened while messages were received, and which rule is about what."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from core.devices import DeviceKey

Instant = Annotated[datetime, Meta(tz=True)]


class _Strict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An unknown key is a mistake in the file, not something to pass over."""


class KnownIncident(_Strict, frozen=True, kw_only=True):
    """Something that really happened at ``device`` (its path), of which an alert should tell.

    ``part`` is a region or a door, empty for the whole device; ``variant`` names the course it took. ``first_sign`` is
    when the first message with any sign of it was received, ``None`` where there was none; left out, it is ``began``.
    """

    kind: str
    device: str
    part: str = ""
    began: Instant
    ended: Instant
    variant: str = ""
    first_sign: Instant | UnsetType | None = UNSET
    pressed: Instant | None = None
    """When the first press of the alarm button during it was received."""

    def __post_init__(self) -> None:
        _require_sense(self.device, self.began, self.ended)

    @property
    def sign(self) -> datetime | None:
        """When it could first be seen in the messages, ``None`` where it never could."""
        return self.began if self.first_sign is UNSET else self.first_sign


class Disturbance(_Strict, frozen=True, kw_only=True):
    """Something harmless that may set off a false alert; ``cause`` names it in the report."""

    cause: str
    device: str
    part: str = ""
    began: Instant
    ended: Instant

    def __post_init__(self) -> None:
        _require_sense(self.device, self.began, self.ended)


class Subject(_Strict, frozen=True, kw_only=True):
    """What the alerts of one rule may be about: kinds of incidents, or ``kind/variant`` for one course only.

    An alert that speaks of an incident in ``finds`` counts as having found it; one that speaks of an incident in
    ``about`` is true, but says too little to have found it. The alerts of a ``notice`` are neither true nor false.
    """

    finds: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    notice: bool = False


_ANYTHING = Subject()


class Margins(_Strict, frozen=True, kw_only=True):
    """How far from an incident an alert may be raised and still be about it; notes of people know minutes at best."""

    before_seconds: float = 5.0
    after_seconds: float = 600.0


class Truth(_Strict, frozen=True, kw_only=True):
    """All that is known of a span ``[since, until)``; ``subjects`` are by rule id.

    A rule without a subject may be about any incident of its device.
    """

    since: Instant
    until: Instant
    zone: str = "Asia/Shanghai"
    """Where nights and days begin."""
    incidents: list[KnownIncident] = []
    disturbances: list[Disturbance] = []
    subjects: dict[str, Subject] = {}
    margins: Margins = Margins()


class Known:
    """``truth`` by device, so that the incidents of an instant are found at once."""

    def __init__(self, truth: Truth) -> None:
        self._subjects = truth.subjects
        self.before = timedelta(seconds=truth.margins.before_seconds)
        self.after = timedelta(seconds=truth.margins.after_seconds)
        self._incidents = _by_device(truth.incidents)
        self._disturbances = _by_device(truth.disturbances)

    def is_notice(self, rule: str) -> bool:
        """Tell whether alerts of ``rule`` are neither true nor false."""
        return self._subjects.get(rule, _ANYTHING).notice

    def finds(self, rule: str, incident: KnownIncident) -> bool:
        """Tell whether an alert of ``rule`` says enough to have found ``incident``."""
        subject = self._subjects.get(rule)
        return subject is None or _among(incident, subject.finds)

    def about(self, rule: str, incident: KnownIncident) -> bool:
        """Tell whether an alert of ``rule`` may truthfully be about ``incident``."""
        subject = self._subjects.get(rule)
        return subject is None or _among(incident, (*subject.finds, *subject.about))

    def incidents(self, device: str, part: str, at: datetime) -> Iterator[KnownIncident]:
        """Yield the incidents of which an alert raised ``at`` may be about."""
        yield from self._around(self._incidents, device, part, at)

    def disturbances(self, device: str, part: str, at: datetime) -> Iterator[Disturbance]:
        """Yield what may have set off an alert raised ``at``."""
        yield from self._around(self._disturbances, device, part, at)

    def _around(
        self, known: Mapping[str, Sequence["_Lasting"]], device: str, part: str, at: datetime
    ) -> Iterator["_Lasting"]:
        for one in known.get(device, ()):
            if one.began - self.before > at:
                return
            if at <= one.ended + self.after and (not part or not one.part or part == one.part):
                yield one


def _require_sense(device: str, began: datetime, ended: datetime) -> None:
    try:
        DeviceKey.from_path(device)
    except ValueError:
        raise ValueError(f"device {device!r}: expected community/kind/device") from None
    if ended < began:
        raise ValueError(f"ended {ended.isoformat()}: expected {began.isoformat()} or later")


_Lasting = TypeVar("_Lasting", KnownIncident, Disturbance)


def _among(incident: KnownIncident, kinds: tuple[str, ...]) -> bool:
    return incident.kind in kinds or f"{incident.kind}/{incident.variant}" in kinds


def _by_device(those: Iterable[_Lasting]) -> dict[str, list[_Lasting]]:
    found: defaultdict[str, list[_Lasting]] = defaultdict(list)
    for one in sorted(those, key=lambda each: each.began):
        found[one.device].append(one)
    return found

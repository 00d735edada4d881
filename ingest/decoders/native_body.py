"""Native payload bytes to a body and the unknown fields beside it.

The fast path decodes with *strict twins*: subclasses of the wire structs that forbid unknown fields, which costs
nothing extra. Only a payload that one of them refuses is looked at again, field by field.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache
from operator import attrgetter
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Struct

from core.devices import Channel, DeviceKind
from core.observations import RejectionReason
from core.wire.payloads import (
    ADDED,
    Body,
    ElevatorEvent,
    ElevatorTelemetry,
    GateEvent,
    GatewayEvent,
    Presence,
    Region,
    ThermalEvent,
    ThermalTelemetry,
)

Extra = dict[str, object]
Mask = Callable[[object], object]
"""What becomes of a text or a number in an unknown field before it is kept."""

# Deep enough for any real message; stores and the API must be able to walk what is kept.
_LEVELS = 32
# C0, DEL, C1 and the two Unicode line ends: PostgreSQL refuses NUL, and line protocol cannot say a line end in a tag.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Refused(Exception):
    """This payload has no body; carries the reason and a text that says where and what was expected."""

    def __init__(self, reason: RejectionReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Format(Struct, frozen=True):
    """How one channel of one kind of device is read; ``texts`` gives the free texts of a body."""

    twin: type[Struct]
    decoder: msgspec.json.Decoder[Any]
    texts: Callable[[Any], Iterable[str | None]]

    def decode(self, payload: bytes, mask: Mask | None = None) -> tuple[Body, Extra | None]:
        """Return the body and the unknown fields of ``payload``; raises `Refused` and nothing else."""
        extra = None
        try:
            body = self.decoder.decode(payload)
        except (ValueError, RecursionError):
            body, extra = self._decode_slowly(payload, mask)
        for text in self.texts(body):
            # Most texts are printable, and that test is cheap; some printable ones (a wide space) say they are not.
            if text is not None and not text.isprintable() and _CONTROL.search(text):
                # Where values are masked, the text may be a card number, and the detail is kept in the open.
                shown = f"text {text!r}" if mask is None else f"a text of {len(text)} characters"
                raise Refused(RejectionReason.WRONG_SHAPE, f"{shown} holds a control character")
        return body, extra

    def _decode_slowly(self, payload: bytes, mask: Mask | None) -> tuple[Body, Extra | None]:
        document = _parse(payload)
        try:
            known, extra = _split(document, self.twin)
            body = cast(Body, msgspec.convert(known, self.twin))
            return body, _tame(extra, mask or _as_it_is) if extra else None
        except (ValueError, RecursionError) as error:
            raise Refused(RejectionReason.WRONG_SHAPE, str(error)) from None


def _parse(payload: bytes) -> object:
    """Return the JSON document in ``payload``; raises `Refused` with the reason why there is none."""
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        raise Refused(RejectionReason.NOT_UTF8, f"{error.reason} at byte {error.start}") from None
    try:
        return msgspec.json.decode(payload)
    except (msgspec.ValidationError, RecursionError) as error:  # a number or a nesting beyond every limit
        raise Refused(RejectionReason.WRONG_SHAPE, str(error)) from None
    except UnicodeDecodeError:  # the bytes are sound, so an escape is not: half of a surrogate pair
        raise Refused(RejectionReason.NOT_JSON, "a \\u escape is half of a surrogate pair") from None
    except msgspec.DecodeError as error:
        raise Refused(RejectionReason.NOT_JSON, str(error)) from None


def _split(document: object, twin: type[Struct]) -> tuple[object, Extra]:
    """Take the unknown fields out of ``document``; those of regions stand under ``regions`` by the region's name."""
    if not isinstance(document, dict):
        return document, {}
    known, extra = _split_fields(document, twin)
    if twin is _STRICT_THERMAL_TELEMETRY and isinstance(regions := known.get("regions"), list):
        parts = [
            _split_fields(region, _STRICT_REGION) if isinstance(region, dict) else (region, {}) for region in regions
        ]
        known["regions"] = [part for part, _ in parts]
        if named := {str(part["region"]): unknown for part, unknown in parts if unknown and "region" in part}:
            extra["regions"] = named
    return known, extra


def _split_fields(document: dict[str, object], twin: type[Struct]) -> tuple[dict[str, object], Extra]:
    fields, added = twin.__struct_fields__, _added(twin)
    known, unknown = dict[str, object](), dict[str, object]()
    for name, value in document.items():
        meant = name in fields and (name not in added or _is_of(value, added[name]))
        (known if meant else unknown)[name] = value
    return known, unknown


@cache
def _added(twin: type[Struct]) -> dict[str, Any]:
    """Return the types of the fields that the contract of ``twin`` gained later, by name."""
    names = ADDED.get(twin.__bases__[0], frozenset())
    return {field.name: field.type for field in msgspec.structs.fields(twin) if field.name in names}


def _is_of(value: object, shape: Any) -> bool:
    try:
        msgspec.convert(value, shape)
    except (msgspec.ValidationError, RecursionError):
        return False
    return True


def _as_it_is(value: object) -> object:
    return value


def _tame(extra: Extra, mask: Mask) -> Extra:
    return {name: _walk(value, mask, 1) for name, value in extra.items()}


def _walk(value: object, mask: Mask, level: int) -> object:
    if level > _LEVELS:
        raise ValueError(f"unknown fields are nested more than {_LEVELS} levels deep")
    if isinstance(value, dict):
        return {name: _walk(inner, mask, level + 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_walk(inner, mask, level + 1) for inner in value]
    return mask(value)


def _strict(body: type[Struct], fields: list[tuple[str, Any]] | None = None) -> type[Struct]:
    return msgspec.defstruct(body.__name__, fields or [], bases=(body,), forbid_unknown_fields=True, kw_only=True)


_STRICT_REGION = _strict(Region)
_STRICT_THERMAL_TELEMETRY = _strict(
    ThermalTelemetry,
    [("regions", Annotated[list[_STRICT_REGION], Meta(min_length=1, max_length=64)])],  # type: ignore[valid-type]
)


def _format(twin: type[Struct], texts: Callable[[Any], Iterable[str | None]]) -> Format:
    return Format(twin, msgspec.json.Decoder(twin), texts)


_PRESENCE = _format(_strict(Presence), lambda _body: ())

FORMATS: dict[tuple[DeviceKind, Channel], Format] = {
    (DeviceKind.ELEVATOR, Channel.TELEMETRY): _format(_strict(ElevatorTelemetry), lambda body: (body.floor,)),
    (DeviceKind.ELEVATOR, Channel.EVENT): _format(_strict(ElevatorEvent), attrgetter("source", "code", "floor")),
    (DeviceKind.ELEVATOR, Channel.PRESENCE): _PRESENCE,
    (DeviceKind.GATE, Channel.EVENT): _format(_strict(GateEvent), attrgetter("door", "credential")),
    (DeviceKind.GATE, Channel.PRESENCE): _PRESENCE,
    (DeviceKind.THERMAL, Channel.TELEMETRY): _format(
        _STRICT_THERMAL_TELEMETRY, lambda body: [region.region for region in body.regions]
    ),
    (DeviceKind.THERMAL, Channel.EVENT): _format(_strict(ThermalEvent), attrgetter("region", "episode")),
    (DeviceKind.THERMAL, Channel.PRESENCE): _PRESENCE,
    (DeviceKind.GATEWAY, Channel.EVENT): _format(_strict(GatewayEvent), lambda body: (body.controller,)),
    (DeviceKind.GATEWAY, Channel.PRESENCE): _PRESENCE,
}

"""Which alerts are meant: labels of an alert, and matchers on them, as silences, routes and inhibitions use them."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated

from msgspec import Meta, Struct

from alerts.inventory import DeviceFacts
from alerts.model import Severity
from core.devices import DeviceKey

Labels = Mapping[str, str]
"""``rule``, ``severity``, ``community``, ``kind``, ``device``, ``path``, ``building``, ``gateway`` and ``tags``.

``tags`` joins a device's tags as ``,a,b,`` (in order), so that one of them is matched by ``*,a,*``.
"""
LABELS = ("rule", "severity", "community", "kind", "device", "path", "building", "gateway", "tags")
OFFERED = (*(label for label in LABELS if label != "tags"), "tag")
"""The labels that people are told of: `tag` asks for one of a device's tags, without the commas of ``tags``."""


class Operator(StrEnum):
    """How a label is compared; ``like`` knows ``*`` for any text, ``in`` a list separated by commas."""

    EQUALS = "="
    DIFFERS = "!="
    LIKE = "like"
    UNLIKE = "unlike"
    IN = "in"


class Matcher(Struct, frozen=True, forbid_unknown_fields=True):
    """One comparison; ``tag`` as a label asks whether the device has that tag."""

    label: Annotated[str, Meta(min_length=1, max_length=64)]
    value: Annotated[str, Meta(max_length=1_000)]
    operator: Operator = Operator.EQUALS


def labels_of(rule: str, severity: Severity, device: DeviceKey, facts: DeviceFacts) -> dict[str, str]:
    """Return the labels of an alert."""
    tags = ",".join(sorted(facts.tags))
    return {
        "rule": rule,
        "severity": severity.value,
        "community": device.community,
        "kind": device.kind.value,
        "device": device.device,
        "path": device.path,
        "building": facts.building,
        "gateway": facts.gateway,
        "tags": f",{tags}," if tags else "",
    }


def matches(matcher: Matcher, labels: Labels) -> bool:
    """Tell whether ``labels`` satisfy ``matcher``; a label that an alert has not counts as empty."""
    value = labels.get("tags" if matcher.label == "tag" else matcher.label, "")
    if matcher.label == "tag":
        held = f",{matcher.value}," in value
        return held if matcher.operator is Operator.EQUALS else not held
    match matcher.operator:
        case Operator.EQUALS:
            return value == matcher.value
        case Operator.DIFFERS:
            return value != matcher.value
        case Operator.LIKE:
            return fnmatchcase(value, matcher.value)
        case Operator.UNLIKE:
            return not fnmatchcase(value, matcher.value)
        case Operator.IN:
            return value in [each.strip() for each in matcher.value.split(",")]


def all_match(matchers: Iterable[Matcher], labels: Labels) -> bool:
    """Tell whether ``labels`` satisfy every one of ``matchers``; none at all match everything."""
    return all(matches(matcher, labels) for matcher in matchers)


def objection(matcher: Matcher) -> str | None:
    """Return what was expected where ``matcher`` can never make sense, else ``None``."""
    if matcher.label == "tag":
        return None if matcher.operator in (Operator.EQUALS, Operator.DIFFERS) else "`=` or `!=` for a tag"
    return None if matcher.label in LABELS else f"a label: one of {', '.join(OFFERED)}"

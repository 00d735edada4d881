"""Limits of rules as numbers: those that hang on a device are worked out from the figures known of it."""

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from alerts.rules.conditions import Limit, Reference
from alerts.rules.model import Rule

Figure = Callable[[Limit], float]
"""Turns a limit into a number; raises `UnknownFigure` where the device lacks what it takes."""


class UnknownFigure(Exception):
    """A figure that a rule compares with is not known of this device, and nothing stands for it."""


def figures(numbers: Mapping[str, float]) -> Figure:
    """Return what works out limits for a device of which ``numbers`` are known."""

    def figure(limit: Limit) -> float:
        if not isinstance(limit, Reference):
            return limit
        if limit.attribute is None:
            raise ValueError("a limit that is a signal passed the checks")
        known = numbers.get(limit.attribute)
        if known is not None:
            return known * limit.times + limit.plus
        if limit.otherwise is None:
            raise UnknownFigure(limit.attribute)
        return limit.otherwise

    return figure


def attributes_of(rule: Rule) -> frozenset[str]:
    """Return the names of the figures that ``rule`` compares with."""
    return frozenset(each.attribute for each in _references(rule) if each.attribute is not None)


def _references(value: object) -> Iterator[Reference]:
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, Struct):
        for name in value.__struct_fields__:
            yield from _references(getattr(value, name))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _references(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _references(each)

"""Texts of rules and plans as people send them: how long they may be, and what is said of their mistakes."""

import re
from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, Field

from api.problems import InvalidRequest
from core.source import RuleError, UnreadableText

# A file of a hundred rules; more is not read at once over HTTP.
TEXT_LIMIT = 100_000
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")


def encodable(text: object) -> object:
    """Return ``text``; raises `InvalidRequest` with the line of half a surrogate pair, which JSON can carry."""
    if isinstance(text, str) and (found := _HALF_A_PAIR.search(text)) is not None:
        line = text.count("\n", 0, found.start()) + 1
        raise InvalidRequest(f"body.text:{line}", f"not YAML: the character U+{ord(found[0]):04X}", "whole characters")
    return text


YamlText = Annotated[str, BeforeValidator(encodable), Field(min_length=1, max_length=TEXT_LIMIT, description="YAML.")]

_IN_OURS = re.compile(r"(?:(?P<wrong>.*): )?expected (?P<wanted>.*)", re.DOTALL)
_OF_LIBRARY = re.compile(r"(?:(?P<place>.*): )?Expected (?P<wanted>.*?)(?:, got (?P<found>.*))?", re.DOTALL)
_UNSAID = re.compile(r"(?:missing required field|needs) (?P<wanted>.*)", re.DOTALL)


class TextProblem(BaseModel):
    """One mistake in a text."""

    line: int
    message: str = Field(description="What is wrong, and what was expected.")

    @classmethod
    def of(cls, mistake: RuleError) -> Self:
        return cls(line=mistake.line, message=mistake.text)


def refuse(mistakes: Iterable[RuleError]) -> None:
    """Raise `InvalidRequest` with all of ``mistakes``, each at its line of ``body.text``, where there are any."""
    found = [_refusal(mistake) for mistake in mistakes]
    if found:
        raise found[0].beside(found[1:])


def refuse_unreadable(mistakes: Iterable[RuleError]) -> None:
    """Raise `InvalidRequest`, with its line, where a text cannot be taken for YAML at all."""
    refuse(mistake for mistake in mistakes if isinstance(mistake, UnreadableText))


def _refusal(mistake: RuleError) -> InvalidRequest:
    return InvalidRequest(f"body.text:{mistake.line}", *told_apart(mistake.text))


def told_apart(text: str) -> tuple[str, str]:
    """Return what is wrong and what was expected, which the ``text`` of a mistake says in one."""
    wrong, wanted = text, ""
    if (ours := _IN_OURS.fullmatch(text)) is not None:
        wrong, wanted = ours["wrong"] or "", ours["wanted"]
    # Under our words may be those of the library that found a value of another type.
    if (library := _OF_LIBRARY.fullmatch(wrong)) is not None:
        found = f"got {library['found']}" if library["found"] else "cannot be used"
        wrong, wanted = f"{library['place']}: {found}", wanted or library["wanted"]
    return wrong, wanted or _unsaid(text)


def _unsaid(text: str) -> str:
    if (found := _UNSAID.search(text)) is not None:
        return found["wanted"]
    return "YAML" if text.startswith("not YAML") else "another value"

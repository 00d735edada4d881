"""Rules as they stand on the wire, and what is wrong with the text of one."""

import asyncio
from collections.abc import Sequence
from typing import Any, Self

import msgspec
from pydantic import BaseModel, Field

from alerts.history import RuleRevisionRow
from alerts.model import Severity
from alerts.rules import Rule
from alerts.rules.book import BOOK_SOURCE, RuleInForce
from alerts.rules.loading import check_file, check_rule, load_rule
from api.models import Bilingual
from api.problems import InvalidRequest
from api.texts import TextProblem, refuse, refuse_unreadable
from api.times import Utc
from core.devices import DeviceKind
from core.source import RuleError, read_source


class Revision(BaseModel):
    """One version of a rule that is kept through the API."""

    revision: int = Field(description="From 1, by rule.")
    text: str = Field(description="The rule as YAML.")
    enabled: bool
    author: str
    comment: str
    at: Utc

    @classmethod
    def of(cls, row: RuleRevisionRow) -> Self:
        return cls(
            revision=row.revision,
            text=row.text,
            enabled=row.enabled,
            author=row.author,
            comment=row.comment,
            at=row.at,
        )


class RuleBrief(BaseModel):
    """One rule, where it comes from and what it is about."""

    id: str
    source: str = Field(
        description="`built-in`, the name of a file, or `rule book`: kept here, in place of the others."
    )
    enabled: bool
    in_force: bool = Field(description="Whether it has been taken over as it stands here; that takes seconds.")
    kind: DeviceKind | None = Field(description="Null, as what follows, where its text cannot be read any more.")
    severity: Severity | None
    title: Bilingual | None
    revision: int = Field(description="In the rule book; else 0.")
    author: str | None
    at: Utc | None = Field(description="When it was last changed through the API.")


class WholeRule(RuleBrief):
    """One rule in full, with every version that was kept through the API, the newest first."""

    text: str = Field(description="The rule as YAML.")
    rule: dict[str, Any] | None = Field(description="The same as JSON; null where it cannot be read any more.")
    history: list[Revision]


class Checked(BaseModel):
    """What the text holds; without problems it could be put into force."""

    valid: bool
    rules: list[str] = Field(description="The ids of the rules that could be read.")
    problems: list[TextProblem]


def shown(force: RuleInForce | None, kept: RuleRevisionRow | None) -> RuleBrief:
    """Return a rule of which at least one of ``force`` and ``kept`` is known; the newest revision goes before."""
    standing = _standing(force, kept)
    rule = standing.rule
    return RuleBrief(
        id=standing.id,
        source=standing.source,
        enabled=standing.enabled,
        in_force=standing is force,
        kind=rule and rule.kind,
        severity=rule and rule.severity,
        title=rule and Bilingual(zh=rule.title.zh, en=rule.title.en),
        revision=standing.revision,
        author=kept and kept.author,
        at=kept and kept.at,
    )


def in_full(force: RuleInForce | None, history: Sequence[RuleRevisionRow]) -> WholeRule:
    """Return a rule with its text and its ``history``, newest first."""
    kept = history[0] if history else None
    standing = _standing(force, kept)
    return WholeRule(
        **dict(shown(force, kept)),
        text=standing.text,
        rule=None if standing.rule is None else msgspec.to_builtins(standing.rule),
        history=[Revision.of(row) for row in history],
    )


def _standing(force: RuleInForce | None, kept: RuleRevisionRow | None) -> RuleInForce:
    if force is not None and (kept is None or force.revision == kept.revision):
        return force
    if kept is None:
        raise ValueError("neither in force nor kept: expected a rule that is known")
    return RuleInForce(kept.rule, _readable(kept.text), BOOK_SOURCE, kept.text, kept.enabled, kept.revision)


def _readable(text: str) -> Rule | None:
    """Return the rule that ``text`` is; what was kept long ago may not be a rule today."""
    try:
        return load_rule(text, "rule")
    except RuleError:
        return None


async def read_rule(rule_id: str, text: str) -> Rule:
    """Return the rule that ``text`` is.

    Raises `InvalidRequest` with every mistake and its line, also where it is another rule's.
    """
    # Parsing YAML takes a while; an executor thread keeps the event loop free.
    rule, mistakes = await asyncio.to_thread(check_rule, text, rule_id)
    refuse(mistakes)
    if rule is None or rule.id != rule_id:
        said = "" if rule is None else rule.id
        raise InvalidRequest("body.text", f"the rule's id is {said}", f"id: {rule_id}, as in the path")
    return rule


async def readable(text: str) -> None:
    """Return where ``text`` is a rule file, or one rule by itself; raises `InvalidRequest` with every mistake."""
    _, mistakes = await asyncio.to_thread(_looked_at, text)
    refuse(mistakes)


async def check(text: str) -> Checked:
    """Return what is wrong with ``text``: a rule file, or one rule by itself.

    Raises `InvalidRequest` where it cannot be taken for YAML at all.
    """
    rules, mistakes = await asyncio.to_thread(_looked_at, text)
    refuse_unreadable(mistakes)
    found = [TextProblem.of(mistake) for mistake in mistakes]
    return Checked(valid=not found, rules=[rule.id for rule in rules], problems=found)


def _looked_at(text: str) -> tuple[list[Rule], list[RuleError]]:
    return _file(text) if _is_file(text) else _single(text)


def _is_file(text: str) -> bool:
    try:
        content = read_source(text, "rules").content
    except RuleError:
        return True
    return not isinstance(content, dict) or bool({"version", "rules"} & content.keys())


def _file(text: str) -> tuple[list[Rule], list[RuleError]]:
    loaded = check_file(text, "rules")
    return loaded.rules, loaded.mistakes


def _single(text: str) -> tuple[list[Rule], list[RuleError]]:
    rule, mistakes = check_rule(text, "rules")
    return [] if rule is None or mistakes else [rule], mistakes

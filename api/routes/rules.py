"""Rules: which are in force, changing and disabling them, checking a text before it is kept."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Response
from pydantic import BaseModel, Field

from alerts.history import RuleRevisionRow
from alerts.rules.book import RuleInForce
from api.auth import CurrentActor
from api.dependencies import Given
from api.found import found
from api.parameters import RULE
from api.problems import InvalidRequest
from api.responses import CONFLICT, NOT_FOUND, TOO_LARGE
from api.rules import Checked, Revision, RuleBrief, WholeRule, check, in_full, read_rule, shown
from api.texts import YamlText
from api.words import Words

router = APIRouter(prefix="/rules", tags=["rules"])
RuleId = Annotated[str, Path(pattern=RULE, description="The rule's `id`.")]
Expected = Annotated[int, Field(ge=0, le=2**31 - 1, description="The newest revision you know; 0 for none yet.")]
IfMatch = Annotated[str | None, Header(pattern=r'^(W/)?"?\d{1,9}"?$', description="The `ETag` you know.")]


class Rules(BaseModel):
    """All rules, by id."""

    items: list[RuleBrief]
    problem: str | None = Field(description="Why what is newest was refused, so that the rules before stay in force.")


class NewRevision(BaseModel):
    """A rule to be kept from now on."""

    text: YamlText
    comment: Words
    enabled: bool = True
    expected_revision: Expected | None = None


class Switching(BaseModel):
    """Why, and what is known of the rule."""

    comment: Words | None = None
    expected_revision: Expected | None = None


class Text(BaseModel):
    """Rules to look at."""

    text: YamlText


@router.get("", summary="List rules")
async def list_rules(given: Given) -> Rules:
    """All rules, built-in, from files and kept through the API, disabled ones too."""
    force = {one.id: one for one in await given.rules.in_force()}
    kept = {row.rule: row for row in await given.rule_book.newest()}
    items = [shown(force.get(name), kept.get(name)) for name in sorted(force.keys() | kept.keys())]
    return Rules(items=items, problem=await given.rules.problem() or None)


@router.post("/check", summary="Check rules without keeping them", responses=TOO_LARGE)
async def check_rules(said: Text) -> Checked:
    """Say all that is wrong with a rule file, or with one rule by itself, each with its line. Nothing is kept.

    A text that cannot be YAML at all, because of a control character or a tag that does not fit, is refused (422).
    """
    return await check(said.text)


@router.get("/{rule}", summary="Show one rule", responses=NOT_FOUND)
async def get_rule(given: Given, rule: RuleId, response: Response) -> WholeRule:
    """One rule as YAML and as JSON, with its history. The `ETag` is its revision, for `If-Match`."""
    force, history = await _known(given, rule)
    response.headers["ETag"] = f'"{history[0].revision if history else 0}"'
    return in_full(force, history)


@router.put("/{rule}", summary="Keep a rule", responses={**CONFLICT, **TOO_LARGE})
async def put_rule(
    given: Given,
    actor: CurrentActor,
    rule: RuleId,
    said: NewRevision,
    response: Response,
    if_match: IfMatch = None,
) -> Revision:
    """Keep a new version of a rule, in place of whatever has its id; it is in force within seconds.

    A text with a mistake is refused (422) with the line and what was expected, and the rules in force stay.
    """
    await read_rule(rule, said.text)
    expected = _expected(said.expected_revision, if_match)
    row = await given.rule_book.put(
        rule,
        said.text,
        enabled=said.enabled,
        author=actor.name,
        comment=said.comment,
        now=given.clock.now(),
        expected_revision=expected,
    )
    response.headers["ETag"] = f'"{row.revision}"'
    return Revision.of(row)


@router.post("/{rule}/disable", summary="Disable a rule", responses={**NOT_FOUND, **CONFLICT, **TOO_LARGE})
async def disable_rule(given: Given, actor: CurrentActor, rule: RuleId, said: Switching | None = None) -> Revision:
    """Let a rule rest, a built-in one too; its open alerts are resolved. Disabled already, nothing changes."""
    return await _switched(given, actor.name, rule, said or Switching(), enabled=False)


@router.post("/{rule}/enable", summary="Enable a rule", responses={**NOT_FOUND, **CONFLICT, **TOO_LARGE})
async def enable_rule(given: Given, actor: CurrentActor, rule: RuleId, said: Switching | None = None) -> Revision:
    """Put a disabled rule into force again. Enabled already, nothing changes."""
    return await _switched(given, actor.name, rule, said or Switching(), enabled=True)


async def _known(given: Given, rule: str) -> tuple[RuleInForce | None, list[RuleRevisionRow]]:
    history = list(await given.rule_book.history(rule))
    force = next((one for one in await given.rules.in_force() if one.id == rule), None)
    if not history:
        found(force, f"rule {rule}")
    return force, history


async def _switched(given: Given, actor: str, rule: str, said: Switching, *, enabled: bool) -> Revision:
    force, history = await _known(given, rule)
    newest = history[0] if history else None
    if newest is not None and newest.enabled is enabled and said.expected_revision in (None, newest.revision):
        return Revision.of(newest)
    # What was read must still stand: switching must not bring an old text back.
    expected = said.expected_revision
    row = await given.rule_book.put(
        rule,
        newest.text if newest is not None else found(force, f"rule {rule}").text,
        enabled=enabled,
        author=actor,
        comment=said.comment or ("enabled" if enabled else "disabled"),
        now=given.clock.now(),
        expected_revision=expected if expected is not None else newest.revision if newest is not None else 0,
    )
    return Revision.of(row)


def _expected(stated: int | None, if_match: str | None) -> int | None:
    matched = None if if_match is None else int(if_match.removeprefix("W/").strip('"'))
    if stated is not None and matched is not None and stated != matched:
        raise InvalidRequest("body.expected_revision", f"{stated}, but If-Match says {matched}", "the same in both")
    return matched if stated is None else stated

"""Backtests: what a rule would have raised."""

from datetime import timedelta

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.backtests import Backtest
from api.dependencies import Given
from api.found import found
from api.parameters import RULE, WORD_PATTERN
from api.problems import InvalidRequest
from api.responses import NOT_FOUND, TOO_LARGE
from api.rules import readable
from api.texts import YamlText
from api.times import Instant

router = APIRouter(prefix="/rules", tags=["rules"])
_DEFAULT = timedelta(days=7)


class Trial(BaseModel):
    """What to replay: a text, or a rule that is in force, and the span."""

    text: YamlText | None = Field(default=None, description="YAML: one rule by itself, or a rule file.")
    rule: str | None = Field(default=None, pattern=RULE, description="In place of `text`: the id of a rule.")
    since: Instant | None = Field(default=None, description="7 days before `until` where it is left out.")
    until: Instant | None = Field(default=None, description="Now where it is left out.")
    community: str | None = Field(default=None, pattern=WORD_PATTERN, description="Only this community.")


@router.post("/backtest", summary="Show what rules would have raised", responses={**NOT_FOUND, **TOO_LARGE})
async def backtest_rules(given: Given, said: Trial) -> Backtest:
    """Replay what was heard through rules that are not in force, beside those of the same ids that are.

    Nothing is raised and nobody told. One at a time (503 meanwhile); 400 where there is nothing to replay, or too much.
    """
    now = given.clock.now()
    end = min(said.until or now, now)  # Beyond it every device would seem silent.
    begin = said.since or end - _DEFAULT
    if begin >= end:
        raise InvalidRequest("body.since", f"{begin.isoformat()} is not before until", f"before {end.isoformat()}")
    text = await _text(given, said)
    return Backtest.of(await given.backtester.backtest(text, begin, end, said.community))


async def _text(given: Given, said: Trial) -> str:
    if (said.text is None) == (said.rule is None):
        raise InvalidRequest("body.text", "neither or both given", "`text` or `rule`, one of the two")
    if said.text is not None:
        await readable(said.text)
        return said.text
    force = next((one for one in await given.rules.in_force() if one.id == said.rule), None)
    return found(force, f"rule {said.rule}").text

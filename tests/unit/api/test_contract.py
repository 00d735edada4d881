"""The contract: written down, complete, and readable without a network."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import assemble
from api.contract import as_yaml
from api.feed import frame_of
from api.models import Transition
from api.reference_page import needs_token
from api.schema_words import said_type
from tests.unit.api.twins import RecordsTwin
from tests.unit.api.world import LIFT

WRITTEN = Path(__file__).parents[3] / "docs" / "reference" / "openapi.yaml"
DOCUMENT: dict[str, Any] = assemble().openapi()
OPERATIONS = {
    operation["operationId"]: (path, operation)
    for path, item in DOCUMENT["paths"].items()
    for operation in item.values()
}
# These take whatever name they are given.
NAMES_ANEW = {"put_facts", "put_rule", "put_controller_code", "get_controller_code", "check_controller_code"}
# And these do things that the present state of the thing may forbid.
MAY_CONFLICT = {
    "acknowledge_test",
    "acknowledge_alert",
    "assign_alert",
    "reset_alert",
    "shelve_alert",
    "mark_false_alarm",
    "put_rule",
    "disable_rule",
    "enable_rule",
    "answer_emergency_call",
    "dispatch_emergency_call",
    "set_out_for_emergency_call",
    "hand_on_emergency_call",
    "arrive_at_emergency_call",
    "leave_emergency_call",
    "dial_for_emergency_call",
    "free_emergency_call",
    "abandon_emergency_call",
    "note_on_emergency_call",
    "close_emergency_call",
    "end_alarm_of_emergency_call",
    "check_controller_code",
    "put_call_point",
    "rotate_call_point",
    "revoke_former_tokens",
    "hand_on_voice",
}


def test_the_contract_is_as_written_down() -> None:
    assert WRITTEN.read_text(encoding="utf-8") == as_yaml(), "run: python -m api.contract > docs/reference/openapi.yaml"


def test_operations_are_named_once() -> None:
    assert len(OPERATIONS) == sum(len(item) for item in DOCUMENT["paths"].values())
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in OPERATIONS)


def test_the_contract_says_which_operations_are_open() -> None:
    assert {name for name, (_, operation) in OPERATIONS.items() if not needs_token(operation)} == {
        "get_health",
        "get_readiness",
        "begin_session",
    }


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_says_what_it_does_and_what_can_go_wrong(name: str) -> None:
    path, operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["description"]
    problems = {"default"} | ({"401", "422", "503"} if needs_token(operation) else set())
    problems |= {"404"} if "{" in path and name not in NAMES_ANEW else set()
    assert problems <= set(operation["responses"])
    for code in problems:
        [(media, body)] = operation["responses"][code]["content"].items()
        assert (media, body["schema"]["$ref"]) == ("application/problem+json", "#/components/schemas/Problem")


def test_the_contract_says_what_may_conflict_and_what_may_be_too_large() -> None:
    answers = {name: operation["responses"].keys() for name, (_, operation) in OPERATIONS.items()}
    assert {name for name, codes in answers.items() if "409" in codes} == MAY_CONFLICT
    with_body = {name for name, (_, operation) in OPERATIONS.items() if "requestBody" in operation}
    assert {name for name, codes in answers.items() if "413" in codes} == with_body


def test_nothing_is_referred_to_that_is_not_there() -> None:
    names = set(re.findall(r"#/components/schemas/(\w+)", as_yaml()))
    assert names <= set(DOCUMENT["components"]["schemas"])
    assert "HTTPValidationError" not in DOCUMENT["components"]["schemas"]


async def test_the_page_needs_nothing_from_elsewhere(stranger: httpx.AsyncClient) -> None:
    page = await stranger.get("/docs")
    assert not re.search(r"(src|href)=\"(https?:)?//|<script|@import", page.text)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for name, (path, _) in OPERATIONS.items():
        assert f'id="{name}"' in page.text
        assert path in page.text
    linked = set(re.findall(r'href="#([^"]+)"', page.text))
    assert linked <= set(re.findall(r'id="([^"]+)"', page.text))
    assert {f"body-{name}" for name in DOCUMENT["components"]["schemas"]} <= set(re.findall(r'id="([^"]+)"', page.text))


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "format": "date-time"}, "string date-time"),
        ({"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
         "integer, at least <code>1</code>, at most <code>500</code>, by default <code>50</code>"),
        ({"anyOf": [{"$ref": "#/components/schemas/Comment"}, {"type": "null"}]},
         '<a href="#body-Comment">Comment</a> or null'),
        ({"type": "array", "items": {"enum": ["a<b", "c"]}}, "list of one of <code>a&lt;b</code>, <code>c</code>"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "mapping of names to number"),
        ({"const": 1}, "<code>1</code>"),
        ({}, "anything"),
    ],
    ids=["format", "bounds", "alternatives", "list of values", "mapping", "constant", "no schema"],
)  # fmt: skip
def test_a_schema_in_words(schema: dict[str, object], expected: str) -> None:
    assert said_type(schema) == expected


async def test_what_is_served_is_what_is_written(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get("/openapi.json")).json() == DOCUMENT


def test_a_streamed_transition_is_one_event_whose_id_is_its_sequence() -> None:
    records = RecordsTwin()
    records.raise_alert(LIFT)
    frame = frame_of(records.steps[0])
    name, event, body, *end = frame.encoded.decode().split("\n")
    assert (name, event, end) == ("id: 1", "event: transition", ["", ""])
    shown = Transition.model_validate_json(body.removeprefix("data: "))
    assert (shown.alert_id, shown.rule, shown.severity, shown.reason.zh, shown.facts["speed_mps"]) == (
        "alert1", "trapped-passenger", "critical", "somebody is in the car", 0.0,
    )  # fmt: skip

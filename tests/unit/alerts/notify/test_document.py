"""The document that programs read: its published schema, and that a repeat has the same bytes."""

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import jsonschema
import msgspec
import pytest

from alerts.dispatch.model import Intent
from alerts.notify.document import NotificationDocument, body_of, document_of, schema_text
from tests.unit.alerts.notify.intents import after, brief, intent, page

ROOT = Path(__file__).parents[4]
SHANGHAI = ZoneInfo("Asia/Shanghai")
BASE = "https://anju.example.org"
PUBLISHED = ROOT / "docs/reference/notification.schema.json"
CASES = sorted((ROOT / "tests/cases/messages").iterdir())


def test_the_published_schema_is_that_of_the_code() -> None:
    published = PUBLISHED.read_text(encoding="utf-8")
    assert published == schema_text(), "write alerts.notify.document.schema_text() to docs/reference"


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_what_is_sent_keeps_to_the_schema(case: Path) -> None:
    told = msgspec.json.decode((case / "intent.json").read_bytes(), type=Intent)
    body = body_of(told, SHANGHAI, BASE)
    jsonschema.validate(json.loads(body), json.loads(PUBLISHED.read_text(encoding="utf-8")))
    assert msgspec.json.decode(body, type=NotificationDocument).id == told.id


def test_a_repeat_has_the_same_bytes() -> None:
    assert body_of(intent(), SHANGHAI, BASE) == body_of(intent(), SHANGHAI, BASE)


def test_it_carries_what_a_program_asks_for() -> None:
    gone = brief(resolved_at=after(60), acknowledged_by="王师傅", hanging=("xingfuli/gate/south",))
    document = json.loads(body_of(intent(alerts=(gone,), version=7), SHANGHAI, BASE))
    assert (document["schema"], document["version"], document["at"]) == (
        "anju-notification/1",
        7,
        "2026-08-14T07:02:26Z",
    )
    (alert,) = document["alerts"]
    assert alert["device"] == "xingfuli/elevator/b1-l1"
    assert alert["place"] == {"zh": "1号楼1号梯", "en": "Building 1, lift 1"}
    assert (alert["resolved_at"], alert["acknowledged_by"]) == ("2026-08-14T07:03:26Z", "王师傅")
    assert alert["hanging"] == ["xingfuli/gate/south"]
    assert alert["link"] == "https://anju.example.org/alerts/5f2c8a"
    assert document["words"]["short"]["zh"].startswith("【紧急】新告警：1号楼1号梯 轿厢困人")


def test_without_an_address_of_its_own_there_is_no_link() -> None:
    assert document_of(intent(), SHANGHAI, None).alerts[0].link is None


def test_a_call_for_help_stands_beside_its_words_and_nothing_else_has_one() -> None:
    document = json.loads(body_of(page(7, drill=True), SHANGHAI, BASE))
    facts = {"lift": "xingfuli/elevator/b1-l1", "people": 2}
    assert document["call"] == {"id": "call-7", "kind": "call", "drill": True, "facts": facts}
    assert (document["purpose"], document["incident"], document["alerts"]) == ("call", "call-7", [])
    assert document["words"]["title"]["en"].startswith("[DRILL] ")
    assert "call" not in json.loads(body_of(intent(), SHANGHAI, BASE))

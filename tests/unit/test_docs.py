"""What the documents show works: links lead somewhere, examples decode, both READMEs show the same commands."""

import json
import re
import textwrap
from pathlib import Path
from typing import get_args

import jsonschema
import msgspec
import pytest
import yaml

from alerts.rules import Rule, load_rules
from alerts.rules.conditions import Condition, Events, Reference, Rhythm, Stay
from alerts.rules.loading import load_file
from alerts.rules.schema import json_schema
from alerts.rules.series import Expectation, Input, RuleTest
from alerts.ruletests import run_series
from alerts.scoring.truth import Margins, Truth
from app.asyncapi import BODIES
from app.corpus import Corpus, entries
from app.score import decoder
from core.observations import Observation
from core.wire import topics

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?://)([^)#]+)")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PUBLISH = re.compile(r"mosquitto_pub\b.*?-t (\S+) \\?\s+-m '(.*?)'\n", re.DOTALL)
KINDS = {each.__struct_config__.tag: each for each in get_args(Condition)}
CONDITIONS = set(KINDS)
INSTANT = "2026-08-14T07:02:26Z"


def blocks(name: str, language: str) -> list[str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return [body for found, body in BLOCK.findall(text) if found == language]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_that_are_there(document: Path) -> None:
    for target in LINK.findall(document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target


@pytest.mark.parametrize("name", ["README.md", "docs/how-to/connect-a-device.md"])
def test_published_examples_are_messages_anju_takes(name: str) -> None:
    examples = PUBLISH.findall("".join(blocks(name, "sh")))
    assert examples
    for topic, quoted in examples:
        payload = quoted.replace("'$(date -u +%FT%TZ)'", INSTANT)
        device, channel = topics.parse(topic)
        twin = BODIES[device.kind, channel]
        body = msgspec.json.decode(payload, type=twin)
        assert json.loads(payload).keys() <= set(body.__struct_fields__)


def _keys_of_conditions() -> set[str]:
    structs = (*KINDS.values(), Reference, Events, Rhythm, Stay)
    return {field.encode_name for each in structs for field in msgspec.structs.fields(each)}


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_rule_of_the_readme_is_valid(name: str) -> None:
    (text,) = blocks(name, "yaml")
    assert [rule.id for rule in load_rules(text, name)] == ["shed-warm-at-night"]


def test_the_rules_of_the_guide_are_valid() -> None:
    text = blocks("docs/how-to/write-a-rule.md", "yaml")[0]
    assert [rule.id for rule in load_rules(text, "write-a-rule.md")] == ["shed-hot-for-its-site", "lift-open-too-long"]


def test_the_test_of_the_guide_passes_beside_its_rules() -> None:
    rules, *others = blocks("docs/how-to/write-a-rule.md", "yaml")
    (tests,) = [block for block in others if block.startswith("tests:")]
    loaded = load_file(rules + tests, "write-a-rule.md")
    assert [run_series(test, loaded.rules).differences for test in loaded.tests] == [[]]
    jsonschema.validate({"version": 1, "rules": []} | yaml.safe_load(tests), json_schema())


def test_the_example_of_what_arrives_late_passes_its_own_test() -> None:
    _, *others = blocks("docs/how-to/write-a-rule.md", "yaml")
    (text,) = [block for block in others if block.startswith("version:")]
    loaded = load_file(text, "write-a-rule.md")
    assert [run_series(test, loaded.rules).differences for test in loaded.tests] == [[]]
    jsonschema.validate(yaml.safe_load(text), json_schema())


def test_the_guide_names_every_key_of_test_series() -> None:
    guide = (ROOT / "docs/how-to/write-a-rule.md").read_text(encoding="utf-8")
    section = guide[guide.index("## Test it") : guide.index("## Backtest it")]
    for struct in (RuleTest, Input, Expectation):
        for field in msgspec.structs.fields(struct):
            assert re.search(rf"`?{field.encode_name}\b", section), field.encode_name


def test_the_guide_shows_each_condition_in_a_rule_that_loads() -> None:
    shown: set[str] = set()
    for block in blocks("docs/how-to/write-a-rule.md", "yaml"):
        if not block.startswith("# "):
            continue
        kind, _, condition = block.partition("\n")
        head = f"version: 1\nrules:\n  - id: r\n    kind: {kind[2:]}\n    severity: major\n"
        texts = "    title: {zh: 题, en: title}\n    next_step: {zh: 步, en: step}\n"
        text = head + texts + textwrap.indent(condition, "    ")
        (rule,) = load_rules(text, "write-a-rule.md")
        jsonschema.validate(yaml.safe_load(text), json_schema())
        shown |= set(re.findall(r"'kind': '(\w+)'", str(msgspec.to_builtins(rule.condition))))
    assert shown == CONDITIONS


def test_the_guide_names_every_key_and_condition_of_rules() -> None:
    guide = (ROOT / "docs/how-to/write-a-rule.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+)`", guide)) | {"late", "max_late"}
    schema = json.dumps(json_schema())
    keys = {field.encode_name for field in msgspec.structs.fields(Rule)}
    for word in CONDITIONS | keys | _keys_of_conditions():
        assert word in named, word
        assert f'"{word}"' in schema, word


def test_the_corpus_of_the_guide_is_one(tmp_path: Path) -> None:
    message, devices, truth = blocks("docs/how-to/score-rules.md", "json")
    for name, text in (("messages.jsonl", message), ("devices.json", devices), ("truth.json", truth)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    corpus = Corpus(tmp_path)
    (entry,) = entries(corpus.messages())
    assert isinstance(decoder(corpus.truth.zone)(entry), Observation)
    assert corpus.truth.zone == Truth(since=corpus.truth.since, until=corpus.truth.until).zone
    assert corpus.truth.margins == Margins()


def test_both_readmes_show_the_same_commands() -> None:
    def commands(name: str) -> list[str]:
        return [re.sub(r"\s*#.*", "", line) for block in blocks(name, "sh") for line in block.splitlines()]

    assert commands("README.md") == commands("README.zh-CN.md")


def test_both_readmes_have_the_same_parts_and_links() -> None:
    def shape(name: str) -> tuple[int, set[str]]:
        text = (ROOT / name).read_text(encoding="utf-8")
        # A picture of a page is in the reader's language.
        links = {link.replace("-zh-", "-en-") for link in LINK.findall(text)}
        return len(re.findall(r"^#+ ", text, re.MULTILINE)), links - {"README.md", "README.zh-CN.md"}

    assert shape("README.md") == shape("README.zh-CN.md")

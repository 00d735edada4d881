"""The published JSON Schema of rule files, drawn from the structs so that the two cannot differ."""

from typing import Any

import msgspec

from alerts.rules.model import RuleFile


def json_schema() -> dict[str, Any]:
    """Return the schema (JSON Schema 2020-12) as plain values; docs/reference/rules.schema.json is its copy."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Anju rule file",
        **msgspec.json.schema(RuleFile),
    }


def schema_text() -> str:
    """Return the schema as the text of its published file."""
    return msgspec.json.format(msgspec.json.encode(json_schema(), order="sorted"), indent=2).decode() + "\n"

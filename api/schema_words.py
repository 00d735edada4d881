"""What a JSON Schema asks for, said in a few words of HTML."""

from collections.abc import Mapping
from html import escape
from typing import Any

Json = Mapping[str, Any]
_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
    "minLength": "length at least",
    "maxLength": "length at most",
    "minItems": "items at least",
    "maxItems": "items at most",
    "default": "by default",
}


def said_type(schema: Json) -> str:
    """Return ``schema`` in words: its type, values, bounds and default; other schemas are links to their bodies."""
    return _named(schema) + "".join(
        f", {words} <code>{escape(str(schema[key]))}</code>"
        for key, words in _BOUNDS.items()
        if schema.get(key) is not None
    )


def _named(schema: Json) -> str:
    if "$ref" in schema:
        name = escape(str(schema["$ref"]).rpartition("/")[2])
        return f'<a href="#body-{name}">{name}</a>'
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(said_type(each) for each in schema[key])
    if "enum" in schema:
        return "one of " + ", ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    return _plain(schema)


def _plain(schema: Json) -> str:
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {said_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"mapping of names to {said_type(schema['additionalProperties'])}"
    return escape(" ".join(filter(None, (str(kind), schema.get("format")))))

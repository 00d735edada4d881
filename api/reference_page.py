"""The contract as one static page: no scripts, nothing loaded from elsewhere."""

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from api.schema_words import said_type

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}
code{background:#f2f2f2;padding:.1em .3em;border-radius:3px;overflow-wrap:anywhere}h2{margin-top:3rem}
h3{font-size:1.05rem;margin:0 0 .5rem}article{border-top:1px solid #ddd;padding:1rem 0}nav ul{columns:18rem}
table{border-spacing:0;width:100%}td{padding:.15rem 1rem .15rem 0;vertical-align:top}td:first-child{width:14rem}
caption{text-align:left;font-weight:600;padding-top:.5rem}a{color:#0550ae}
@media(max-width:40rem){td{display:block;padding:0}td:first-child{width:auto;padding-top:.4rem}}
@media(prefers-color-scheme:dark){body{background:#161616;color:#e6e6e6}code{background:#2a2a2a}a{color:#79b8ff}}
"""
_METHODS = ("get", "post", "put", "patch", "delete")
_CODE = re.compile(r"`([^`]+)`")
Json = Mapping[str, Any]


def render(document: Json) -> str:
    """Return ``document``, an OpenAPI description, as a whole HTML page."""
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    groups = _grouped(document["paths"])
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>{title}</h1><p>{_prose(document['info'].get('description', ''))}</p>"
        f'<p>For machines: <a href="openapi.json"><code>openapi.json</code></a></p>\n'
        f"<nav><ul>{''.join(_contents(groups))}</ul></nav>\n{''.join(_chapters(groups))}\n"
        f'<h2 id="bodies">Bodies</h2>\n{"".join(_bodies(document["components"]["schemas"]))}\n</body></html>\n'
    )


def _grouped(paths: Json) -> dict[str, list[tuple[str, str, Json]]]:
    groups: dict[str, list[tuple[str, str, Json]]] = {}
    for path, item in paths.items():
        for method in _METHODS:
            if method in item:
                tag = item[method].get("tags", ["other"])[0]
                groups.setdefault(tag, []).append((method, path, item[method]))
    return groups


def _contents(groups: Mapping[str, list[tuple[str, str, Json]]]) -> Iterator[str]:
    for operations in groups.values():
        for _, _, operation in operations:
            yield f'<li><a href="#{escape(operation["operationId"])}">{escape(operation["summary"])}</a></li>'


def _chapters(groups: Mapping[str, list[tuple[str, str, Json]]]) -> Iterator[str]:
    for tag, operations in groups.items():
        yield f"<h2>{escape(tag.capitalize())}</h2>\n"
        yield from (_operation(*operation) for operation in operations)


def _operation(method: str, path: str, operation: Json) -> str:
    guard = "" if needs_token(operation) else " <em>No token needed.</em>"
    return (
        f'<article id="{escape(operation["operationId"])}"><h3><code>{method.upper()} {escape(path)}</code></h3>'
        f"<p><strong>{escape(operation['summary'])}.</strong> {_prose(operation.get('description', ''))}{guard}</p>"
        f"{_table('Parameters', [_parameter(one) for one in operation.get('parameters', ())])}"
        f"{_table('Body', _body(operation.get('requestBody')))}"
        f"{_table('Answers', [_answer(code, one) for code, one in sorted(operation['responses'].items())])}</article>\n"
    )


def needs_token(operation: Json) -> bool:
    """Tell whether ``operation`` is closed to strangers: an empty requirement among the alternatives opens it."""
    alternatives = operation.get("security", [])
    return bool(alternatives) and {} not in alternatives


def _parameter(parameter: Json) -> str:
    needed = ", required" if parameter.get("required") else ""
    said = f"{said_type(parameter.get('schema', {}))} ({escape(parameter['in'])}{needed})"
    return _row(parameter["name"], f"{said} {_prose(parameter.get('description', ''))}")


def _body(body: Json | None) -> list[str]:
    return [] if body is None else [_row(kind, said_type(one["schema"])) for kind, one in body["content"].items()]


def _answer(code: str, answer: Json) -> str:
    schemas = [one.get("schema", {}) for one in answer.get("content", {}).values()]
    shown = "".join(f" → {said_type(schema)}" for schema in schemas if schema)
    return _row(code, _prose(answer["description"]) + shown)


def _bodies(schemas: Json) -> Iterator[str]:
    for name, schema in schemas.items():
        needed = schema.get("required", ())
        fields = [_field(field, one, required=field in needed) for field, one in schema.get("properties", {}).items()]
        alone = "" if fields else f"<p>{said_type(schema)}</p>"
        yield (
            f'<article id="body-{escape(name)}"><h3>{escape(name)}</h3><p>{_prose(schema.get("description", ""))}</p>'
            f"{alone}{_table('', fields)}</article>\n"
        )


def _field(name: str, schema: Json, *, required: bool) -> str:
    needed = "" if required else " (may be left out)"
    return _row(name, f"{said_type(schema)}{needed} {_prose(schema.get('description', ''))}")


def _table(caption: str, rows: list[str]) -> str:
    said = f"<caption>{caption}</caption>" if caption else ""
    return f"<table>{said}{''.join(rows)}</table>" if rows else ""


def _row(name: str, shown: str) -> str:
    return f"<tr><td><code>{escape(name)}</code></td><td>{shown}</td></tr>"


def _prose(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))

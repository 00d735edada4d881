"""The contract as one static page: no scripts, nothing loaded from elsewhere."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}
code{background:#f2f2f2;padding:.1em .3em;border-radius:3px}h2{margin-top:2.5rem}
article{border-top:1px solid #ddd;padding:.5rem 0}td{padding:.1rem 1rem .1rem 0;vertical-align:top}
@media(prefers-color-scheme:dark){body{background:#161616;color:#e6e6e6}code{background:#2a2a2a}}
"""
_METHODS = ("get", "post", "put", "patch", "delete")


def render(document: Mapping[str, Any]) -> str:
    """Return ``document``, an OpenAPI description, as a whole HTML page."""
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    operations = "\n".join(_operations(document["paths"]))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>{title}</h1><p>{escape(document['info'].get('description', ''))}</p>"
        f'<p>For machines: <a href="openapi.json"><code>openapi.json</code></a></p>\n{operations}\n</body></html>\n'
    )


def _operations(paths: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for path, item in paths.items():
        for method in _METHODS:
            if method in item:
                yield _operation(method, path, item[method])


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    parameters = "".join(_parameter(one) for one in operation.get("parameters", ()))
    answers = "".join(_row(code, one["description"]) for code, one in operation["responses"].items())
    guard = "" if needs_token(operation) else " <em>No token needed.</em>"
    return (
        f'<article id="{escape(operation["operationId"])}"><h2><code>{method.upper()} {escape(path)}</code></h2>'
        f"<p><strong>{escape(operation['summary'])}.</strong> {escape(operation.get('description', ''))}{guard}</p>"
        f"<table>{parameters}</table><h3>Answers</h3><table>{answers}</table></article>"
    )


def needs_token(operation: Mapping[str, Any]) -> bool:
    """Tell whether ``operation`` is closed to strangers: an empty requirement among the alternatives opens it."""
    alternatives = operation.get("security", [])
    return bool(alternatives) and {} not in alternatives


def _parameter(parameter: Mapping[str, Any]) -> str:
    return _row(parameter["name"], f"{parameter['in']}. {parameter.get('description', '')}")


def _row(name: str, text: str) -> str:
    return f"<tr><td><code>{escape(name)}</code></td><td>{escape(text)}</td></tr>"

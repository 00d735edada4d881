"""Which keys stand at a place of a struct: what a person who mistyped one may have meant."""

from typing import Any

import msgspec.inspect as shapes

from core.source import Path


def known_keys(shape: type, path: Path, content: Any) -> list[str]:
    """Return the keys of the mapping at ``path`` in ``content``, which is to become a ``shape``; empty if unknown."""
    found = _chosen(shapes.type_info(shape), content)
    for step in path:
        try:
            content = content[step]
        except (KeyError, IndexError, TypeError):
            return []
        found = _chosen(_within(found, step), content)
    if not isinstance(found, shapes.StructType):
        return []
    tag = [found.tag_field] if found.tag_field else []
    return sorted([*tag, *(field.encode_name for field in found.fields)])


def _within(found: shapes.Type, step: str | int) -> shapes.Type:
    if isinstance(found, shapes.ListType):
        return found.item_type
    if isinstance(found, shapes.StructType):
        return next((field.type for field in found.fields if field.encode_name == step), shapes.AnyType())
    return shapes.AnyType()


def _chosen(found: shapes.Type, content: Any) -> shapes.Type:
    """Return which of several types ``content`` is meant to be: by its own shape and, of structs, by its tag."""
    options = found.types if isinstance(found, shapes.UnionType) else (found,)
    if isinstance(content, list):
        return next((one for one in options if isinstance(one, shapes.ListType)), found)
    structs = [one for one in options if isinstance(one, shapes.StructType)]
    tags = content if isinstance(content, dict) else {}
    return next((one for one in structs if not one.tag_field or tags.get(one.tag_field) == one.tag), found)

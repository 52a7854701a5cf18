"""The smallest value that satisfies a JSON schema, for structured output and tool arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

_Example = Callable[[Mapping[str, Any], Mapping[str, Any], str], Any]


def example(schema: Mapping[str, Any], text: str) -> Any:
    """Return a value valid under `schema`; every free string in it is `text`."""
    return _example(schema, schema, text)


def _example(schema: Mapping[str, Any], root: Mapping[str, Any], text: str) -> Any:
    if "$ref" in schema:
        target: Any = root
        for step in str(schema["$ref"]).removeprefix("#/").split("/"):
            target = target[step]
        return _example(target, root, text)
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return _example(schema[key][0], root, text)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    return _BY_TYPE[kind if isinstance(kind, str) else kind[0]](schema, root, text)


def _object(schema: Mapping[str, Any], root: Mapping[str, Any], text: str) -> dict[str, Any]:
    properties: Mapping[str, Any] = schema.get("properties", {})
    return {name: _example(part, root, text) for name, part in properties.items()}


def _array(schema: Mapping[str, Any], root: Mapping[str, Any], text: str) -> list[Any]:
    length = max(1, schema.get("minItems", 1))
    return [_example(schema.get("items", {"type": "string"}), root, text)] * length


_BY_TYPE: Mapping[str, _Example] = MappingProxyType(
    {
        "object": _object,
        "array": _array,
        "string": lambda _schema, _root, text: text,
        "integer": lambda schema, _root, _text: schema.get("minimum", 7),
        "number": lambda schema, _root, _text: schema.get("minimum", 7.5),
        "boolean": lambda _schema, _root, _text: True,
        "null": lambda _schema, _root, _text: None,
    }
)

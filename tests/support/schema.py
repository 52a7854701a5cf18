"""Strict checks of JSON against the official package's own models."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter

# Sent, and not in the package's models: `reasoning_content` by reasoning models behind compatible
# servers, `store` by OpenAI in every response.
KNOWN_EXTRAS = frozenset({"reasoning_content", "store"})


def check(kind: Any, payload: Any, *, extras: Collection[str] = KNOWN_EXTRAS) -> Any:
    """Validate `payload` as `kind`, refusing missing fields (pydantic) and unknown ones (here).

    The client itself is lenient (it builds objects without validation), so that it parses an
    answer proves little; this proves the schema.
    """
    value = _adapter(kind).validate_python(payload)
    unknown = [path for path, name in _extras(value, "") if name not in extras]
    assert not unknown, f"not in {kind}: {unknown}"
    return value


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    # Building one for a union of fifty event types takes most of a second.
    return TypeAdapter(kind)


def _extras(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, BaseModel):
        for name in value.model_extra or {}:
            yield f"{path}.{name}", name
        for name in value.model_fields_set:
            yield from _extras(getattr(value, name, None), f"{path}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _extras(item, f"{path}[{index}]")

"""Merging streamed deltas into one object, as the official clients do.

Source: the accumulation rules of OpenAI's chat completion chunks; fields we do not know follow
from their type, so that a vendor's own (`reasoning_content`, `thinking`, ...) survive.
"""

from __future__ import annotations

from typing import Any

# Strings that name something and are not text to be continued.
_NAMING = frozenset({"id", "index", "name", "object", "role", "type"})


def merge_delta(into: dict[str, Any], delta: dict[str, Any]) -> None:
    """Merge `delta` into the object collected so far, in place."""
    for name, value in delta.items():
        into[name] = _merged(name, into.get(name), value)


def _merged(name: str, old: Any, new: Any) -> Any:
    if new is None:
        return old
    if isinstance(new, dict):
        target = old if isinstance(old, dict) else {}
        merge_delta(target, new)
        return target
    if isinstance(new, list):
        return _merge_lists(old if isinstance(old, list) else [], new)
    if isinstance(new, str) and isinstance(old, str):
        # A naming string that arrives again, or in an empty form, stays what it was.
        return (new or old) if name in _NAMING else old + new
    return new


def _merge_lists(old: list[Any], new: list[Any]) -> list[Any]:
    """Merge items that carry an `index` by it, append the others."""
    for item in new:
        index = item.get("index") if isinstance(item, dict) else None
        known = (
            next((o for o in old if isinstance(o, dict) and o.get("index") == index), None)
            if index is not None
            else None
        )
        if known is not None:
            merge_delta(known, item)
        elif isinstance(item, dict):
            fresh: dict[str, Any] = {}
            merge_delta(fresh, item)
            old.append(fresh)
        else:
            old.append(item)
    return old

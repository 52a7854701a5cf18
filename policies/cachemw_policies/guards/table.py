"""All guards, in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cachemw_policies.guards import (
    antonyms,
    dates,
    entities,
    exclusive,
    negation,
    numbers,
    places,
    question_type,
    quotes,
    roles,
    scope,
    versions,
)
from cachemw_policies.guards.base import Guard, Question
from cachemw_policies.guards.reading import read

__all__ = ["GUARDS", "flags", "objection", "read"]

GUARDS: Mapping[str, Guard] = MappingProxyType(
    {
        "numbers": numbers.differ,
        "dates": dates.differ,
        "versions": versions.differ,
        "negation": negation.differ,
        "antonyms": antonyms.differ,
        "exclusive": exclusive.differ,
        "places": places.differ,
        "entities": entities.differ,
        "quotes": quotes.differ,
        "roles": roles.differ,
        "question_type": question_type.differ,
        "scope": scope.differ,
    }
)


def objection(a: Question, b: Question) -> str | None:
    """Return the name of the first guard that objects, None where none does."""
    if a.words == b.words:
        return None
    for name, differ in GUARDS.items():
        if differ(a, b):
            return name
    return None


def flags(a: Question, b: Question) -> tuple[bool, ...]:
    """Return for every guard of `GUARDS`, in its order, whether it objects."""
    if a.words == b.words:
        return (False,) * len(GUARDS)
    return tuple(differ(a, b) for differ in GUARDS.values())

"""Which entries an operation is about: a pure decision over what is known of an entry."""

from __future__ import annotations

from dataclasses import dataclass, fields

from cachemw.stores.base import Document, EntryInfo

# What a filter looks at is known of both.
EntryFacts = Document | EntryInfo


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """All conditions that are given must hold; none given, everything matches.

    `id` is the beginning of the key in hex. `older_than` and `younger_than` are ages in seconds: an
    entry is either older than a limit (that old counts) or younger, never both and never neither.
    """

    id: str | None = None
    tenant: str | None = None
    model: str | None = None
    endpoint: str | None = None
    tag: str | None = None
    category: str | None = None
    older_than: float | None = None
    younger_than: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it leaves nothing out."""
        return not self.given()

    def given(self) -> dict[str, str | float]:
        """Return the conditions that are given, by name."""
        named = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in named if value is not None}


def matches(wanted: EntryFilter, entry: EntryFacts, now: float) -> bool:
    """Whether `entry` is meant; `now` in Unix seconds. Own design."""
    age = now - entry.created_at
    return (
        (wanted.id is None or entry.key.hex().startswith(wanted.id))
        and (wanted.tenant is None or entry.tenant == wanted.tenant)
        and (wanted.model is None or entry.model == wanted.model)
        and (wanted.endpoint is None or entry.endpoint == wanted.endpoint)
        and (wanted.tag is None or wanted.tag in entry.tags)
        and (wanted.category is None or entry.category == wanted.category)
        and (wanted.older_than is None or age >= wanted.older_than)
        and (wanted.younger_than is None or age < wanted.younger_than)
    )

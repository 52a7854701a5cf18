"""All selectors, by the name under which a configuration asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cachemw_policies.recompute.selectors.base import Selector
from cachemw_policies.recompute.selectors.carried import Carried
from cachemw_policies.recompute.selectors.chance import Chance
from cachemw_policies.recompute.selectors.deviation import Deviation
from cachemw_policies.recompute.selectors.first_k import FirstK
from cachemw_policies.recompute.selectors.inter_attention import InterAttention
from cachemw_policies.recompute.selectors.nothing import Nothing
from cachemw_policies.recompute.selectors.query_aware import QueryAware
from cachemw_policies.recompute.selectors.query_carried import QueryCarried

SELECTORS: Mapping[str, Selector] = MappingProxyType(
    {
        selector.name: selector
        for selector in (
            Nothing(),
            Chance(),
            FirstK(),
            Deviation(),
            InterAttention(),
            QueryAware(),
            Carried(),
            QueryCarried(),
        )
    }
)


def selector(name: str) -> Selector:
    """Return the selector of that name; raises ValueError that lists the names there are."""
    found = SELECTORS.get(name)
    if found is None:
        raise ValueError(f"no selector {name!r}; there are: {', '.join(SELECTORS)}")
    return found

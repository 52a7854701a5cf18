"""Masked attention against the definition, written out in float64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cachemw.engine.attention import masked
from cachemw.engine.attention.masked import MaskedAttention


def by_definition(queries: Tensor, keys: Tensor, values: Tensor, positions: Tensor) -> Tensor:
    group = queries.shape[0] // keys.shape[0]
    rows = []
    for number, position in enumerate(positions.tolist()):
        heads = []
        for head in range(queries.shape[0]):
            seen = keys[head // group, : position + 1].double()
            weights = torch.softmax(seen @ queries[head, number].double() * 0.3, dim=0)
            heads.append(weights @ values[head // group, : position + 1].double())
        rows.append(torch.cat(heads))
    return torch.stack(rows)


@given(st.sets(st.integers(0, 19), min_size=1), st.sampled_from([1, 2, 4]), st.integers(0, 99))
def test_a_query_sees_the_keys_up_to_its_own_position(
    places: set[int], kv_heads: int, seed: int
) -> None:
    random = torch.Generator().manual_seed(seed)
    positions = torch.tensor(sorted(places))
    queries = torch.randn(4, len(places), 8, generator=random)
    keys, values = torch.randn(2, kv_heads, 20, 8, generator=random)
    found = MaskedAttention().attend(queries, keys, values, positions, 0.3)
    expected = by_definition(queries, keys, values, positions)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)


def test_blocks_of_queries_give_what_all_at_once_give(monkeypatch: pytest.MonkeyPatch) -> None:
    random = torch.Generator().manual_seed(3)
    positions = torch.tensor([0, 2, 3, 11, 12, 19])
    queries = torch.randn(2, 6, 8, generator=random)
    keys, values = torch.randn(2, 1, 20, 8, generator=random)
    whole = MaskedAttention().attend(queries, keys, values, positions, 0.3)
    monkeypatch.setattr(masked, "_SCORES", 2 * 20 * 2)  # two queries a block
    pieces = MaskedAttention().attend(queries, keys, values, positions, 0.3)
    torch.testing.assert_close(pieces, whole)

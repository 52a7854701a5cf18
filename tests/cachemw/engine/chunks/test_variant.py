"""Names of token sequences."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cachemw.engine.chunks.variant import HASH_BYTES, tokens_hash

TOKENS = st.lists(st.integers(0, 2**31), max_size=8).map(tuple)


@given(TOKENS, TOKENS)
def test_other_tokens_have_another_name(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    assert (tokens_hash(a) == tokens_hash(b)) == (a == b)
    assert len(tokens_hash(a)) == HASH_BYTES

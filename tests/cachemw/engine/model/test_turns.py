"""Keys are turned as the codecs' own rotary embedding turns them."""

from __future__ import annotations

import torch
from cachemw_codecs.hf.rotary import Rotary
from hypothesis import given
from hypothesis import strategies as st

from cachemw.engine.model.turns import Turns

ROTARY = Rotary(10000.0 ** -torch.linspace(0, 1, 4), scaling=1.25, interleaved=False)


@given(st.lists(st.integers(0, 4000), min_size=1, max_size=8), st.integers(0, 2**32))
def test_turned_is_as_the_codecs_turn_and_turns_back(places: list[int], seed: int) -> None:
    positions = torch.tensor(places)
    keys = torch.randn(2, len(places), 10, generator=torch.Generator().manual_seed(seed))
    turned = Turns.at(ROTARY, positions).turn(keys)
    torch.testing.assert_close(turned, ROTARY.turn(keys, positions))
    torch.testing.assert_close(ROTARY.turn_back(turned, positions), keys)


def test_those_of_some_tokens_are_those_at_their_positions() -> None:
    positions = torch.tensor([3, 9, 27])
    keys = torch.randn(1, 2, 8, generator=torch.Generator().manual_seed(0))
    some = Turns.at(ROTARY, positions).of(torch.tensor([0, 2]))
    assert torch.equal(some.turn(keys), Turns.at(ROTARY, positions[[0, 2]]).turn(keys))


def test_the_dtype_is_kept() -> None:
    keys = torch.ones(1, 1, 8, dtype=torch.bfloat16)
    assert Turns.at(ROTARY, torch.tensor([5])).turn(keys).dtype is torch.bfloat16

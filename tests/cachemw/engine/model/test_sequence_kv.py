"""A sequence's keys and values lie at their positions."""

from __future__ import annotations

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from cachemw.engine.model.decoder import Decoder
from cachemw.engine.model.sequence_kv import SequenceKV


def test_scattered_tokens_land_at_their_positions_and_leave_the_others_alone() -> None:
    config = LlamaConfig(
        vocab_size=8,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
    geometry = Decoder(LlamaForCausalLM(config)).geometry
    kv = SequenceKV(geometry, 6)
    assert kv.nbytes == geometry.kv_bytes(6)
    kv.put(1, slice(0, 6), torch.zeros(1, 6, 4), torch.zeros(1, 6, 4))
    kv.put(1, torch.tensor([1, 4]), torch.ones(1, 2, 4), torch.full((1, 2, 4), 2.0))
    keys, values = kv.upto(1, 5)
    assert keys[0, :, 0].tolist() == [0, 1, 0, 0, 1]
    assert values[0, :, 0].tolist() == [0, 2, 0, 0, 2]

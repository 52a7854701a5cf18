"""A full prefill gives transformers' logits, in bounded pieces."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from cachemw.engine.attention.masked import MaskedAttention
from cachemw.engine.model.decoder import Decoder
from cachemw.engine.model.sequence_kv import SequenceKV
from cachemw.engine.prompt.segments import Prompt, Segment
from cachemw.engine.reuse.full import FullPrefill
from cachemw.engine.reuse.outcome import Prefilled

PROMPT = Prompt((Segment(tuple(range(5, 18)), reusable=True), Segment((3, 1, 4), reusable=False)))


@pytest.fixture
def model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    made = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=64,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=16,
        )
    )
    made.train(mode=False)
    return made


def run(model: LlamaForCausalLM, piece: int) -> tuple[Prefilled, int, SequenceKV]:
    decoder = Decoder(model)
    kv = SequenceKV(decoder.geometry, 20)
    steps = FullPrefill(decoder, MaskedAttention(), piece).steps(PROMPT, b"tenant", kv)
    yields = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value, yields, kv
        yields += 1


@pytest.mark.parametrize(("piece", "yields"), [(1, 15), (5, 3), (16, 0), (100, 0)])
def test_the_logits_are_those_of_transformers_however_it_is_cut(
    model: LlamaForCausalLM, piece: int, yields: int
) -> None:
    with torch.no_grad():
        expected = model(torch.tensor([PROMPT.tokens])).logits[0, -1]
    done, yielded, kv = run(model, piece)
    assert float((done.logits - expected).abs().max()) <= 1e-5 * float(expected.abs().max())
    assert not done.logits.requires_grad
    assert (yielded, kv.length) == (yields, 16)


def test_every_token_is_charged_in_every_layer(model: LlamaForCausalLM) -> None:
    account = run(model, 4)[0].account
    assert (account.how, account.prompt, account.full, account.cached) == ("full", 16, 16, 0)
    assert account.token_layers == 16 * 3
    assert [(c.tokens, c.outcome) for c in account.chunks] == [(13, "computed")]


def test_a_prompt_that_does_not_fit_is_refused(model: LlamaForCausalLM) -> None:
    decoder = Decoder(model)
    full = FullPrefill(decoder, MaskedAttention(), 4)
    with pytest.raises(ValueError, match="longer than the room"):
        next(full.steps(PROMPT, b"tenant", SequenceKV(decoder.geometry, 15)))
    with pytest.raises(ValueError, match="at least one token"):
        FullPrefill(decoder, MaskedAttention(), 0)

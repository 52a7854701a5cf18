from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cachemw.local.sampling import (
    Sampler,
    SamplingParams,
    penalised,
    probabilities,
    top_logprobs,
)

rows = st.lists(st.integers(-300, 300), min_size=1, max_size=40).map(
    lambda ns: torch.tensor(ns) / 10
)
unit = st.floats(0, 1)


@given(rows, st.floats(0, 2), unit, st.integers(0, 50))
def test_is_a_distribution_within_the_most_likely_tokens(
    logits: Tensor, temperature: float, top_p: float, top_k: int
) -> None:
    probs = probabilities(logits, SamplingParams(temperature, top_p, top_k))
    assert probs.shape == logits.shape
    assert probs.sum() == pytest.approx(1, abs=1e-4)
    assert (probs >= 0).all()
    kept = probs > 0
    if top_k:
        assert kept.sum() <= top_k
    if kept.any() and not kept.all():
        assert logits[kept].min() >= logits[~kept].max()


@given(rows, st.floats(0.05, 1, exclude_max=True))
def test_top_p_keeps_the_smallest_set_that_reaches_the_mass(logits: Tensor, top_p: float) -> None:
    kept = probabilities(logits, SamplingParams(top_p=top_p)) > 0
    full = torch.softmax(logits, dim=0)
    mass = full[kept].sum()
    assert mass >= top_p - 1e-5
    assert mass - full[kept].min() < top_p + 1e-5


@given(rows, st.integers())
def test_temperature_zero_is_greedy_whatever_the_seed(logits: Tensor, seed: int) -> None:
    params = SamplingParams(temperature=0)
    expected = int(logits.argmax())
    assert Sampler(params, seed % 2**63).next(logits) == expected
    assert probabilities(logits, params)[expected] == 1


@given(rows)
def test_a_tiny_temperature_does_not_overflow(logits: Tensor) -> None:
    probs = probabilities(logits, SamplingParams(temperature=5e-324))
    assert not probs.isnan().any()
    assert logits[probs > 0].min() == logits.max()


@given(rows, st.integers(-(2**63), 2**63 - 1), st.floats(0.1, 2), unit)
def test_the_same_seed_draws_the_same_tokens(
    logits: Tensor, seed: int, temperature: float, top_p: float
) -> None:
    params = SamplingParams(temperature, top_p, presence_penalty=0.5)
    first, second = Sampler(params, seed), Sampler(params, seed)
    assert [first.next(logits) for _ in range(10)] == [second.next(logits) for _ in range(10)]


def test_draws_follow_the_distribution() -> None:
    sampler = Sampler(SamplingParams(), seed=1)
    logits = torch.tensor([0.7, 0.2, 0.1]).log()
    counts = Counter(sampler.next(logits) for _ in range(5000))
    assert [counts[i] / 5000 for i in range(3)] == pytest.approx([0.7, 0.2, 0.1], abs=0.03)


def test_penalties_lower_what_was_generated_and_leave_the_input_alone() -> None:
    logits = torch.tensor([1.0, 2.0, 3.0])
    params = SamplingParams(presence_penalty=0.5, frequency_penalty=0.25)
    lowered = penalised(logits, Counter({1: 1, 2: 4}), params)
    assert lowered.tolist() == pytest.approx([1.0, 1.25, 1.5])
    assert logits.tolist() == [1.0, 2.0, 3.0]


def test_a_penalty_breaks_a_greedy_loop() -> None:
    sampler = Sampler(SamplingParams(temperature=0, frequency_penalty=1), seed=0)
    logits = torch.tensor([2.0, 1.5, -9.0])
    assert [sampler.next(logits) for _ in range(4)] == [0, 1, 0, 1]


def test_logprobs_are_those_of_the_untouched_distribution_best_first() -> None:
    probs = [0.1, 0.6, 0.3]
    chosen, best = top_logprobs(torch.tensor(probs).log(), 0, 2)
    assert chosen.token == 0
    assert chosen.logprob == pytest.approx(math.log(0.1))
    assert [item.token for item in best] == [1, 2]
    assert len(top_logprobs(torch.tensor(probs), 0, 20)[1]) == 3

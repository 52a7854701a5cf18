"""A model that knows nothing, and texts for it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

VOCABULARY = 97


@pytest.fixture(scope="session")
def model() -> PreTrainedModel:
    """Return a random Llama in float32: two layers, two heads of keys of 8 channels each."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1536,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made: Any = LlamaForCausalLM(config)
        for parameter in made.parameters():
            if parameter.ndim == 2:
                parameter.data.normal_(0.0, 0.25)
    made.train(mode=False)
    model: PreTrainedModel = made
    return model


@pytest.fixture(scope="session")
def texts() -> list[Tensor]:
    """Return five texts of about 500 tokens, some tokens much more frequent than others."""
    random = torch.Generator().manual_seed(2)
    weights = 1 / torch.arange(1, VOCABULARY + 1, dtype=torch.float32)
    return [
        torch.multinomial(weights, length, replacement=True, generator=random)
        for length in (480, 500, 520, 490, 500)
    ]

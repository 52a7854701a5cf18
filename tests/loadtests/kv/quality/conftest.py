"""A model too small to know anything, and codecs that are exact or do a known harm."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.fingerprint import Fingerprint
from cachemw_codecs.kv import LayerKV, LayerShape
from transformers import LlamaConfig, LlamaForCausalLM

from loadtests.kv.quality.subjects import Subject


@pytest.fixture(scope="session")
def subject() -> Subject:
    """Prefixes of 40 tokens, continuations of 12."""
    torch.manual_seed(11)
    config = LlamaConfig(
        vocab_size=61,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=128,
        bos_token_id=1,
        eos_token_id=2,
        # Far from uniform predictions, so that what is lost shows.
        initializer_range=0.5,
    )

    def encode(text: str) -> list[int]:
        return [3 + ord(character) % 58 for character in text]

    model = LlamaForCausalLM(config)
    model.train(mode=False)
    whose = Fingerprint.of("tiny", "characters", {})
    return Subject("tiny", model, encode, 1, whose, prefix=40, continuation=12)


class Shaky(Codec):
    """Sends values as they are and adds noise that depends on the level when it reads them."""

    name: ClassVar[str] = "shaky"
    levels: ClassVar[tuple[str, ...]] = ("0.01", "0.1", "1")

    def encode_layer(self, layer: int, kv: LayerKV, level: str) -> bytes:
        del level
        return Raw().encode_layer(layer, kv, "raw")

    def decode_layer(self, layer: int, payload: bytes, shape: LayerShape, level: str) -> LayerKV:
        kv = Raw().decode_layer(layer, payload, shape, "raw")
        drawn = torch.Generator().manual_seed(layer)
        keys, values = (
            (part + float(level) * torch.randn(part.shape, generator=drawn)).to(part.dtype)
            for part in (kv.keys, kv.values)
        )
        return LayerKV(keys, values)


@pytest.fixture
def shaky() -> Codec:
    return Shaky()

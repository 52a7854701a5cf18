"""stories260K: a real pretrained Llama of 260 thousand parameters, out of llama2.c's format.

The weights (tinyllamas, MIT) lie in the folder that CACHEMW_SHARED_DATA names, not in the project.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from loadtests.kv.models.bpe import Bpe
from loadtests.kv.models.subject import Subject


def stories_folder(env: Mapping[str, str] = os.environ) -> Path:
    """Return where the model lies, whether it is there or not."""
    beside = Path(__file__).resolve().parents[4] / "shared" / "data"
    return Path(env.get("CACHEMW_SHARED_DATA", beside)) / "stories260K"


def stories260k(folder: Path | None = None, dtype: torch.dtype = torch.float32) -> Subject:
    """Load the model: 5 layers, 8 heads of 8, 4 KV heads, 512 tokens of vocabulary and context."""
    folder = folder or stories_folder()
    model: Any = read_llama2c(folder / "stories260K.bin")
    return Subject(model.to(dtype).eval(), Bpe.read(folder / "tok512.bin").encode)


def read_llama2c(path: Path) -> LlamaForCausalLM:
    """Read a model in llama2.c's first format: seven int32, then the weights in float32.

    The classifier is the embedding where the vocabulary's size is positive. The tables of cosines
    and sines behind the weights are not read: they follow from the shape.
    """
    data = path.read_bytes()
    dim, hidden, layers, heads, kv_heads, vocabulary, context = struct.unpack_from("<7i", data)
    tied, vocabulary = vocabulary > 0, abs(vocabulary)
    head_dim = dim // heads
    values = np.frombuffer(data, dtype="<f4", offset=28)
    place = 0

    def take(*shape: int) -> Tensor:
        nonlocal place
        size = int(np.prod(shape))
        part = values[place : place + size].reshape(shape).copy()
        place += size
        return torch.from_numpy(part)

    state = {"model.embed_tokens.weight": take(vocabulary, dim)}
    for name, shape in _per_layer(dim, hidden, kv_heads * head_dim):
        for layer, part in enumerate(take(layers, *shape)):
            turned = name.endswith(("q_proj", "k_proj"))
            weight = halves(part, head_dim) if turned else part
            state[f"model.layers.{layer}.{name}.weight"] = weight
    state["model.norm.weight"] = take(dim)
    place += context * head_dim
    embedding = state["model.embed_tokens.weight"]
    state["lm_head.weight"] = embedding if tied else take(vocabulary, dim)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=dim,
        intermediate_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=context,
        rms_norm_eps=1e-5,
        tie_word_embeddings=tied,
    )
    model = LlamaForCausalLM(config)
    model.load_state_dict(state)
    return model


def _per_layer(dim: int, hidden: int, kv_dim: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Return the weights that each layer has, in the file's order, which has all layers of each."""
    return (
        ("input_layernorm", (dim,)),
        ("self_attn.q_proj", (dim, dim)),
        ("self_attn.k_proj", (kv_dim, dim)),
        ("self_attn.v_proj", (kv_dim, dim)),
        ("self_attn.o_proj", (dim, dim)),
        ("post_attention_layernorm", (dim,)),
        ("mlp.gate_proj", (hidden, dim)),
        ("mlp.down_proj", (dim, hidden)),
        ("mlp.up_proj", (hidden, dim)),
    )


def halves(weight: Tensor, head_dim: int) -> Tensor:
    """Reorder the rows of a projection, [heads x head_dim, columns].

    llama2.c's rotary embedding turns channels (2j, 2j + 1), that of transformers (j, j + half).
    """
    rows, columns = weight.shape
    pairs = weight.view(rows // head_dim, head_dim // 2, 2, columns)
    return pairs.transpose(1, 2).reshape(rows, columns)

"""A model and a tokenizer in a folder, small enough to measure in a second."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.int8 import Int8
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.command.measure import Choice
from cachemw_codecs.errors import TablesMissing, UnsupportedFormat, WrongModel
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as Bytes
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TABLES = b"tables of the calibrated codec"


class Calibrated(Int8):
    """Wants tables."""

    name = "calibrated"
    levels = ("8bit", "also-8bit")
    tables_hash = b"0123456789abcdef"


def open_codec(name: str, tables: bytes | None = None) -> Codec:
    """Open one of three codecs."""
    if name == "raw":
        return Raw()
    if name == "int8":
        return Int8()
    if name == "calibrated":
        if tables is None:
            raise TablesMissing("calibrated: has no tables")
        if tables != TABLES:
            raise WrongModel("tables: of another codec")
        return Calibrated()
    raise UnsupportedFormat(f"no codec {name!r}")


@pytest.fixture
def choose() -> Callable[..., Choice]:
    """Return a function that chooses among the three."""
    return partial(Choice, ("raw", "int8", "calibrated"), open_codec)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a random Llama of 512 tokens' context, in bfloat16."""
    folder = tmp_path_factory.mktemp("model")
    alphabet = {piece: number for number, piece in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = Tokenizer(BPE(alphabet, []))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = Bytes()
    wrap: Any = PreTrainedTokenizerFast
    wrap(tokenizer_object=tokenizer).save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=256,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model: Any = LlamaForCausalLM(config)
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.data.normal_(0.0, 0.15)
    model.to(torch.bfloat16).save_pretrained(folder)
    return folder

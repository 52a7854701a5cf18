"""A tiny BERT, its tokenizer, and rows to train it on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel

from loadtests.verifier.data import Row

WORDS = ("red", "blue", "green", "cat", "dog", "how", "why", "one", "two", "three")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files of a model: two layers of 16, random weights."""
    folder = tmp_path_factory.mktemp("tiny")
    vocabulary = {word: place for place, word in enumerate(("[PAD]", "[CLS]", "[SEP]", "[UNK]"))}
    vocabulary |= {word: place + len(vocabulary) for place, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=192,
    )
    config.to_json_file(folder / "config.json")
    torch.manual_seed(3)
    state = BertModel(config).state_dict()
    save_file(
        {name: value.contiguous() for name, value in state.items()}, folder / "model.safetensors"
    )
    return folder


@pytest.fixture
def rows() -> list[Row]:
    """Return pairs that are the same if they are red; every third is held out."""
    found = []
    for place, colour in enumerate(("red", "blue", "red", "green") * 12):
        # Two out of three of either kind are learned from.
        part = "test" if place % 3 == 0 else "train"
        found.append(
            Row(
                a=f"how {colour} cat",
                b=f"why {colour} dog",
                same=int(colour == "red"),
                kind="real" if part == "test" or place % 8 < 6 else "edit",
                part=part,
                fold=place % 5,
            )
        )
    return found

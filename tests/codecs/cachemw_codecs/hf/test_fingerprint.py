from __future__ import annotations

from typing import Any

import pytest
import torch
from cachemw_codecs.fingerprint import Fingerprint
from cachemw_codecs.hf import fingerprint
from tokenizers import Tokenizer
from tokenizers.models import WordLevel


def tokenizer(**words: int) -> Tokenizer:
    return Tokenizer(WordLevel({"[UNK]": 0, **words}, unk_token="[UNK]"))


def differing(a: Fingerprint, b: Fingerprint) -> set[str]:
    return {name for name in ("model", "tokenizer", "rope") if getattr(a, name) != getattr(b, name)}


def test_the_same_model_made_twice_is_the_same(build: Any) -> None:
    a, b = build("llama"), build("llama")
    b.config._name_or_path = "elsewhere"
    b.config.use_cache = False
    assert fingerprint(a, tokenizer(x=1)) == fingerprint(b, tokenizer(x=1))


@pytest.mark.parametrize("whole", [False, True])
def test_weights_count(build: Any, whole: bool) -> None:
    model = build("llama")
    before = fingerprint(model, None, whole=whole)
    model.model.layers[2].mlp.up_proj.weight.data *= 1.01
    assert differing(before, fingerprint(model, None, whole=whole)) == {"model"}


def test_a_few_columns_of_a_large_matrix_count(build: Any) -> None:
    """The sample is spread: an even step through 64 rows of 4096 would see one column in 64."""
    model = build("llama", intermediate_size=4096)
    for column in (1, 65, 1025, 4070):
        before = fingerprint(model, None)
        model.model.layers[0].mlp.down_proj.weight.data[:, column : column + 16] += 1.0
        assert fingerprint(model, None) != before


def test_whole_sees_a_single_value(build: Any) -> None:
    model = build("llama", vocab_size=4000)
    before = fingerprint(model, None, whole=True)
    model.model.embed_tokens.weight.data[1234, 5] += 1.0
    assert fingerprint(model, None, whole=True) != before


def test_the_dtype_counts(build: Any) -> None:
    assert fingerprint(build("gpt2"), None) != fingerprint(build("gpt2", torch.bfloat16), None)


def test_settings_count(build: Any) -> None:
    before = fingerprint(build("llama"), None)
    assert differing(before, fingerprint(build("llama", rms_norm_eps=1e-3), None)) == {"model"}


def test_a_switch_of_rope_scaling_counts(build: Any) -> None:
    before = fingerprint(build("llama"), None)
    rope = {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}
    after = fingerprint(build("llama", rope_parameters=rope), None)
    assert differing(before, after) == {"model", "rope"}


def test_the_vocabulary_counts_and_padding_does_not(build: Any) -> None:
    model = build("llama")
    padded = tokenizer(x=1)
    padded.enable_padding(length=8)
    padded.enable_truncation(16)
    before = fingerprint(model, tokenizer(x=1))
    assert before == fingerprint(model, padded)
    assert differing(before, fingerprint(model, tokenizer(x=1, y=2))) == {"tokenizer"}
    assert differing(before, fingerprint(model, "bytes")) == {"tokenizer"}


class _Slow:
    def get_vocab(self) -> dict[str, int]:
        return {"a": 0}


def test_tokenizers_in_python_are_named_by_their_vocabulary(build: Any) -> None:
    model = build("llama")
    assert fingerprint(model, _Slow()) == fingerprint(model, _Slow())
    assert differing(fingerprint(model, _Slow()), fingerprint(model, None)) == {"tokenizer"}

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from cachemw_codecs.codecs.int8 import Int8
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.container import Header, read_all
from cachemw_codecs.errors import InvalidInput, TablesMissing, UnsupportedFormat
from cachemw_codecs.kv import LayerKV

from loadtests.kv.fuzz.corpus import OWNER, TOKENS, corpus, opener, random_chunk


class _OneDtype(Raw):
    name: ClassVar[str] = "one-dtype"
    levels: ClassVar[tuple[str, ...]] = ("fine", "coarse")

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype

    def encode_layer(self, layer: int, kv: LayerKV, level: str) -> bytes:
        if kv.keys.dtype != self._dtype:
            raise InvalidInput(f"dtype: {kv.keys.dtype}")
        return super().encode_layer(layer, kv, "fine")


class _Tabled(Raw):
    tables_hash = b"h" * 16


def _noise() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_every_level_dtype_and_length_is_there_and_decodes() -> None:
    codecs = [Raw(), Int8(), _OneDtype(torch.bfloat16)]
    made = corpus(codecs, _noise())
    headers = [Header.parse(each.data) for each in made]
    seen = [(h.codec, h.level, h.dtype, h.tokens) for h in headers]
    assert [(each.codec, each.level) for each in made] == [(h.codec, h.level) for h in headers]
    dtypes = (torch.bfloat16, torch.float16, torch.float32)
    both = [
        (c, v, d, t) for c, v in (("raw", "raw"), ("int8", "8bit")) for d in dtypes for t in TOKENS
    ]
    one = [("one-dtype", v, torch.bfloat16, t) for v in ("fine", "coarse") for t in TOKENS]
    assert seen == both + one
    for each in made[: len(both)]:
        assert len(read_all(each.data, opener(codecs), OWNER).layers) == 2


def test_a_seed_has_one_corpus() -> None:
    assert corpus([Raw()], _noise()) == corpus([Raw()], _noise())


def test_a_codec_has_to_take_bfloat16() -> None:
    with pytest.raises(InvalidInput, match="bfloat16"):
        corpus([_OneDtype(torch.float16)], _noise())


def test_positions_have_a_gap() -> None:
    positions = random_chunk(4, torch.bfloat16, _noise()).positions
    assert positions.tolist() == [5, 6, 107, 108]


def test_the_opener_knows_these_codecs_with_these_tables() -> None:
    raw, tabled = Raw(), _Tabled()
    open_codec = opener([raw, tabled])
    assert open_codec("raw", b"") is raw
    assert open_codec("raw", b"h" * 16) is tabled
    with pytest.raises(UnsupportedFormat):
        open_codec("int8", b"")
    with pytest.raises(TablesMissing):
        open_codec("raw", b"x" * 16)

from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from cachemw_codecs.codecs.int8 import Int8
from cachemw_codecs.codecs.zstd import Zstd
from cachemw_codecs.container import read_all
from cachemw_codecs.errors import CodecError

from loadtests.kv.fuzz.corpus import OWNER, corpus, opener
from loadtests.kv.fuzz.forge import File, Forger

CODECS = [Int8(), Zstd()]
SPECIMENS = corpus(CODECS, torch.Generator().manual_seed(1))
FILES = [File.of(each.data) for each in SPECIMENS]


def _forged(count: int) -> list[bytes]:
    forger = Forger(FILES, CODECS)
    return [
        forger.forged(FILES[number % len(FILES)], np.random.default_rng(number))
        for number in range(count)
    ]


def test_a_seed_has_one_result() -> None:
    assert _forged(60) == _forged(60)


def test_checksums_are_right_and_what_is_wrong_is_behind_them() -> None:
    outcomes: Counter[str] = Counter()
    for data in _forged(1500):
        try:
            read_all(data, opener(CODECS), OWNER, max_decoded_bytes=1 << 26)
        except CodecError as error:
            outcomes[f"{type(error).__name__}: {error}"] += 1
        else:
            outcomes["decoded"] += 1
    assert outcomes["decoded"] > 100
    assert not any("checksum" in each for each in outcomes)
    # From the container and from codecs.
    for said in (
        "UnsupportedFormat: dtype number",
        "UnsupportedFormat: zstd has no level",
        "WrongModel: the KV was written with another rope",
        "TablesMissing: tables of int8",
        "DamagedData: header: the runs of positions overlap",
        "DamagedData: header: ends inside",
        "DamagedData: layer 0: ",
        "DamagedData: codes: ",
        "DamagedData: codes: past the largest",
        "DamagedData: zstd: the frame does not state",
    ):
        assert any(key.startswith(said) for key in outcomes), said

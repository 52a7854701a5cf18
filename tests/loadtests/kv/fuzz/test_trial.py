from __future__ import annotations

from itertools import count
from typing import ClassVar

import numpy as np
import pytest
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.errors import DamagedData
from cachemw_codecs.kv import LayerKV, LayerShape

from loadtests.kv.fuzz.cases import Cases
from loadtests.kv.fuzz.corpus import opener
from loadtests.kv.fuzz.judge import Judge
from loadtests.kv.fuzz.subjects import at_hand
from loadtests.kv.fuzz.trial import tried, warm


def _made(codecs: list[Codec], seed: int = 1) -> tuple[Cases, Judge]:
    cases = Cases(codecs, seed)
    return cases, Judge(opener(codecs), [specimen.data for specimen in cases.specimens])


class _Trusting(Raw):
    """Believes the first byte."""

    name: ClassVar[str] = "trusting"

    def encode_layer(self, layer: int, kv: LayerKV, level: str) -> bytes:
        return b"\x01" + super().encode_layer(layer, kv, level)

    def decode_layer(self, layer: int, payload: bytes, shape: LayerShape, level: str) -> LayerKV:
        if payload[0] > 1:
            np.zeros(payload[0] << 20, np.uint8)
        if payload[0] > 200:
            raise IndexError("no such table")
        return super().decode_layer(layer, payload[1:], shape, level)


class _Broken(Raw):
    def decode_layer(self, layer: int, payload: bytes, shape: LayerShape, level: str) -> LayerKV:
        raise DamagedData("always")


def test_no_decoder_fails_on_some_thousand_inputs() -> None:
    cases, judge = _made(at_hand(), seed=7)
    warm(cases, judge)
    tally = tried(cases, judge, range(4000))
    assert tally.faults == []
    assert tally.inputs == 4000
    assert {codec for _, codec, _ in tally.outcomes} == {codec.name for codec in at_hand()}
    for outcome in ("decoded", "DamagedData", "UnsupportedFormat", "WrongModel", "TablesMissing"):
        assert sum(n for (_, _, each), n in tally.outcomes.items() if each == outcome) > 10


def test_what_a_codec_trusts_is_found() -> None:
    cases, judge = _made([_Trusting()])
    found = tried(cases, judge, range(6000))
    what = {fault.what.split(":")[0] for fault in found.faults}
    assert "IndexError" in what
    assert any(each.startswith("held ") for each in what)
    assert found.inputs == 6000
    assert found.fullest["trusting"][0] > 1


def test_time_is_that_of_the_slowest() -> None:
    cases, judge = _made([Raw()])
    ticks = count()
    tally = tried(cases, judge, range(2, 12), lambda: float(next(ticks)) ** 2)
    # The last of ten: from tick 18 to 19.
    assert tally.slowest == {"raw": (37.0, 11)}


def test_what_does_not_decode_at_all_ends_the_run() -> None:
    cases, judge = _made([_Broken()])
    with pytest.raises(RuntimeError, match="raw at raw: DamagedData"):
        warm(cases, judge)

from __future__ import annotations

import argparse

import pytest

pytest.importorskip("triton")

from loadtests.kv.speed.chunks import Chunks
from loadtests.kv.speed.codec import CodecMeasured, Shape
from loadtests.kv.speed.measure import Measured
from loadtests.kv.speed.report import conditions, render_report
from loadtests.kv.speed.timing import Timing
from loadtests.kv.speed.yardsticks import Ans

BYTES = 10**9


def _report(decode_ms: float, ans: Ans | None) -> str:
    timings = [
        Timing("decode, all layers at once", decode_ms, BYTES),
        Timing("encode with transform and quantisation", 40.0, BYTES),
        Timing("nvCOMP ANS decode", 4.0, BYTES, BYTES // 2),
    ]
    measured = Measured(Chunks(8192, 512), 2.2, 6e-5, 1.7e-3, timings, ans, 5.0)
    options = argparse.Namespace(date="2026-01-01", seed=1, layers=32, repeats=9)
    of_codec = [
        Timing("decode, layer by layer, 4 side streams", 2 * decode_ms, BYTES),
        Timing("decode, layer by layer, 8 side streams", 1.0, BYTES),
        Timing("encode to payloads on the host", 100.0, BYTES),
    ]
    codec = CodecMeasured(Shape(8192, 512), 2.5, 1e-3, 20.0, 6.0, of_codec)
    return render_report([codec], [measured], conditions(options, "A GPU", ans))


def test_rates_and_bars() -> None:
    text = _report(10.0, Ans("6.0", 8.0, 4.0, BYTES // 8))
    assert "| decode, all layers at once | 10.000 | 100.0 |  |" in text
    assert "| nvCOMP ANS decode | 4.000 | 250.0 | 125.0 |" in text
    assert "tokens by 512: decode, all layers at once | >= 50 GB/s | 100.0 GB/s | pass |" in text
    assert "encode with transform and quantisation | >= 20 GB/s | 25.0 GB/s | pass |" in text
    codec = "codec, 8192 tokens by 512: "
    assert codec + "decode, layer by layer, 4 side streams | >= 50 GB/s | 50.0 GB/s | pass" in text
    assert codec + "encode to payloads on the host | >= 20 GB/s | 10.0 GB/s | **miss** |" in text
    assert codec + "decode, layer by layer, 8" not in text
    assert "2.500 bits a value, all of the payloads; 6.40 times smaller" in text
    assert "nvCOMP's bytes: 2.000 bits a value" in text


def test_a_bar_that_is_missed_says_so() -> None:
    text = _report(25.0, None)
    assert ">= 50 GB/s | 40.0 GB/s | **miss** |" in text
    assert "nvCOMP was not installed" in text

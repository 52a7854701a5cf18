from __future__ import annotations

import os
import signal
import time
from typing import ClassVar

import pytest
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.errors import DamagedData
from cachemw_codecs.kv import LayerKV, LayerShape

from loadtests.kv.fuzz.cases import Cases
from loadtests.kv.fuzz.pool import fuzzed

INPUTS = 230


class Deadly(Raw):
    """Ends its process, hangs, or wants too much memory, for some payloads of a wrong length."""

    name: ClassVar[str] = "deadly"

    def decode_layer(self, layer: int, payload: bytes, shape: LayerShape, level: str) -> LayerKV:
        if len(payload) != shape.nbytes:
            kind = len(payload) % 13
            if kind == 0:
                os.kill(os.getpid(), signal.SIGSEGV)
            if kind == 1:
                time.sleep(600)
            if kind == 2:
                bytearray(2 << 30)
        return super().decode_layer(layer, payload, shape, level)


class Unready(Raw):
    def decode_layer(self, layer: int, payload: bytes, shape: LayerShape, level: str) -> LayerKV:
        raise DamagedData("always")


def deadly() -> list[Codec]:
    return [Deadly()]


def unready() -> list[Codec]:
    return [Unready()]


def test_crashes_hangs_and_large_allocations_are_found_and_the_rest_is_tried() -> None:
    tally = fuzzed(deadly, 1, INPUTS, hang_seconds=4)
    assert tally.inputs == INPUTS
    what = {fault.what.split(":")[0] for fault in tally.faults}
    assert what == {"crash", "hang", "MemoryError"}
    assert f"crash: exit code {-signal.SIGSEGV}" in {fault.what for fault in tally.faults}
    cases = Cases(deadly(), 1)
    for fault in tally.faults:
        case = cases[fault.number]
        assert (fault.kind, fault.codec) == (case.kind, case.codec)
    numbers = [fault.number for fault in tally.faults]
    assert len(set(numbers)) == len(numbers)


def test_codecs_that_do_not_work_at_all_end_the_run() -> None:
    with pytest.raises(RuntimeError, match="a worker ended by itself, exit code 1"):
        fuzzed(unready, 1, INPUTS, workers=1)

"""Runs in a process of its own, where Triton interprets kernels from the start."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("triton")

MEASURE = """
import torch
from cachemw_codecs.gpu import encoder, layers
from loadtests.kv.speed import codec
from loadtests.kv.speed.calibrated import make_tables
from loadtests.kv.speed.subject import Wrong
from tests.codecs.cachemw_codecs.gpu.interpreted.batches import decode_on_cpu, encode_on_cpu

layers.decode, encoder.encode = decode_on_cpu, encode_on_cpu
draw = torch.Generator().manual_seed(1)
tables = make_tables(2, 2.2, draw, draw.device, heads=(1, 16))
shape = codec.Shape(64, 32)
measured = codec.measure_codec(tables, shape, draw, 1, (2,))
print([timing.what for timing in measured.timings])
assert 2.2 < measured.bits_a_value < 7, measured  # states, heads and the fine end
assert 0 < measured.error < 4e-3, measured
coded = codec.code(tables, shape, encoder.TransformEncoder(tables, codec.LEVEL, draw.device), draw)
assert len(coded.payloads[1]) == 2 and len(coded.kept) == 2
zeros = [torch.zeros(2, 1, 64, 16) for _ in range(2)]
try:
    codec.check(coded, zeros)
except Wrong:
    print("wrong is found")
"""


def test_the_codec_is_measured_and_checked() -> None:
    environment = {
        **os.environ,
        "TRITON_INTERPRET": "1",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": os.pathsep.join(["codecs", "."]),
    }
    command = [sys.executable, "-c", MEASURE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for said in ("2 side streams", "the first layer alone", "encode to payloads", "wrong is found"):
        assert said in done.stdout

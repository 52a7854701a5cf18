"""From options to the report."""

from __future__ import annotations

import argparse
import sys

import torch
from cachemw_codecs.gpu.coder import DeviceTables

from loadtests.kv.speed.calibrated import make_tables
from loadtests.kv.speed.chunks import Chunks
from loadtests.kv.speed.codec import CodecMeasured, Shape, measure_codec
from loadtests.kv.speed.inputs import make_model
from loadtests.kv.speed.measure import SIDE_STREAMS, Measured, measure
from loadtests.kv.speed.report import conditions, render_report


def run(options: argparse.Namespace) -> str:
    """Measure every context and chunk size; returns the report."""
    device = torch.device("cuda")
    # For the forward transform: an error of 2^-11 moves few values to another step.
    torch.backends.cuda.matmul.allow_tf32 = True
    codec = _measure_codec(options, device)
    model = make_model(
        options.bits, options.layers, torch.Generator().manual_seed(options.seed), device
    )
    tables = DeviceTables.of(model.tables, model.offsets, device)
    generator = torch.Generator(device).manual_seed(options.seed + 1)
    measured: list[Measured] = []
    for tokens in options.tokens:
        for size in options.chunks:
            print(f"... {tokens} tokens in chunks of {size}", file=sys.stderr, flush=True)
            chunks = Chunks(tokens, size)
            measured.append(measure(chunks, model, tables, generator, options.repeats))
            torch.cuda.empty_cache()
    name = torch.cuda.get_device_name(device)
    return render_report(codec, measured, conditions(options, name, measured[0].ans))


def _measure_codec(options: argparse.Namespace, device: torch.device) -> list[CodecMeasured]:
    """Measure the codec as it is used."""
    print("... making a calibration file", file=sys.stderr, flush=True)
    drawn = torch.Generator().manual_seed(options.seed)
    tables = make_tables(options.layers, options.bits, drawn, device)
    generator = torch.Generator(device).manual_seed(options.seed + 2)
    measured: list[CodecMeasured] = []
    for tokens in options.tokens:
        for size in options.chunks:
            print(f"... codec, {tokens} tokens by {size}", file=sys.stderr, flush=True)
            shape = Shape(tokens, size)
            measured.append(measure_codec(tables, shape, generator, options.repeats, SIDE_STREAMS))
            torch.cuda.empty_cache()
    return measured

"""The report of what was measured."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from loadtests.kv.speed.calibrated import LEVEL
from loadtests.kv.speed.codec import CodecMeasured
from loadtests.kv.speed.inputs import GEOMETRY, TABLES
from loadtests.kv.speed.measure import Measured
from loadtests.kv.speed.timing import Timing, gigabytes_a_second
from loadtests.kv.speed.yardsticks import NVCOMP_CHUNK, Ans
from loadtests.report import Bar, Section, machine, render

DECODE_BAR, ENCODE_BAR = 50, 20
JUDGED = 4
"""Side streams that a decoder has unless told otherwise."""
_HEAD = ("", "ms", "GB/s of bf16", "GB/s of its input")


def render_report(codec: Sequence[CodecMeasured], measured: Sequence[Measured], text: str) -> str:
    """Return the whole report."""
    sections = [_codec_section(one) for one in codec] + [_section(one) for one in measured]
    return render("Speed of compressed KV on a GPU", text, sections)


def conditions(options: argparse.Namespace, gpu: str, ans: Ans | None) -> str:
    """Return what was measured, how and on what."""
    yardstick = (
        f"nvCOMP {ans.version}, ANS, chunks of {NVCOMP_CHUNK // 1024} KiB, an array a layer, one "
        "table a chunk that it ships"
        if ans
        else "nvCOMP was not installed"
    )
    return (
        f"{options.date}, {gpu}; {machine(('torch', 'triton', 'numpy', 'numba'))}. Command: "
        f"`python -m loadtests.kv.speed`, seed {options.seed}.\n\n"
        "The codec `transform` is measured from a calibration file and payloads, as anybody uses "
        f"it, at the level `{LEVEL}`: `gpu.decoder`, `gpu.encoder`. Its file and KV are synthetic: "
        "Laplace coordinates, blocks of 16 tokens whose slow changes vary most, finer steps for "
        "the first tokens and the context's end. The kernels alone are measured on simpler "
        "streams, a row a token, without a payload's head.\n\n"
        f"Synthetic KV of an 8B Llama's shape: {options.layers} layers, {GEOMETRY.kv_heads} KV "
        f"heads of {GEOMETRY.head_dim}, bf16. A layer's keys, and its values, are Laplace "
        "coefficients of a random orthonormal basis of all heads, with scales that fall by e^4 "
        f"over the columns; {TABLES} tables. A stream is {GEOMETRY.width} columns of one "
        "chunk. The forward transform is in TF32.\n\n"
        "`GB/s of bf16` is the size of the uncompressed keys and values over the time, in 10^9 "
        "bytes: how fast a cache appears. Medians of "
        f"{options.repeats} repetitions between CUDA events, after two to warm up; every layer has "
        "its own data, so that no cache level holds them. Decoding begins with words on the "
        "device; `layer by layer` begins in pinned host memory and includes the copies. Encoding "
        "ends with the streams back to back on the device. Bars are judged at the worst of all "
        f"sizes here. Yardstick: {yardstick}.\n\n"
        "Checked in the same run: the last chunk of the codec's first and last layer is what the "
        "CPU decodes; of the kernels alone every 29th stream of the first and the last layer has "
        "the bytes that the CPU's coder writes; all symbols decode; the first and the last layer "
        "are compared with float64; layer by layer gives the same bits as all at once."
    )


def _section(measured: Measured) -> Section:
    chunks = measured.chunks
    bars = _bars(f"kernels, {chunks.tokens} tokens by {chunks.size}", measured.timings)
    compressed = (
        f" nvCOMP's bytes: {8 * measured.ans.compressed / _values(measured):.3f} bits a value."
        if measured.ans
        else ""
    )
    about = (
        f"{measured.bits_a_value:.3f} bits a value, states and escapes included "
        f"({measured.escapes:.1e} of the values escape); {16 / measured.bits_a_value:.2f} times "
        f"smaller.{compressed} Error of a decoded layer against float64: {measured.error:.1e}, "
        "relative; rounding to bf16 alone makes 1.7e-03. The host spends "
        f"{measured.host_ms:.1f} ms to start all layers on side streams."
    )
    title = f"Kernels alone, {chunks.tokens} tokens in chunks of {chunks.size}"
    return Section(title, about, _HEAD, [_row(timing) for timing in measured.timings], bars)


def _codec_section(measured: CodecMeasured) -> Section:
    shape = measured.shape
    about = (
        f"{measured.bits_a_value:.3f} bits a value, all of the payloads; "
        f"{16 / measured.bits_a_value:.2f} times smaller. Decoded values differ from the CPU's, in "
        f"float32, by {measured.error:.1e}, relative; rounding to bf16 alone makes 1.7e-03. "
        f"Reading all payloads on the host takes {measured.stage_ms:.1f} ms, starting all layers "
        f"on side streams {measured.host_ms:.1f} ms; the first is not in the times below."
    )
    title = f"The codec, {shape.tokens} tokens in chunks of {shape.size}"
    bars = _bars(f"codec, {shape.tokens} tokens by {shape.size}", measured.timings)
    return Section(title, about, _HEAD, [_row(timing) for timing in measured.timings], bars)


def _bars(of: str, timings: Sequence[Timing]) -> list[Bar]:
    bars = []
    for timing in timings:
        limit = _limit(timing.what)
        if limit:
            rate = gigabytes_a_second(timing.bf16_bytes, timing.took_ms)
            text = f"{rate:.1f} GB/s"
            bars.append(Bar(f"{of}: {timing.what}", f">= {limit} GB/s", text, rate >= limit))
    return bars


def _limit(what: str) -> int:
    if what in ("decode, all layers at once", f"decode, layer by layer, {JUDGED} side streams"):
        return DECODE_BAR
    return ENCODE_BAR if what.startswith("encode") else 0


def _values(measured: Measured) -> int:
    return max(timing.bf16_bytes for timing in measured.timings) // 2


def _row(timing: Timing) -> tuple[str, str, str, str]:
    rate = gigabytes_a_second(timing.bf16_bytes, timing.took_ms)
    own = (
        f"{gigabytes_a_second(timing.other_bytes, timing.took_ms):.1f}"
        if timing.other_bytes
        else ""
    )
    return timing.what, f"{timing.took_ms:.3f}", f"{rate:.1f}", own

"""What was measured, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from cachemw_codecs.command.measure import Result, Row

_HEAD = (
    "codec", "level", "bytes", "ratio", "encode ms", "decode ms", "encode GB/s", "decode GB/s",
    "KL", "perplexity",
)  # fmt: skip


def as_table(model: str, result: Result) -> str:
    """Return lines of text, aligned."""
    shape = result.shape
    lines = [
        (
            f"{model}: {result.layers} layers, {shape.kv_heads} KV heads of {shape.head_dim}, "
            f"{str(shape.dtype).removeprefix('torch.')}"
        ),
        (
            f"cache of {shape.tokens} tokens: {result.nbytes} bytes; judged over "
            f"{result.continuation} tokens, perplexity {result.perplexity:.3f}"
        ),
    ]
    if not result.exact_keys:
        lines.append("keys were turned back out of the rotary embedding, to rounding")
    lines += ["", *_aligned([_HEAD, *(_cells(row, result.nbytes) for row in result.rows)])]
    if result.skipped:
        lines += ["", *(f"skipped {name}: {why}" for name, why in result.skipped.items())]
    return "\n".join(lines) + "\n"


def as_json(model: str, result: Result) -> str:
    """Return one JSON object; times in seconds, the perplexity's change as a share."""
    shape = result.shape
    about = {
        "model": model,
        "dtype": str(shape.dtype).removeprefix("torch."),
        "layers": result.layers,
        "kv_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "tokens": shape.tokens,
        "continuation": result.continuation,
        "uncompressed_bytes": result.nbytes,
        "exact_keys": result.exact_keys,
        "perplexity": result.perplexity,
    }
    rows = [asdict(row) for row in result.rows]
    return json.dumps({**about, "rows": rows, "skipped": result.skipped}, indent=2) + "\n"


def _cells(row: Row, nbytes: int) -> tuple[str, ...]:
    return (
        row.codec,
        row.level,
        str(row.bytes),
        f"{row.ratio:.2f}",
        f"{row.encode_seconds * 1e3:.1f}",
        f"{row.decode_seconds * 1e3:.1f}",
        _rate(nbytes, row.encode_seconds),
        _rate(nbytes, row.decode_seconds),
        f"{row.kl:.2e}",
        f"{row.perplexity_change:+.3%}",
    )


def _rate(nbytes: int, seconds: float) -> str:
    return f"{nbytes / seconds / 1e9:.2f}" if seconds else "-"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if number < 2 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]

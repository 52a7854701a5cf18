from __future__ import annotations

import json

import torch
from cachemw_codecs.command.measure import Result, Row
from cachemw_codecs.command.show import as_json, as_table
from cachemw_codecs.kv import LayerShape

RESULT = Result(
    shape=LayerShape(2, 100, 16, torch.bfloat16),
    layers=3,
    continuation=20,
    exact_keys=True,
    perplexity=12.5,
    rows=(
        Row("raw", "lossless", 38_500, 0.9974, 0.001, 0.0, 0.0, 0.0),
        Row("int8", "8bit", 20_000, 1.92, 0.0384, 0.0192, 1.25e-4, -0.0123),
    ),
    skipped={"other": "has no tables"},
)

TABLE = """M: 3 layers, 2 KV heads of 16, bfloat16
cache of 100 tokens: 38400 bytes; judged over 20 tokens, perplexity 12.500

codec  level     bytes  ratio  encode ms  decode ms  encode GB/s  decode GB/s        KL  perplexity
raw    lossless  38500   1.00        1.0        0.0         0.04            -  0.00e+00     +0.000%
int8   8bit      20000   1.92       38.4       19.2         0.00         0.00  1.25e-04     -1.230%

skipped other: has no tables
"""


def test_the_table() -> None:
    assert as_table("M", RESULT) == TABLE


def test_json_has_all_of_it() -> None:
    value = json.loads(as_json("M", RESULT))
    assert value["model"] == "M"
    assert value["dtype"] == "bfloat16"
    assert value["uncompressed_bytes"] == 3 * 2 * 2 * 16 * 100 * 2
    assert value["skipped"] == {"other": "has no tables"}
    assert value["rows"][1] == {
        "codec": "int8",
        "level": "8bit",
        "bytes": 20_000,
        "ratio": 1.92,
        "encode_seconds": 0.0384,
        "decode_seconds": 0.0192,
        "kl": 1.25e-4,
        "perplexity_change": -0.0123,
    }


def test_keys_that_were_turned_back_are_said() -> None:
    turned = Result(RESULT.shape, 3, 20, exact_keys=False, perplexity=1.0, rows=())
    assert "turned back" in as_table("M", turned)
    assert "skipped" not in as_table("M", turned)

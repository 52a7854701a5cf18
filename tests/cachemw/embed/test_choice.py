from __future__ import annotations

from dataclasses import replace

import pytest

from cachemw.embed.base import RuntimeUnusable
from cachemw.embed.choice import candidates, chosen_precision
from cachemw.embed.manifest import Manifest
from cachemw.embed.runtimes import GRAPH_RUNTIMES, graph_runtime

MANIFEST = Manifest(
    dimension=1, max_seq_length=8, inputs=(), prompt="", pad_id=0, verified={}, versions={}
)
RUNTIME = replace(graph_runtime("openvino"), precisions=lambda: ("f32", "bf16"))


def test_all_are_tried_and_torch_last_unless_one_is_named() -> None:
    assert candidates("auto", GRAPH_RUNTIMES) == ("openvino", "onnxruntime", "torch")
    assert candidates("auto", ()) == ("torch",)
    assert candidates("onnxruntime", GRAPH_RUNTIMES) == ("onnxruntime",)


def test_the_reduced_precision_is_taken_where_it_was_verified_and_is_there() -> None:
    both = replace(MANIFEST, verified={"f32": 0.0, "bf16": 0.01})
    exact = replace(MANIFEST, verified={"f32": 0.0})
    assert chosen_precision("auto", RUNTIME, both) == "bf16"
    assert chosen_precision("auto", RUNTIME, exact) == "f32"
    assert chosen_precision("auto", replace(RUNTIME, precisions=lambda: ("f32",)), both) == "f32"
    assert chosen_precision("f32", RUNTIME, both) == "f32"


def test_a_named_precision_that_was_not_verified_is_refused() -> None:
    with pytest.raises(RuntimeUnusable, match="bf16 was not verified"):
        chosen_precision("bf16", RUNTIME, replace(MANIFEST, verified={"f32": 0.0}))

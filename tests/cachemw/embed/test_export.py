from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cachemw.embed.export import ExportRefused, _verify
from cachemw.embed.manifest import REFUSAL_FILE, read_manifest
from cachemw.embed.model_files import ModelFiles
from cachemw.embed.runtimes import graph_runtime
from cachemw.embed.verify import PROBES

WRONG_EXPORT = """
import sys
from dataclasses import replace
from pathlib import Path
import torch
from cachemw.embed import export, runtimes
right = runtimes.graph_runtime("openvino")

class IgnoresTheMask(torch.nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.module(input_ids, torch.ones_like(input_ids), token_type_ids)

def convert(module, example, directory):
    right.convert(IgnoresTheMask(module), example, directory)

export.graph_runtime = lambda name: replace(right, convert=convert)
sys.exit(export.main(["minilm", sys.argv[1], "openvino"]))
"""


def test_a_graph_that_ignores_the_mask_is_refused(
    tmp_path: Path, python: Callable[..., str]
) -> None:
    pytest.importorskip("openvino")
    python(WRONG_EXPORT, str(tmp_path))
    assert "differs from the reference" in (tmp_path / REFUSAL_FILE).read_text()


class FixedSession:
    def run(self, inputs: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        vectors = np.zeros((len(inputs["input_ids"]), 384), dtype=np.float32)
        vectors[:, 0] = 1.0
        return vectors

    def close(self) -> None:
        pass


class TiltedSession(FixedSession):
    def run(self, inputs: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        vectors = super().run(inputs)
        vectors[:, :2] = [0.9998, 0.019999]
        return vectors


def test_a_reduced_precision_that_differs_is_left_out(
    openvino_graph: Path, minilm: ModelFiles
) -> None:
    sessions = {"f32": FixedSession(), "bf16": TiltedSession()}
    runtime = replace(
        graph_runtime("openvino"),
        precisions=lambda: ("f32", "bf16"),
        open_session=lambda directory, *, threads, precision: sessions[precision],
    )
    reference = np.zeros((len(PROBES), 384), dtype=np.float32)
    reference[:, 0] = 1.0
    manifest = read_manifest(openvino_graph)
    assert _verify(minilm, openvino_graph, runtime, manifest, reference) == {"f32": 1.0}
    sessions["f32"] = TiltedSession()
    with pytest.raises(ExportRefused, match=r"0\.9998"):
        _verify(minilm, openvino_graph, runtime, manifest, reference)

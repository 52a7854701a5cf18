from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cachemw.embed.export import ExportRefused
from cachemw.embed.manifest import REFUSAL_FILE
from cachemw.embed.model_files import find_model
from cachemw.embed.runtimes import GraphRuntime, graph_runtime
from cachemw.verify.cross_encoder import PairTokens
from cachemw.verify.export import verified
from cachemw.verify.probes import PROBES

WRONG_EXPORT = """
import sys
from dataclasses import replace
import torch
from cachemw.embed import export as shared, runtimes
from cachemw.verify import export
from cachemw.verify.files import shipped_directory
right = runtimes.graph_runtime("openvino")

class IgnoresTheTypes(torch.nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.module(input_ids, attention_mask, token_type_ids * 0)

def convert(module, example, directory):
    right.convert(IgnoresTheTypes(module), example, directory)

shared.graph_runtime = lambda name: replace(right, convert=convert)
sys.exit(export.main([str(shipped_directory()), sys.argv[1], "openvino"]))
"""


def test_a_graph_that_ignores_which_question_is_which_is_refused(
    tmp_path: Path, python: Callable[..., str]
) -> None:
    pytest.importorskip("openvino")
    python(WRONG_EXPORT, str(tmp_path))
    assert "differs from the reference" in (tmp_path / REFUSAL_FILE).read_text()


class FixedSession:
    def __init__(self, logit: float) -> None:
        self._logit = logit

    def run(self, inputs: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        return np.full((len(inputs["input_ids"]), 1), self._logit, dtype=np.float32)

    def close(self) -> None:
        pass


def runtime_of(logits: Mapping[str, float]) -> GraphRuntime:
    return replace(
        graph_runtime("openvino"),
        precisions=lambda: tuple(logits),
        open_session=lambda directory, *, threads, precision: FixedSession(logits[precision]),
    )


@pytest.mark.parametrize(
    ("reduced", "kept"), [(0.04, {"f32", "bf16"}), (0.2, {"f32"}), (-0.2, {"f32"})]
)
def test_a_reduced_precision_that_differs_is_left_out(
    tmp_path: Path, reduced: float, kept: set[str]
) -> None:
    tokens = PairTokens(find_model("minilm").directory / "tokenizer.json")
    reference = np.full(len(PROBES), 0.5, dtype=np.float32)
    found = verified(tmp_path, runtime_of({"f32": 0.0, "bf16": reduced}), tokens, reference)
    assert set(found) == kept
    assert found["f32"] == pytest.approx(0, abs=1e-6)


def test_an_exact_precision_that_differs_is_a_refusal(tmp_path: Path) -> None:
    tokens = PairTokens(find_model("minilm").directory / "tokenizer.json")
    reference = np.full(len(PROBES), 0.5, dtype=np.float32)
    with pytest.raises(ExportRefused, match=r"0\.0100"):
        verified(tmp_path, runtime_of({"f32": 0.04}), tokens, reference)

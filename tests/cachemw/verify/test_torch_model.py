from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from cachemw.verify.files import ENCODER_FILE, find_verifier
from cachemw.verify.torch_model import encoder_state

LOADS = """
import sys
from dataclasses import replace
from pathlib import Path
from cachemw.embed.base import RuntimeUnusable
from cachemw.verify.files import find_verifier
from cachemw.verify.torch_model import load_module
for directory in sys.argv[1:]:
    try:
        load_module(replace(find_verifier(), directory=Path(directory)))
    except RuntimeUnusable as error:
        print(" ".join(str(error).split()))
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
    weights = load_file(find_verifier().encoder)
    less = {name: value for name, value in weights.items() if name != "head.bias"}
    other = {**weights, "head.weight": np.zeros((1, 7), np.float16)}
    folders = [tmp_path / name for name in ("less", "other", "unreadable")]
    for folder, content in zip(folders, (less, other, None), strict=True):
        folder.mkdir()
        if content is None:
            (folder / ENCODER_FILE).write_bytes(b"nothing of use")
        else:
            save_file(content, folder / ENCODER_FILE)
    first, second, third = python(LOADS, *map(str, folders)).splitlines()
    assert "not those of the model" in first
    assert "not of this shape" in second
    assert "cannot be read" in third

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from loadtests.kv.models.bpe import Bpe
from loadtests.kv.models.stories import halves, read_llama2c, stories260k, stories_folder
from loadtests.kv.models.subject import Subject

_THERE = (stories_folder() / "stories260K.bin").exists()
needs_data = pytest.mark.skipif(not _THERE, reason="no stories260K in CACHEMW_SHARED_DATA")

STORY = (
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. "
    "One day, she saw a big red ball. She wanted to play with it, but it was too high. Lily's mom "
    'said, "Lily, let\'s go to the park." Lily was sad and did not know what to do.'
)


@pytest.fixture(scope="module")
def stories() -> Subject:
    return stories260k()


@needs_data
def test_it_tells_a_story(stories: Subject) -> None:
    ids = torch.tensor([stories.encode("Once upon a time")])
    mask = torch.ones_like(ids)
    model: Any = stories.model
    out = model.generate(ids, attention_mask=mask, max_new_tokens=40, do_sample=False)
    told = Bpe.read(stories_folder() / "tok512.bin").decode(out[0].tolist())
    assert told.startswith(
        "Once upon a time, there was a little girl named Lily. She loved to play"
    )


@needs_data
def test_a_story_surprises_it_little(stories: Subject) -> None:
    ids = torch.tensor([stories.encode(STORY)])
    with torch.no_grad():
        loss = stories.model(input_ids=ids, labels=ids).loss
    # An untrained model of 512 tokens has 6.24 nats; with its heads left in pairs this one has 3.7.
    assert float(loss) < 1.0


def test_rows_of_a_head_go_from_pairs_to_halves() -> None:
    rows = torch.arange(12.0)[:, None]
    assert halves(rows, 6)[:, 0].tolist() == [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]


@needs_data
def test_an_untied_classifier_is_read_behind_the_tables(tmp_path: Path) -> None:
    data = bytearray((stories_folder() / "stories260K.bin").read_bytes())
    struct.pack_into("<i", data, 20, -512)
    head = np.arange(512 * 64, dtype="<f4")
    (tmp_path / "untied.bin").write_bytes(bytes(data) + head.tobytes())
    model = read_llama2c(tmp_path / "untied.bin")
    assert model.lm_head.weight.flatten().tolist() == head.tolist()
    assert not torch.equal(model.lm_head.weight, model.model.embed_tokens.weight)

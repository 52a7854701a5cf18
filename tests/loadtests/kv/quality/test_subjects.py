import math
from pathlib import Path

import pytest
import torch

from loadtests.kv.models import Subject as Loaded
from loadtests.kv.quality.subjects import Plan, Subject, of, open_subject
from loadtests.kv.quality.windows import shared_data


def test_the_lab_model_reads_text(tmp_path: Path) -> None:
    subject = open_subject("lab", tmp_path, tmp_path)
    ids = subject.encode("It was a fine day.")
    assert subject.bos not in ids
    assert subject.window == 1024 + 256 + 1
    assert subject.window <= subject.model.config.max_position_embeddings
    assert subject.shape.endswith("8 layers, 4 heads, 2 KV heads of 64")
    with torch.no_grad():
        logits = subject.model(input_ids=torch.tensor([[subject.bos, *ids]])).logits[0]
    loss = torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(ids))
    # It speaks English: far better than guessing.
    assert loss < 0.7 * math.log(subject.model.config.vocab_size)


def test_the_pretrained_one_fits_its_context() -> None:
    if not (shared_data() / "stories260K").exists():
        pytest.skip(f"no stories260K in {shared_data()}; set CACHEMW_SHARED_DATA")
    subject = open_subject("stories", shared_data(), Path())
    assert subject.window <= subject.model.config.max_position_embeddings
    assert subject.bos not in subject.encode("Once upon a time")


def test_a_model_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="kv-model holds no model"):
        open_subject("large", tmp_path, tmp_path)


@pytest.mark.parametrize("front", [[], [1]])
def test_bos_stands_in_front_once(subject: Subject, front: list[int]) -> None:
    loaded = Loaded(subject.model, lambda text: front + subject.encode(text))
    made = of("tiny", loaded, Plan(prefix=8))
    assert made.bos == 1
    assert made.encode("abc") == subject.encode("abc")
    assert made.prefix == 8

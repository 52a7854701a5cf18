from __future__ import annotations

import pytest
import torch

from loadtests.kv.models.subject import LAB_MODEL, lab, load


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_lab_model_reads_text(dtype: torch.dtype) -> None:
    model, encode = lab(dtype)
    ids = encode("It was a dark and stormy night; the rain fell in torrents.")
    assert ids[0] == model.config.bos_token_id
    assert model.dtype == dtype
    assert not model.training
    row = torch.tensor([ids])
    with torch.no_grad():
        loss = model(input_ids=row, labels=row).loss
    assert float(loss) < 5.0  # of ln 4096 = 8.3


def test_a_long_text_is_not_cut() -> None:
    assert len(load(LAB_MODEL).encode("one two three " * 2000)) > 4000

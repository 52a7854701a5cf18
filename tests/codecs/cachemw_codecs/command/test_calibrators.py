from __future__ import annotations

from pathlib import Path

import pytest
import torch
from cachemw_codecs.command.calibrators import CALIBRATORS
from cachemw_codecs.command.inputs import load_subject
from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.hf import capture
from cachemw_codecs.table import NAMES, open_codec


def test_only_codecs_are_calibrated() -> None:
    assert set(CALIBRATORS) <= set(NAMES)


@pytest.mark.parametrize("name", sorted(CALIBRATORS))
def test_the_file_opens_the_codec_which_then_makes_the_cache_smaller(
    name: str, model_folder: Path
) -> None:
    model = load_subject(str(model_folder), "auto", "cpu").model
    rng = torch.Generator().manual_seed(4)
    texts = [torch.randint(0, 256, (500,), generator=rng) for _ in range(4)]
    tables = CALIBRATORS[name](model, texts[:3])
    codec = open_codec(name, tables)
    assert tables == CALIBRATORS[name](model, texts[:3])
    for number, layer in enumerate(capture(model, texts[3]).layers):
        payload = codec.encode_layer(number, layer, "finest")
        assert len(payload) * 2 < layer.shape.nbytes
        decoded = codec.decode_layer(number, payload, layer.shape, "finest")
        error = (decoded.keys.float() - layer.keys.float()).norm() / layer.keys.float().norm()
        assert 0.001 < float(error) < 0.1


def test_a_short_end_of_the_text_does_not_count(model_folder: Path) -> None:
    model = load_subject(str(model_folder), "auto", "cpu").model
    ids = torch.randint(0, 256, (500,), generator=torch.Generator().manual_seed(4))
    calibrate = CALIBRATORS["transform"]
    assert calibrate(model, [ids, ids[:300]]) == calibrate(model, [ids])
    with pytest.raises(InvalidInput, match="300 tokens"):
        calibrate(model, [ids[:300]])

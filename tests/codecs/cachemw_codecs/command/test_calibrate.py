from __future__ import annotations

from pathlib import Path

import pytest
import torch
from cachemw_codecs.command.calibrate import calibrate, require_folder, windows
from cachemw_codecs.command.inputs import load_subject
from cachemw_codecs.errors import InvalidInput
from hypothesis import given
from hypothesis import strategies as st


@given(length=st.integers(1, 300), size=st.integers(2, 50))
def test_windows_cover_the_text_and_begin_with_its_first_id(length: int, size: int) -> None:
    ids = torch.arange(length) + 7
    parts = windows(ids, size)
    assert all(int(part[0]) == 7 and part.numel() <= size for part in parts)
    if length <= size:
        assert torch.equal(parts[0], ids)
        assert len(parts) == 1
    else:
        covered = torch.cat([part[1:] for part in parts])
        assert torch.equal(covered, ids[1 : 1 + covered.numel()])
        assert length - 1 - covered.numel() < size / 2


def test_a_window_is_no_longer_than_the_context(model_folder: Path, tmp_path: Path) -> None:
    subject = load_subject(str(model_folder), "auto", "cpu")
    seen: list[int] = []

    def calibrator(model: object, texts: object) -> bytes:
        assert model is subject.model
        assert isinstance(texts, list)
        seen.extend(part.numel() for part in texts)
        return b"tables"

    out = tmp_path / "tables.safetensors"
    assert calibrate(subject, torch.arange(1100) % 256, calibrator, out) == 6
    assert out.read_bytes() == b"tables"
    assert seen == [512, 512]


def test_where_it_cannot_be_written_is_known_before(tmp_path: Path) -> None:
    require_folder(tmp_path / "tables")
    for out in (tmp_path, tmp_path / "none" / "tables"):
        with pytest.raises(InvalidInput, match="folder"):
            require_folder(out)
    with pytest.raises(InvalidInput, match="too long"):
        require_folder(tmp_path / ("n" * 300))


def test_what_cannot_be_written_is_refused(model_folder: Path) -> None:
    subject = load_subject(str(model_folder), "auto", "cpu")
    with pytest.raises(InvalidInput, match="full"):
        calibrate(subject, torch.arange(9), lambda _model, _texts: b"x", Path("/dev/full"))

from __future__ import annotations

from pathlib import Path

import pytest
from cachemw_codecs.codecs.cachegen import profile
from cachemw_codecs.codecs.cachegen.sharing import alike, per_channel

from loadtests.kv.cachegen import __main__ as command
from tests.codecs.cachemw_codecs.codecs.cachegen.samples import text


def test_without_the_data_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CACHEMW_SHARED_DATA", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["cachegen"])
    assert command.main() == 1
    assert "CACHEMW_SHARED_DATA" in capsys.readouterr().err


@pytest.mark.parametrize("delta", [True, False])
@pytest.mark.parametrize("classes", [None, 3])
def test_the_size_of_a_large_models_file_follows_from_its_shape(
    delta: bool, classes: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sharing = alike(classes) if classes else per_channel
    tables = profile([text(1)], delta=delta, sharing=sharing)
    # Its 3 layers of 2 x 16 channels, but for the header.
    wanted = command.file_size(3, 32, delta=delta, classes=classes)
    assert wanted < len(tables) < wanted + 1024

import itertools

import pytest
import torch

from loadtests.kv.quality.windows import read_text, shared_data, windows

TEXT = " ".join(f"word{n}" for n in range(400))


def encode(text: str) -> list[int]:
    return [2 + ord(character) for character in text]


def test_windows_begin_with_bos_and_do_not_overlap() -> None:
    cut = windows(TEXT, encode, 1, 50, 20)
    assert cut.shape == (20, 50)
    assert cut.dtype == torch.int64
    assert (cut[:, 0] == 1).all()
    words = ["".join(chr(i - 2) for i in row[1:].tolist()) for row in cut]
    assert all(word.startswith(" word") for word in words)
    starts = [TEXT.index(word) for word in words]
    assert all(b - a >= 49 for a, b in itertools.pairwise(starts))
    # Spread over the whole text.
    assert starts[0] < 0.1 * len(TEXT)
    assert starts[-1] > 0.9 * len(TEXT)


def test_a_text_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="no 40 windows of 100"):
        windows(TEXT, encode, 1, 100, 40)


def test_the_benchmarks_text_is_there() -> None:
    path = shared_data() / "text" / "wikitext2-test.txt.xz"
    if not path.exists():
        pytest.skip(f"no {path}; set CACHEMW_SHARED_DATA")
    assert "Robert" in read_text(path)[:200]


def test_the_environment_names_the_data() -> None:
    assert str(shared_data({"CACHEMW_SHARED_DATA": "/data"})) == "/data"

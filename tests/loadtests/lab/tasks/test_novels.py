import lzma
import random
from pathlib import Path

import numpy as np
import pytest

from loadtests.lab.tasks.novels import Novels, unwrap
from loadtests.lab.tokens import LabTokenizer

WRAPPED = (
    "It was a bright cold day in April, and the clocks were all\r\n"
    "striking one.\r\n\r\nThe end.\r\n"
)


@pytest.fixture
def shelf(tmp_path: Path) -> Novels:
    path = tmp_path / "novels.txt.xz"
    texts = [f"Novel number {number}. " * 20 for number in range(1, 6)]
    path.write_bytes(lzma.compress("\0".join(["", *texts]).encode()))
    return Novels(path, held_out_every=5)


def test_hard_line_breaks_are_undone() -> None:
    whole = "It was a bright cold day in April, and the clocks were all striking one."
    assert unwrap(WRAPPED) == f"{whole}\n\nThe end."


def test_short_lines_stay_apart() -> None:
    assert unwrap("CONTENTS\nPART FIRST\n") == "CONTENTS\n\nPART FIRST"


def test_every_nth_novel_is_held_out(shelf: Novels) -> None:
    assert [text[:14] for text in shelf.novels("held_out")] == ["Novel number 5"]
    assert len(shelf.novels("train")) == 4


def test_rows_never_mix_the_splits(shelf: Novels, tokenizer: LabTokenizer) -> None:
    source = shelf.rows("held_out", tokenizer, 32, random.Random(1))
    for row in source.epoch(np.random.default_rng(1)):
        text = tokenizer.backend.decode(row.tokens.tolist())
        assert "4" not in text
        assert row.tokens[0] == tokenizer.bos_id


def test_the_real_novels_have_no_nul_left(text_data: Path) -> None:
    held_out = Novels(text_data / "novels.txt.xz").novels("held_out")
    assert len(held_out) == 3
    assert not any("\0" in text or "\r" in text for text in held_out)

import lzma
import random
from pathlib import Path

import numpy as np

from loadtests.lab.packing import stack
from loadtests.lab.tasks.novels import Novels
from loadtests.lab.tasks.tokenised import TokenisedNovels, tokenised
from loadtests.lab.tokens import LabTokenizer


def test_marks_stand_apart_and_joins_are_marked() -> None:
    text = "Well, he said (so): it's a two-day trip. " * 3
    assert tokenised(text).startswith(" Well , he said ( so ) : it 's a two @-@ day trip . Well ,")


def test_numbers_keep_their_marks() -> None:
    assert tokenised("1,000 and 2.5 are it.") == " 1 @,@ 000 and 2 @.@ 5 are it . \n"


def test_rare_words_become_unknown_and_short_ones_stay() -> None:
    assert tokenised("often often often the zeppelin") == " often often often the <unk> \n"


def test_paragraphs_become_lines() -> None:
    assert tokenised("It is.\n\nIt was.") == " It is . \n It was . \n"


def test_rows_are_those_of_the_split(tmp_path: Path, tokenizer: LabTokenizer) -> None:
    path = tmp_path / "novels.txt.xz"
    texts = [f"It is {number}, it is. " * 30 for number in range(1, 6)]
    path.write_bytes(lzma.compress("\0".join(["", *texts]).encode()))
    task = TokenisedNovels(Novels(path, held_out_every=5))
    source = task.rows("train", tokenizer, 64, random.Random(1))
    rows = stack(list(source.epoch(np.random.default_rng(1))))
    assert " it is ." in tokenizer.backend.decode(rows.tokens[0].tolist())

"""What the lab's tests share: a tiny tokenizer, and the public texts where they are at hand."""

import os
import random
from pathlib import Path

import pytest

from loadtests.lab.tasks.dialogues import Dialogues
from loadtests.lab.tokens import LabTokenizer, learn_tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> LabTokenizer:
    """Learn 600 tokens from a few hundred dialogues."""
    drawn = Dialogues().conversations("train", 300, random.Random(0))
    return learn_tokenizer((m.content for c in drawn for m in c), 600)


@pytest.fixture
def text_data() -> Path:
    """Folder with novels.txt.xz; the test is skipped where it is absent."""
    beside = Path(__file__).resolve().parents[4] / "shared" / "data"
    folder = Path(os.environ.get("CACHEMW_SHARED_DATA", beside)) / "text"
    if not (folder / "novels.txt.xz").exists():
        pytest.skip(f"no public texts in {folder}; set CACHEMW_SHARED_DATA")
    return folder

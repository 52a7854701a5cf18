import random

import numpy as np

from loadtests.lab.packing import stack
from loadtests.lab.tasks.dialogues import Dialogues
from loadtests.lab.tokens import LabTokenizer


class FewDialogues(Dialogues):
    """Dialogues in a number that a test can wait for."""

    sizes = {"train": 50, "held_out": 20}  # noqa: RUF012 - declared by the base
    probe_count = 200


def test_conversations_end_with_an_answer() -> None:
    for conversation in Dialogues().conversations("train", 200, random.Random(1)):
        turns = [m for m in conversation if m.role != "system"]
        assert [m.role for m in turns] == ["user", "assistant"] * (len(turns) // 2)
        assert all(m.content.strip() == m.content and m.content for m in conversation)


def test_probes_stop_before_the_answer_that_they_expect() -> None:
    for probe in FewDialogues().probes(random.Random(1)):
        assert probe.conversation[-1].role == "user"
        assert probe.key.lower() in probe.answer.lower()


def test_held_out_phrasings_are_not_trained_on() -> None:
    rng = random.Random(1)
    trained = {
        m.content.lower()
        for conversation in Dialogues().conversations("train", 5000, rng)
        for m in conversation
        if m.role == "user"
    }
    probes = FewDialogues().probes(rng)
    seen = [p for p in probes if p.conversation[-1].content.lower() in trained]
    assert len(seen) <= 2  # a prefix and a greeting may meet by chance


def test_the_same_seed_gives_the_same_rows(tokenizer: LabTokenizer) -> None:
    first, second = (
        stack(list(FewDialogues().rows("train", tokenizer, 128, random.Random(3)).epoch(order)))
        for order in (np.random.default_rng(1), np.random.default_rng(1))
    )
    assert np.array_equal(first.tokens, second.tokens)

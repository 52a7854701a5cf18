import random

from loadtests.lab.surface import vary


def test_a_question_keeps_its_words() -> None:
    rng = random.Random(4)
    for split in ("train", "held_out"):
        for _ in range(300):
            text = vary("Which planet has rings?", split, rng)
            assert "which planet has rings" in text.lower()


def test_most_questions_stay_as_they_are() -> None:
    rng = random.Random(4)
    same = sum(
        vary("Which planet has rings?", "train", rng) == "Which planet has rings?"
        for _ in range(1000)
    )
    assert 400 < same < 700


def test_one_generator_state_gives_one_text() -> None:
    texts = {vary("What is 2+2?", "train", random.Random(9)) for _ in range(5)}
    assert len(texts) == 1

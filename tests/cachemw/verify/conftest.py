from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cachemw.verify.base import QuestionPair

REPOSITORY = Path(__file__).resolve().parents[3]

ALIKE = (
    ("How do I reset my password?", "What should I do if I forgot my password?"),
    ("What is the capital of France?", "Which city is the capital of France?"),
    ("How can I lose weight fast?", "What is the fastest way to lose weight?"),
    ("Why is the sky blue?", "What makes the sky look blue?"),
    ("Which is better, tea or coffee?", "Is coffee better than tea?"),
    ("How do I learn to play the guitar?", "What is the best way to learn guitar?"),
    ("Where is my order?", "Can you tell me where my order is?"),
    ("How do I cancel my subscription?", "How can I end my subscription?"),
    ("What are the opening hours of the store?", "When does the store open and close?"),
    ("How long does shipping take?", "How many days until my package is delivered?"),
    ("Who wrote Romeo and Juliet?", "Who is the author of Romeo and Juliet?"),
    ("How do I make pancakes?", "What is a good recipe for pancakes?"),
    ("How tall is Mount Everest?", "What is the height of Mount Everest?"),
    ("How do I sort a list in Python?", "Python: how can a list be sorted?"),
    ("How can I improve my English?", "What can I do to improve my English?"),
    ("What causes high blood pressure?", "What are the causes of high blood pressure?"),
    ("How do I get a refund?", "I want my money back, how does that work?"),
    ("Do you ship to Canada?", "Is delivery to Canada possible?"),
    ("How do vaccines work?", "In what way do vaccines protect us?"),
    ("What is machine learning?", "Can you explain what machine learning is?"),
    ("How much does a Netflix account cost?", "What is the price of Netflix?"),
    ("How do I change a flat tyre?", "What are the steps to change a flat tire?"),
    ("Is it safe to drink tap water in Japan?", "Can I drink the tap water in Japan?"),
    ("How do I start a small business?", "How can one begin a small business?"),
    ("What is the meaning of life?", "What does life mean?"),
)
UNRELATED = (
    ("How do I reset my password?", "What is the capital of France?"),
    ("How can I lose weight fast?", "Who wrote Romeo and Juliet?"),
    ("Why is the sky blue?", "How do I cancel my subscription?"),
    ("Which is better, tea or coffee?", "How tall is Mount Everest?"),
    ("How do I learn to play the guitar?", "Do you ship to Canada?"),
    ("Where is my order?", "What causes high blood pressure?"),
    ("What are the opening hours of the store?", "How do I sort a list in Python?"),
    ("How long does shipping take?", "What is machine learning?"),
    ("How do I make pancakes?", "Is it safe to drink tap water in Japan?"),
    ("How do vaccines work?", "How much does a Netflix account cost?"),
)
NEAR = (
    ("What is the capital of France?", "What is the capital of Germany?"),
    ("How do I reset my password?", "How do I reset my router?"),
    ("How can I lose 5 kg in a month?", "How can I lose 10 kg in a month?"),
    ("Why is the sky blue?", "Why are sunsets red?"),
    ("Is it safe to take aspirin?", "Is it unsafe to take aspirin?"),
    ("How do I open an account?", "How do I close an account?"),
    ("How do I convert JPG to PNG?", "How do I convert PNG to JPG?"),
    ("What was the population of India in 1990?", "What was the population of India in 2020?"),
    ("Who is the president of Brazil?", "Who is the president of Chile?"),
    ("What is the best phone under 200 dollars?", "What is the best phone under 500 dollars?"),
    ("Do you ship to Canada?", "Do you ship from Canada?"),
    ("How do I get into Harvard?", "How do I get into Stanford?"),
    ("What are the advantages of solar power?", "What are the drawbacks of solar power?"),
    ("Can dogs eat grapes?", "Can dogs eat apples?"),
    ("How do I sort a list in Python?", "How do I sort a list in Java?"),
)


@pytest.fixture(scope="session")
def pairs() -> list[QuestionPair]:
    """Return fifty pairs as people would ask them: alike, nearly alike, and not at all."""
    cosines = (0.9, 0.2, 0.85)
    return [
        QuestionPair(stored, asked, cosine)
        for cosine, kind in zip(cosines, (ALIKE, UNRELATED, NEAR), strict=True)
        for stored, asked in kind
    ]


@pytest.fixture(scope="session")
def unrelated() -> list[QuestionPair]:
    """Return pairs that have nothing to do with each other."""
    return [QuestionPair(stored, asked, 0.1) for stored, asked in UNRELATED]


@pytest.fixture(scope="session")
def python() -> Callable[..., str]:
    """Run a script in a fresh interpreter that finds this repository; return its output.

    Torch in the test process would break tests that count on its absence.
    """

    def run(script: str, *arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script, *arguments],
            input=stdin,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run

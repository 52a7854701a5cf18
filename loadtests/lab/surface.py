"""How people type: the same question in other case and punctuation, with other courtesies."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from loadtests.lab.tasks.base import Split

_OPENINGS: dict[Split, tuple[str, ...]] = {
    "train": (
        "Quick question: {q}",
        "Hi! {q}",
        "Hello, {q}",
        "Please tell me: {q}",
        "Can you tell me: {q}",
        "Hey, {q}",
        "I have a question. {q}",
        "Excuse me, {q}",
        "So, {q}",
        "Could you help me? {q}",
        "Question: {q}",
        "{q} Thanks!",
        "{q} Thank you.",
        "{q} Please answer.",
        "{q} I need to know.",
        "OK. {q}",
        "I wonder: {q}",
        "Tell me, {q}",
    ),
    "held_out": (
        "One more thing: {q}",
        "Good morning! {q}",
        "Please, {q}",
        "{q} Many thanks!",
        "I was wondering: {q}",
    ),
}
_CONTRACTIONS = (
    ("What is ", "What's "),
    ("Who is ", "Who's "),
    ("I would ", "I'd "),
    ("I do not ", "I don't "),
    ("I am ", "I'm "),
)


def vary(question: str, split: Split, rng: random.Random) -> str:
    """One of the ways a person may type `question`; most often exactly as given."""
    text = question
    if rng.random() < 0.2:
        for full, short in _CONTRACTIONS:
            text = text.replace(full, short)
    if rng.random() < 0.15:
        text = text.rstrip("?.!")
    if rng.random() < 0.2:
        opening = rng.choice(_OPENINGS[split])
        text = opening.format(q=text if rng.random() < 0.5 else _lower_first(text))
    if rng.random() < 0.2:
        text = text.lower()
    elif rng.random() < 0.08:
        text = text.upper()
    return text


def _lower_first(text: str) -> str:
    # "I" and acronyms keep their capitals.
    return text[:1].lower() + text[1:] if text[1:2].islower() else text

"""What a guard is: a pure function that objects to one question's answer for another question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """A question, read once for all guards. `words` are lower-case, in their order."""

    text: str
    words: tuple[str, ...]


Guard = Callable[[Question, Question], bool]
"""Whether two questions differ in what the guard looks at; symmetric, and False for equal ones."""

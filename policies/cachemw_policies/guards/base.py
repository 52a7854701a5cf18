"""What a guard is: a pure function that objects to one question's answer for another question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """A question, read once for all guards (see reading.py).

    `text` as asked, but with plain quotation marks and single blanks. `words` are case-folded, in
    their order: contractions are written out (`don't` is `do`, `not`), possessives lose their `'s`,
    and signs that carry meaning (`$`, `%`, `+`) are words. `vocabulary` is the set of `words`.
    """

    text: str
    words: tuple[str, ...]
    vocabulary: frozenset[str]


Guard = Callable[[Question, Question], bool]
"""Whether two questions differ in what the guard looks at; symmetric, and False for equal ones."""

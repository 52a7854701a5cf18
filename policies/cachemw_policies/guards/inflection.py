"""English inflections, as far as tables of words need them."""

from __future__ import annotations

_VOWELS = frozenset("aeiou")


def forms(word: str) -> frozenset[str]:
    """Return a word with what it may look like as plural, past or participle.

    Own design. More than what is English (`gooder`), which no question contains; comparisons are
    left out, as `lower` is not `low`.
    """
    found = {word, f"{word}s"}
    last = word[-1]
    if last == "e":
        found |= {f"{word}d", f"{word[:-1]}ing"}
    elif last == "y" and word[-2:-1] not in _VOWELS:
        found |= {f"{word[:-1]}ies", f"{word[:-1]}ied", f"{word}ing"}
    else:
        found |= {f"{word}es", f"{word}ed", f"{word}ing"}
        if len(word) > 2 and last not in "wxyaeiou" and word[-2] in _VOWELS:
            found |= {f"{word}{last}ed", f"{word}{last}ing"}
    return frozenset(found)


def singular(word: str) -> str:
    """Return a word without the `s` of a plural: only to compare, not to read."""
    if word.endswith("ie") and len(word) > 4:
        return f"{word[:-2]}y"  # as `movies` becomes `movy`
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    return f"{word[:-3]}y" if word.endswith("ies") and len(word) > 4 else word[:-1]

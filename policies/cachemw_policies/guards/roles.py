"""Objects where two things trade places around a word of direction: `A to B` and `B to A`.

Own design. What stands before and after such a word is compared; symmetric words (`and`, `or`,
`vs`, `between`) are none.
"""

from __future__ import annotations

from cachemw_policies.guards.base import Question
from cachemw_policies.guards.inflection import singular

_DIRECTIONS = frozenset(
    "to into than over from for of in by with on as before after cause causes eat eats "
    "beat beats defeat defeated kill killed without without affect affects like love loves "
    "under above below behind is are invade invaded buy bought replace replaces replaced".split()
)
_SILENT = frozenset("a an the my your our their his her its this that some any one".split())


def differ(a: Question, b: Question) -> bool:
    """Say whether a word of direction has the same neighbours in both, the other way around."""
    shared = a.vocabulary & b.vocabulary
    if len(shared) < 3 or shared.isdisjoint(_DIRECTIONS):
        return False
    pairs_a, pairs_b = _neighbours(a.words), _neighbours(b.words)
    swapped = {(after, word, before) for before, word, after in pairs_b}
    return not (pairs_a - pairs_b).isdisjoint(swapped - pairs_a)


def _neighbours(words: tuple[str, ...]) -> set[tuple[str, str, str]]:
    """Return (before, word, after) for every word of direction; `from` is read as `to`."""
    kept = [word for word in words if word not in _SILENT]
    found = set()
    for place in range(1, len(kept) - 1):
        word = kept[place]
        if word in _DIRECTIONS:
            before, after = singular(kept[place - 1]), singular(kept[place + 1])
            if before != after:
                found.add((before, word, after))
    return found

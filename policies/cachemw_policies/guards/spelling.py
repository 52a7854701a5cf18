"""Whether two words are one word, up to a slip of the pen or an ending."""

from __future__ import annotations


def alike(one: str, two: str) -> bool:
    """Compare from both ends (own design): time linear in the words, short ones must be equal."""
    if one == two:
        return True
    shorter, longer = sorted((len(one), len(two)))
    if shorter < 4 or longer - shorter > 3:
        return False
    ahead = _common(one, two)
    if ahead >= 4 and ahead * 4 >= 3 * longer:
        return True  # one stem, two endings
    behind = _common(one[ahead:][::-1], two[ahead:][::-1])
    return longer - ahead - behind <= (1 if longer < 8 else 2)


def _common(one: str, two: str) -> int:
    """Return how many letters two words have in common at their start."""
    for place, (left, right) in enumerate(zip(one, two, strict=False)):
        if left != right:
            return place
    return min(len(one), len(two))

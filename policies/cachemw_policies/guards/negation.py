"""Objects where one question denies what the other asks: `can` and `cannot`, `safe` and `unsafe`.

Own design. Only whether a question denies counts, not how often: people double negations loosely.
"""

from __future__ import annotations

from cachemw_policies.guards.base import Question
from cachemw_policies.guards.wordlist import listed

_DENIALS = listed("not never no without neither nor nobody nothing none unable impossible hardly")
# These deny too, in questions such as `how do I avoid ...` for `how do I not ...`; elsewhere they
# are what is asked about. So they answer a denial, but are none on their own.
_NEAR_DENIALS = listed(
    "avoid avoiding stop stopping prevent preventing fail fails failed failing refuse refuses "
    "refused lack lacks lacking less quit rid overcome control missing except instead bad "
    "wrong rather unlike hate dislike hates deny denied refusing prevented prevents avoided "
    "forgot forget forgotten lost little broken poor"
)
# `no` in a figure of speech, and `not` that denies nothing.
_BEFORE = {"not": frozenset(("why", "or", "if", "whether")), "no": frozenset(("or", "there"))}
_AFTER = {
    "not": frozenset(("only", "just", "sure")),
    "no": frozenset(("matter", "doubt", "one", "1", "idea")),
}
_NUMBERED = listed("train phone mobile roll account bus seat flight rational contact")
_PRONOUNS = listed("it i you he she we they there")
_PREFIXES = ("un", "non", "dis", "in", "im", "ir", "il", "mis")
_NOT_NEGATED = listed("come form port side vest tend crease")


def differ(a: Question, b: Question) -> bool:
    """Say whether one of the two denies and the other does not."""
    if _prefixed(a.vocabulary, b.vocabulary) or _prefixed(b.vocabulary, a.vocabulary):
        return True
    denied_a, denied_b = _denies(a), _denies(b)
    if denied_a == denied_b:
        return False
    other = b if denied_a else a
    return _NEAR_DENIALS.isdisjoint(other.vocabulary) and not _negative_word(other)


def _denies(question: Question) -> bool:
    if _DENIALS.isdisjoint(question.vocabulary):
        return False
    words = question.words
    for place, word in enumerate(words):
        if word not in _DENIALS:
            continue
        before = words[place - 1] if place else ""
        after = words[place + 1] if place + 1 < len(words) else ""
        if before in _BEFORE.get(word, ()) or after in _AFTER.get(word, ()):
            continue
        if word == "no" and (after[:1].isdigit() or before in _NUMBERED):
            continue
        if word == "not" and (place == 1 or _tag(words, place)):
            continue  # asks for a yes, denies nothing
        return True
    return False


def _tag(words: tuple[str, ...], place: int) -> bool:
    """Say whether a question ends here: `..., isn't it`, `... or is it not`."""
    rest = words[place + 1 :][:2]
    return not rest or (len(rest) == 1 and rest[0] in _PRONOUNS)


def _negative_word(question: Question) -> bool:
    return any(word.startswith("un") and len(word) > 5 for word in question.vocabulary)


def _prefixed(vocabulary: frozenset[str], other: frozenset[str]) -> bool:
    """Say whether `vocabulary` has a word of `other` with a negative prefix."""
    for word in vocabulary - other:
        if word.startswith(_PREFIXES):
            for prefix in _PREFIXES:
                rest = word.removeprefix(prefix)
                if rest in other and rest not in vocabulary and len(rest) > 2:
                    return rest not in _NOT_NEGATED
    return False

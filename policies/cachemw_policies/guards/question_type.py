"""Objects where the questions ask for different kinds of things: a time and a place.

Own design. Only kinds that exclude one another count: `how do I` and `what is the best way to` ask
the same, `when` and `where` never do.
"""

from __future__ import annotations

from cachemw_policies.guards.base import Question
from cachemw_policies.guards.wordlist import listed

_QUESTION_WORDS = {
    "why": "reason",
    "when": "time",
    "where": "place",
    "who": "person",
    "whom": "person",
    "whose": "person",
    "what": "thing",
    "which": "thing",
    "how": "manner",
}
_AFTER_HOW = {
    "many": "amount",
    "much": "amount",
    "long": "duration",
    "old": "age",
    "often": "frequency",
    "frequently": "frequency",
    "far": "distance",
    "tall": "height",
    "high": "height",
    "come": "reason",
}
# `How safe is`, `how about`: neither a manner nor an amount.
_VERBS_AFTER_HOW = listed(
    "do does did can could should would will is are was were to i we you has have had may might "
    "many much"
)
_NOUNS = {
    "reason": "reason",
    "reasons": "reason",
    "time": "time",
    "date": "time",
    "place": "place",
    "places": "place",
    "way": "manner",
    "ways": "manner",
}
# What a question word's kind may never be mistaken for.
_EXCLUSIVE = listed("time place person reason amount duration age frequency distance height")
_AGREEING = frozenset(
    frozenset(pair.split("/")) for pair in ("duration/time", "amount/time", "place/person")
)
# A manner excludes less: people ask `how did` for `why did`.
_NO_MANNER = frozenset(("time", "person", "reason", "amount", "age", "height"))
_EARLY = 3  # words before a question word that opens the question: `so, in which`


def differ(a: Question, b: Question) -> bool:
    """Say whether the kinds of both are known, exclude one another, and neither asks for both."""
    kind_a = _kind(a.words)
    kind_b = _kind(b.words)
    if kind_a == kind_b or not kind_a or not kind_b:
        return False
    if not _exclude(kind_a, kind_b):
        return False
    return not (_also(a, kind_b) or _also(b, kind_a))


def _exclude(one: str, two: str) -> bool:
    if "manner" in {one, two}:
        return not _NO_MANNER.isdisjoint((one, two))
    return {one, two} <= _EXCLUSIVE and frozenset((one, two)) not in _AGREEING


def _kind(words: tuple[str, ...]) -> str:
    """Return what a question asks for, by its first question word; "" where that is not clear."""
    for place, word in enumerate(words[:_EARLY]):
        kind = _QUESTION_WORDS.get(word)
        if kind is None:
            continue
        following = words[place + 1 : place + 5]
        if kind == "manner" and following:
            if following[0] in _AFTER_HOW:
                return _AFTER_HOW[following[0]]
            return kind if following[0] in _VERBS_AFTER_HOW else ""
        if kind == "thing":
            return next((_NOUNS[noun] for noun in following if noun in _NOUNS), kind)
        return kind
    return ""


def _also(question: Question, kind: str) -> bool:
    """Say whether a question's words ask for a kind too, wherever they stand."""
    return any(
        _QUESTION_WORDS.get(word) == kind
        or (_AFTER_HOW.get(word) == kind and "how" in question.vocabulary)
        for word in question.vocabulary
    )

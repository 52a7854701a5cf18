"""Objects where the questions ask for different kinds of things: a time and a place.

Own design. Only kinds that exclude one another count: `how do I` and `what is the best way to` ask
the same, `when` and `where` never do.
"""

from __future__ import annotations

from cachemw_policies.guards.base import Question

_HOW = {
    "many": "amount",
    "much": "amount",
    "long": "duration",
    "old": "age",
    "often": "frequency",
    "far": "distance",
    "tall": "height",
    "come": "reason",
}
_NOUNS = {
    "reason": "reason",
    "reasons": "reason",
    "time": "time",
    "year": "time",
    "date": "time",
    "place": "place",
    "places": "place",
    "country": "place",
    "city": "place",
    "person": "person",
    "way": "manner",
    "ways": "manner",
}
_PLAIN = {
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
_INCOMPATIBLE = frozenset(
    frozenset(pair.split("/"))
    for pair in (
        "time/place time/person time/reason time/manner time/amount place/person place/reason "
        "place/amount person/reason person/manner person/amount reason/manner reason/amount "
        "reason/duration reason/age reason/frequency reason/distance reason/height "
        "amount/duration amount/age amount/frequency amount/distance amount/height "
        "person/duration person/age person/frequency person/distance person/height "
        "place/duration place/age place/frequency place/height "
        "duration/age duration/frequency duration/distance duration/height age/height"
    ).split()
)


def differ(a: Question, b: Question) -> bool:
    """Say whether the kinds of both are known and exclude one another."""
    kind_a, kind_b = _kind(a.words), _kind(b.words)
    return kind_a != kind_b and frozenset((kind_a, kind_b)) in _INCOMPATIBLE


def _kind(words: tuple[str, ...]) -> str:
    """Return what a question asks for, by its first question word; "" where that is not clear."""
    for place, word in enumerate(words[:12]):
        kind = _PLAIN.get(word)
        if kind is None:
            continue
        if place and word in {"when", "where", "who", "which"} and words[0] not in _PLAIN:
            return ""  # `can I ... when ...`: a clause, not the question
        following = words[place + 1 : place + 5]
        if kind == "manner" and following:
            return _HOW.get(following[0], kind)
        if kind == "thing":
            return next((_NOUNS[noun] for noun in following if noun in _NOUNS), kind)
        return kind
    return ""

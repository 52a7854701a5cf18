"""Objects where the questions demand different answers to the same: shorter, simpler, in French.

Own design.
"""

from __future__ import annotations

import re

from cachemw_policies.guards.base import Question

_DEMANDS = {
    "brief": r"in (?:a|one|two|three|few|\d+) (?:sentence|word|line|paragraph|bullet)s?|briefly|"
    r"in short|in brief|summari[sz]e|tl ?dr|concisely",
    "long": r"in detail|in depth|detailed|comprehensive(?:ly)?|thorough(?:ly)?|essay",
    "simple": r"to a (?:child|kid|beginner|\d+ year old|five year old|toddler)|for (?:kids|"
    r"children|beginners|dummies)|in simple (?:terms|words)|in layman(?:s)? terms|eli5|"
    r"like i am (?:5|five)|like i m (?:5|five)",
    "steps": r"step by step",
    "form": r"as (?:a |an )?(?:json|table|list|bullets?|bullet points|poem|haiku|song|yaml|xml|csv|"
    r"markdown)|in (?:json|yaml|xml|csv|markdown|bullet points|rhyme)",
    "language": r"(?:in|to|into) (?:english|french|german|spanish|italian|portuguese|russian|hindi|"
    r"chinese|mandarin|japanese|korean|arabic|latin|dutch|turkish|polish|tamil|telugu)",
    "example": r"with (?:an )?examples?|give (?:me )?(?:an )?examples?",
}
_ANY = re.compile("|".join(rf"(?P<{name}>\b(?:{form})\b)" for name, form in _DEMANDS.items()))
_HINTS = frozenset(
    "in to into as for with briefly summarize summarise concisely detailed comprehensive "
    "thoroughly thorough essay step tldr give like eli5 comprehensively".split()
)


def differ(a: Question, b: Question) -> bool:
    """Say whether one demands what the other does not."""
    if a.vocabulary.isdisjoint(_HINTS) and b.vocabulary.isdisjoint(_HINTS):
        return False
    return _demands(a) != _demands(b)


def _demands(question: Question) -> set[str]:
    if question.vocabulary.isdisjoint(_HINTS):
        return set()
    found = set()
    for match in _ANY.finditer(" ".join(question.words)):
        name = match.lastgroup or ""
        found.add(match.group() if name in {"form", "language"} else name)
    return found

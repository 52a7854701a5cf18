"""Objects where the questions demand different answers to the same: shorter, simpler, in French.

Own design.
"""

from __future__ import annotations

import re

from cachemw_policies.guards.base import Question
from cachemw_policies.guards.wordlist import in_order, listed

_LANGUAGES = in_order(
    "english french german spanish italian portuguese russian hindi chinese mandarin japanese "
    "korean arabic latin dutch turkish polish tamil telugu"
)
_DEMANDS = {
    "brief": r"in (?:a|one|two|three|few|a few|fewer than|less than|under|\d+) "
    r"(?:\d+ )?(?:sentence|word|line|paragraph|bullet)s?|briefly|in brief|"
    r"summari[sz]e|tl dr|tldr|concisely",
    "simple": r"to a (?:child|kid|toddler|(?:\d+|five|six|ten) year old)|for (?:kids|children|"
    r"dummies)|in simple (?:terms|words)|in layman terms|eli5|"
    r"like i am (?:5|five|a child)",
    "form": r"as (?:a |an )?(?:json|table|list|bullets?|bullet points|poem|haiku|song|yaml|xml|csv|"
    r"markdown)|in (?:json|yaml|xml|csv|markdown|bullet points|rhyme)",
    "language": rf"(?:in|to|into) (?:{'|'.join(_LANGUAGES)})",
}
_ANY = re.compile("|".join(rf"(?P<{name}>\b(?:{form})\b)" for name, form in _DEMANDS.items()))
_HINTS = frozenset(_LANGUAGES) | listed(
    "sentence sentences word words line lines paragraph paragraphs bullet bullets briefly brief "
    "summarize summarise tl tldr concisely child kid toddler kids children dummies simple layman "
    "eli5 i json table list poem haiku song yaml xml csv markdown rhyme old five 5"
)
# A language is a demand only where something is to be written: `improve in English` is none.
_WRITING = listed(
    "translate translated translation say write answer explain reply respond summarize summarise "
    "describe tell convert"
)


def differ(a: Question, b: Question) -> bool:
    """Say whether one demands what the other does not."""
    if a.vocabulary.isdisjoint(_HINTS) and b.vocabulary.isdisjoint(_HINTS):
        return False
    differing = _demands(a) ^ _demands(b)
    if all(name == "language" for name, _ in differing):
        return bool(differing) and not _WRITING.isdisjoint(a.vocabulary | b.vocabulary)
    return True


def _demands(question: Question) -> set[tuple[str, str]]:
    """Return the kinds of demands, with their words where those matter."""
    found = set()
    for match in _ANY.finditer(" ".join(question.words)):
        name = match.lastgroup or ""
        words = match.group().split()
        found.add((name, words[-1] if name in {"form", "language"} else ""))
    return found

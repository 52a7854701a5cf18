"""Reads a question into words, once for all guards.

Own design. One pass of one regular expression whose alternatives never overlap: linear time.
"""

from __future__ import annotations

import re

from cachemw_policies.guards.base import Question
from cachemw_policies.guards.wordlist import in_order, listed

_WORD = re.compile(
    # A minus stands at the start of a number; elsewhere a hyphen only separates.
    r"(?:(?<![^\s(])-(?=\d))?"
    # Letters and digits; `.,:/` between digits and an apostrophe before a letter hold together.
    r"[^\W_]+(?:(?:(?<=\d)[.,:/](?=\d)|'(?=[^\W\d_]))[^\W_]+)*"
    r"(?:\+\+|#)?"
    # Between two numbers it may be a minus too.
    r"|(?<=\d )-(?= \d)"
    r"|[$€£¥₹%°+*^=<>≤≥×÷√]"
)
_UNITED_STATES = re.compile(r"\bu\.s(?:\.a)?\b|\bunited\s+states(?:\s+of\s+america)?\b")
_UNITED_KINGDOM = re.compile(r"\bu\.k\b|\bunited\s+kingdom\b")
_WORLD_WAR = re.compile(r"\bworld\s+war\s+(?:(i|1|one)|(ii|2|two)|(iii|3|three))\b")
_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "´": "'"})
_NOT = ("n't", "nt")
_AUXILIARIES = in_order(
    "do does did is are was were has have had could would should must need might dare"
)
_CONTRACTED = {
    **{f"{auxiliary}{end}": (auxiliary, "not") for auxiliary in _AUXILIARIES for end in _NOT},
    "can't": ("can", "not"),
    "cannot": ("can", "not"),
    "cant": ("can", "not"),
    "won't": ("will", "not"),
    "wont": ("will", "not"),
    "shan't": ("shall", "not"),
    "ain't": ("is", "not"),
    "aint": ("is", "not"),
    "i'm": ("i", "am"),
    "im": ("i", "am"),
    "let's": ("let",),
    "wwi": ("ww1",),
    "wwii": ("ww2",),
    "wwiii": ("ww3",),
    "whats": ("what", "is"),
    "hows": ("how", "is"),
    "wheres": ("where", "is"),
    "whos": ("who", "is"),
}
_IS_AFTER = listed("what who where when why how that there here it he she which this everything")
_ENDINGS = {"re": "are", "ve": "have", "ll": "will", "d": "would", "m": "am"}


def read(text: str) -> Question:
    """Return the question with its words; any text will do, also an empty one."""
    plain = " ".join(text.split())
    if not plain.isascii():
        plain = plain.translate(_PLAIN)
    folded = plain.casefold()
    if "u.s" in folded or "united" in folded or "u.k" in folded:
        folded = _UNITED_KINGDOM.sub("uk", _UNITED_STATES.sub("usa", folded))
    if "world" in folded:
        folded = _WORLD_WAR.sub(_war, folded)
    words = _WORD.findall(folded)
    for place, word in enumerate(words):
        if word in _CONTRACTED or "'" in word:
            # From here on one by one; most questions have no such word.
            written_out = words[:place]
            for rest in words[place:]:
                written_out.extend(_written_out(rest))
            words = written_out
            break
    return Question(plain, tuple(words), frozenset(words))


def _war(match: re.Match[str]) -> str:
    return f"ww{match.lastindex}"


def _written_out(word: str) -> tuple[str, ...]:
    """Write a contraction out."""
    known = _CONTRACTED.get(word)
    if known is not None:
        return known
    head, apostrophe, ending = word.rpartition("'")
    if not apostrophe:
        return (word,)
    if ending == "s":
        return _without_s(head)
    if ending == "t" and head.endswith("n"):
        return (head[:-1], "not")
    if ending in _ENDINGS:
        return (head, _ENDINGS[ending])
    return tuple(part for part in word.split("'") if part)


def _without_s(head: str) -> tuple[str, ...]:
    """Read what stands before `'s`."""
    if head[-1].isdigit():
        return (f"{head}s",)  # `the 60's`
    return (head, "is") if head in _IS_AFTER else (head,)

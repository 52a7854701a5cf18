"""Objects where both questions quote something, and not the same.

Own design. Code between backticks and text between quotation marks; blanks, letter case and marks
within do not count.
"""

from __future__ import annotations

import re

from cachemw_policies.guards.base import Question
from cachemw_policies.guards.reading import read

# No kind of quotation holds its own mark, so each is found in one pass.
_QUOTED = re.compile(r'(?<!")"+([^"]+)"|(?<!`)`+([^`]+)`|(?<!\w)\'([^\']+)\'(?!\w)')


def differ(a: Question, b: Question) -> bool:
    """Say whether each of the two quotes what the other neither quotes nor says."""
    if not (_marked(a.text) and _marked(b.text)):
        return False
    return _unsaid(a, b) and _unsaid(b, a)


def _marked(text: str) -> bool:
    return '"' in text or "`" in text or "'" in text


def _unsaid(a: Question, b: Question) -> bool:
    """Say whether a quotes words that b does not have."""
    return any(
        not read("".join(found)).vocabulary <= b.vocabulary for found in _QUOTED.findall(a.text)
    )

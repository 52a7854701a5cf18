"""Other names of the same: words that no guard of names may tell apart."""

from __future__ import annotations

from cachemw_policies.guards.exclusive_words import SETS

_MORE = """
pc computer; tv television; uk britain england british english; us usa america american states;
maths math mathematics; cv resume; phd doctorate; bjp janata; nyc york; la angeles; sf francisco;
wifi wireless; mt mount; ai artificial; ml machine; js javascript; db database; os operating;
exam exams examination examinations test; movie film; univ university universities; europe eu
european; congress inc; pm minister; president potus; xmas christmas; isis isil islamic; whatsapp
whatsup; ms microsoft masters; dr doctor; mr mister; st saint; jee iit; ca chartered; bengaluru
bangalore; bombay mumbai; clinton hillary; trump donald; obama barack; sanders bernie; modi
narendra; hp packard; psu sector; ece electronics; cs computer; cse computer; hr human
"""


def _numbered() -> dict[str, frozenset[str]]:
    """Map every word to those that mean the same."""
    groups = [member.split() for lines in SETS.values() for member in lines.split(",")]
    groups += [group.split() for group in _MORE.split(";")]
    table: dict[str, frozenset[str]] = {}
    for group in groups:
        spellings = frozenset((*group, *(f"{word}s" for word in group)))
        for word in spellings:
            table[word] = table.get(word, frozenset()) | spellings
    return table


ALIASES = _numbered()

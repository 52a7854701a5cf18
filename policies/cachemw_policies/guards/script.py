"""Whether a text is English, as far as its letters and its small words tell.

For what was trained on English only. Own design: no model, a few counts.
"""

from __future__ import annotations

from cachemw_policies.guards.reading import read
from cachemw_policies.guards.wordlist import listed

_LATIN_ENDS = "ɏ"  # the last letter of Latin Extended-B
_ENGLISH = listed(
    "the a an of to in is are was be do does did how what why when where who which can i you my "
    "it and or for on with from at by if should would will not have has this that there"
)
_OTHERS = listed(
    "der die das und ist wie was für ein eine nicht ich le la les des et est que pour un une dans "
    "qui je comment quel quelle el los las por una cómo qué es para como cuál il di che sono per "
    "non come o os um uma não é em het een van ik hoe wat en på och är hur vad att jag czy jak w "
    "nie na si se"
)
_FOREIGN_ONLY = _OTHERS - _ENGLISH


def english_enough(text: str) -> bool:
    """Say whether most letters are Latin and the small words are not another language's.

    Short texts of names or code alone pass: nothing speaks against them.
    """
    letters = [sign for sign in text if sign.isalpha()]
    latin = sum(sign <= _LATIN_ENDS for sign in letters)
    if latin * 10 < len(letters) * 9:
        return False
    words = read(text).words
    english = sum(word in _ENGLISH for word in words)
    foreign = sum(word in _FOREIGN_ONLY for word in words)
    return foreign < 2 or foreign <= english

"""What can be read off the text of an answer without a model: its values, code, stance.

Own design. Patterns are English; a text that fits none of them reads as plain prose.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_WORD = re.compile(r"\w+(?:['’.]\w+)*")
_NUMBER = re.compile(r"(?<![\w.])[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\w])")
_FENCE = re.compile(r"```[^\n`]*\n(.*?)(?:```|\Z)", re.DOTALL)
# What a training set's calculator wrote between the numbers.
_CALCULATION = re.compile(r"<<[^<>\n]{0,200}>>")
# Repetitions are bounded, so that no text takes longer than its length explains.
_MARKED = re.compile(
    r"\\boxed\{([^{}\n]{1,200})\}"
    r"|\banswer(?:[ ]is)?[ ]?:?[ *]{1,4}([^\n]{1,80}?)(?=\.\s|\.?\n|\.?\Z)",
    re.IGNORECASE,
)
_MARK = "####"  # of a last line, as GSM8K's solutions have it
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_RESULT = re.compile(
    r"=[ \t]{0,4}[^\d\s=−-]{0,3}[ \t]{0,4}([-−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)(?!\w)"
)
_OPERATION = re.compile(r"\d[^\n]*[-+*/×÷−x]")
_BEFORE = 60  # characters before an equals sign that may hold what is calculated
_WORDS_FOR = {
    "zero": "0",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ten": "10",
    "eleven": "11",
    "twelve": "12",
}
_CLAUSE = 10  # words of a conclusion that is marked; what is longer explains something
_BARE = 4  # words that an answer may have to be nothing but its value: "about 30 of them"
_YES = frozenset({"yes", "yeah", "yep", "true", "correct"})
_NO = frozenset({"no", "nope", "false", "incorrect"})
_REFUSAL = re.compile(
    r"^\W*(?:(?:i'?m|i am) (?:very |so )?sorry|sorry|i apologi[sz]e|unfortunately|as an ai\b)?"
    r"[^.!?\n]{0,80}?\b(?:i|we) (?:can(?:'?t|not)|(?:am|'m|are|'re) (?:not able|unable)|won'?t|"
    r"do(?:n'?t| not) have (?:access|real-time|information|enough|personal))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What an answer comes to: the `value` where it says so, else the `candidates` for it.

    `settled` where another value would be another answer: a number or a letter of a choice has
    one spelling, a name may have several.
    """

    value: str | None
    candidates: frozenset[str]
    settled: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer.

    `plain` is its text in one spelling, `words` are lower-case. `numbers` are those of its prose,
    written one way ("1,200.0" and "1200" are equal), `yes` is a stance at its very beginning.
    `code`: whether there is a block of it.
    """

    plain: str
    words: tuple[str, ...]
    numbers: frozenset[str]
    conclusion: Conclusion | None
    yes: bool | None
    refuses: bool
    code: bool


def read(text: str) -> Reading:
    """Read an answer; linear in its length for all practical texts."""
    plain = _CALCULATION.sub("", unicodedata.normalize("NFKC", text)).replace("’", "'").strip()
    words = tuple(_WORD.findall(plain.lower()))
    blocks = _FENCE.findall(plain)
    prose = _FENCE.sub("\n", plain)
    return Reading(
        plain=" ".join(plain.lower().split()).strip(" .!*\"'"),
        words=words,
        numbers=numbers(prose),
        conclusion=None if blocks else _conclusion(prose, words),
        yes=_stance(words),
        refuses=_REFUSAL.match(plain[:400]) is not None,
        code=bool(blocks),
    )


def numbers(text: str) -> frozenset[str]:
    """Return all numbers in digits, each written one way."""
    return frozenset(_canonical(found) for found in _NUMBER.findall(text))


def _stance(words: tuple[str, ...]) -> bool | None:
    if not words or words[0] not in _YES | _NO:
        return None
    return words[0] in _YES


def _conclusion(text: str, words: tuple[str, ...]) -> Conclusion | None:
    """Find what was marked as the answer, else the result of the last sentence.

    Numbers of a text that neither calculates nor is very short are details and no conclusion.
    """
    clause = _marked(text)
    if clause is not None and len(clause.split()) <= _CLAUSE:
        return _value_in(clause) or _term(clause)
    if len(words) == 1 and not any(map(str.isdigit, words[0])):
        return _term(text)
    sentences = [s for s in _SENTENCE_END.split(text) if s.strip()]
    if not sentences or not (_calculates(text) or len(words) <= _BARE):
        return None
    return _value_in(sentences[-1])


def _marked(text: str) -> str | None:
    last = text.rstrip().rpartition("\n")[2].strip()
    if last.startswith(_MARK):
        return last
    found = _MARKED.findall(text)
    return next(part for part in found[-1] if part) if found else None


def _calculates(text: str) -> bool:
    """Whether an operation on numbers stands before an equals sign and a number."""
    for result in _RESULT.finditer(text):
        before = text[max(0, result.start() - _BEFORE) : result.start()]
        if _OPERATION.search(before.rpartition("\n")[2]):
            return True
    return False


def _value_in(sentence: str) -> Conclusion | None:
    results = _RESULT.findall(sentence)
    found = numbers(sentence)
    if results:
        return Conclusion(_canonical(results[-1]), found)
    if not found:
        named = [_WORDS_FOR[w] for w in _WORD.findall(sentence.lower()) if w in _WORDS_FOR]
        found = frozenset(named)
    if not found:
        return None
    return Conclusion(next(iter(found)) if len(found) == 1 else None, found)


def _term(clause: str) -> Conclusion | None:
    """Return an answer that is no number: the letter of a choice, a name."""
    words = _WORD.findall(clause.lower())
    if not words or len(words) > 4:
        return None
    term = " ".join(words)
    return Conclusion(term, frozenset({term}), settled=len(term) == 1)


def _canonical(number: str) -> str:
    plain = number.replace(",", "").replace("−", "-")
    whole, _, fraction = plain.lstrip("-").partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    value = f"{whole}.{fraction}" if fraction else whole
    return f"-{value}" if plain.startswith("-") and value != "0" else value

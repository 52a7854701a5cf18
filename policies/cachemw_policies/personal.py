"""Whether a question holds personal data or a secret: then a `personalised` category keeps it out.

Own design: patterns with checksums where there are any, and few rules on words. Meant to be right
where it says yes; `how do I reset my password` is anyone's question. Linear in the text: every
pattern starts at a place that cannot be a later one's, or is of bounded length.
"""

from __future__ import annotations

import re

_PHONE = re.compile(
    r"(?<![\w+])\+\d[\d ().-]{6,18}\d(?!\w)"
    r"|(?<![\w.-])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?![\w-])"
    r"|\b(?:phone|mobile|cell|whatsapp|call|text|contact|reach)\b[^\d\n]{0,20}\d{8,12}(?!\w)",
    re.IGNORECASE | re.ASCII,
)
_CARD = re.compile(r"(?<![\w-])[3-6](?:[ -]?\d){12,18}(?![\w-])", re.ASCII)
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z\d]){11,30}", re.ASCII)
_IBAN_LENGTHS = {
    **dict.fromkeys(("NO",), 15),
    **dict.fromkeys(("BE",), 16),
    **dict.fromkeys(("DK", "FI", "NL"), 18),
    **dict.fromkeys(("SI",), 19),
    **dict.fromkeys(("AT", "EE", "LT", "LU"), 20),
    **dict.fromkeys(("CH", "HR", "LI", "LV"), 21),
    **dict.fromkeys(("BG", "DE", "GB", "IE"), 22),
    **dict.fromkeys(("AE", "IL"), 23),
    **dict.fromkeys(("CZ", "ES", "PK", "RO", "SA", "SE", "SK"), 24),
    **dict.fromkeys(("PT",), 25),
    **dict.fromkeys(("IS", "TR"), 26),
    **dict.fromkeys(("FR", "GR", "IT", "MC"), 27),
    **dict.fromkeys(("CY", "HU", "PL"), 28),
}
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])", re.ASCII)
_NAMED = re.compile(
    r"\b(?:order|account|acct|customer|member|membership|policy|booking|invoice|tracking|reference"
    r"|confirmation|passport|licen[cs]e|employee|patient|claim|card|routing|reservation|aadhaar"
    r"|pan)[ ]?(?:(?:number|no|num|id)\b[.:]?(?:[ ]?(?:is|was)\b)?[ ]?[:#]?|[#:])[ ]?#?"
    r"([a-z\d][a-z\d-]{3,30})",
    re.IGNORECASE | re.ASCII,
)
_SECRET = re.compile(
    r"(?<!\w)(?:sk-[\w-]{16}|(?:AKIA|ASIA)[A-Z\d]{16}(?!\w)|gh[pousr]_\w{20}|github_pat_\w{20}"
    r"|glpat-[\w-]{16}|xox[abprs]-[\w-]{10}|AIza[\w-]{30}|eyJ[\w-]{10,4000}\.eyJ)"
    r"|-----BEGIN (?:[A-Z]{2,10} ){0,2}PRIVATE KEY",
    re.ASCII,
)
_BEARER = re.compile(r"\bbearer[ ]([\w.~+/-]{16,4000})", re.IGNORECASE | re.ASCII)
_PASSWORD = re.compile(
    r"\b(?:password|passwd|pwd|passcode|passphrase|pin|api[ _-]?key|secret|token)"
    r"[ ]?(?:is|=|:)[ ]?[\"'`]?([^\s\"'`]{4,100})",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"\bmy (?:full |first |last )?name(?: is|'s) \w"
    r"|\bi(?: am|'m) \d{1,2}(?: years?\b| yrs?\b| ?y/?o\b|,|\.|\s*$| and\b)"
    r"|\bi(?: am|'m) an? \d{1,2}[ -]years?[ -]olds?\b"
    r"|(?<!can )(?<!do )\bi live (?:in|at) (?!an?\b|the\b)\w|\bi was born (?:in|on|at) \w"
    r"|\bi(?: am|'m) (?:diagnosed|pregnant)\b|\bi was diagnosed\b"
    r"|\bmy (?:e-?mail|phone|mobile|home|postal|street|ip|address|birthday|date of birth|dob|ssn"
    r"|social security|passport|account|card|order|phone number)"
    r"(?: address| number| no| id)?(?: is|:) [\w+(]*\d"
    r"|\bmy (?:date of birth|dob|birthday|home address|address) is \w",
    re.IGNORECASE,
)
# Asks about the asker's own affairs; `how do I track my order` does not.
_OWN = re.compile(
    r"\b(?:where|when|why|what|how much|is|are|has|have|did|was|will|show|check|track|tell me"
    r"|cancel|look up|find|give me|update)\b[^.?!]{0,24}"
    r"\bmy (?:(?:last|latest|current|next|recent|checking|savings|bank|account) ){0,2}"
    r"(?:order(?! of\b)|account|balance|package|parcel|delivery|shipment|refund|invoice|bill"
    r"|appointment"
    r"|booking|reservation|subscription|transactions?|payments?|statement|paycheck|prescription"
    r"|claim|(?:test|lab) results)\b",
    re.IGNORECASE,
)
_ANYONE = re.compile(
    r"\b(?:how|where|when|what|can|could|should|may|do|if|way)\b[^.?!]{0,16}"
    r"\b(?:i|to|we|someone|one)\b",
    re.IGNORECASE,
)


def personal(text: str) -> bool:
    """Say whether a text holds data of a person or a secret, or asks about the asker's affairs."""
    plain = text.replace("’", "'")
    return _secret(plain) or _numbered(plain) or _address(plain) or _asker(plain)


def _asker(text: str) -> bool:
    if _ABOUT.search(text) is not None:
        return True
    if "my " not in text.casefold():
        return False
    return _OWN.search(text) is not None and _ANYONE.search(text) is None


def _address(text: str) -> bool:
    """Say whether a text has an e-mail address."""
    if "@" not in text:
        return False
    for chunk in text.split():
        name, at, domain = chunk.strip("<>()[]{}\"'`,;:.?!").rpartition("@")
        if at and name and name[-1].isalnum() and "/" not in name:
            host, dot, top = domain.rpartition(".")
            if dot and host and len(top) >= 2 and top.isalpha():
                return True
    return False


def _numbered(text: str) -> bool:
    if not any(map(str.isdigit, text)):
        return False
    if _SSN.search(text) is not None or any(map(_is_phone, _PHONE.finditer(text))):
        return True
    if any(_digits(found[1]) >= 4 for found in _NAMED.finditer(text)):
        return True
    if any(_luhn(found.group()) for found in _CARD.finditer(text)):
        return True
    return any(_is_iban(found.group()) for found in _IBAN.finditer(text))


def _secret(text: str) -> bool:
    if _SECRET.search(text) is not None:
        return True
    if any(_digits(found[1]) for found in _BEARER.finditer(text)):
        return True
    return any(_looks_secret(found[1]) for found in _PASSWORD.finditer(text))


def _looks_secret(word: str) -> bool:
    """Say whether a word is rather a secret than a part of a sentence."""
    kept = word.rstrip(".,;:?!)")
    if kept.isdigit():
        return 4 <= len(kept) <= 8
    return len(kept) >= 4 and _digits(kept) > 0


def _digits(text: str) -> int:
    return sum(map(str.isdigit, text))


def _is_phone(found: re.Match[str]) -> bool:
    return 8 <= _digits(found.group()) <= 15


def _luhn(text: str) -> bool:
    """Check a card number's last digit (Luhn, ISO/IEC 7812-1)."""
    digits = [int(sign) for sign in reversed(text) if sign.isdigit()]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return len(set(digits)) > 1 and (sum(digits[::2]) + doubled) % 10 == 0


def _is_iban(text: str) -> bool:
    """Check an account number's length and check digits (ISO 13616, ISO/IEC 7064 MOD 97-10)."""
    signs = text.replace(" ", "")
    signs = signs[: _IBAN_LENGTHS.get(signs[:2], 0)]
    if len(signs) != _IBAN_LENGTHS.get(signs[:2], -1):
        return False
    turned = signs[4:] + signs[:4]
    return int("".join(str(int(sign, 36)) for sign in turned)) % 97 == 1

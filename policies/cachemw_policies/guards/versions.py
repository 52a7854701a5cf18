"""Objects where the questions name different versions: `Python 3.10` and `3.1`, `v2` and `v3`.

Own design. Versions are compared as written, since `3.10` is not `3.1`.
"""

from __future__ import annotations

import re

from cachemw_policies.guards.base import Question
from cachemw_policies.guards.wordlist import listed

_PRODUCTS = listed(
    "python java php perl ruby node nodejs angular react django rails laravel spring bootstrap "
    "windows ubuntu debian fedora centos ios android macos osx iphone ipad galaxy nexus pixel gpt "
    "llama claude gemini html css http tls ssl usb bluetooth wifi word excel office photoshop "
    "playstation ps xbox directx opengl cuda tensorflow numpy pandas kubernetes docker mysql "
    "postgres postgresql mongodb redis oracle dotnet net c++ c scala swift kotlin xcode gcc clang "
    "v ver version release build oneplus redmi moto note lumia surface gta fifa chapter season "
    "episode part level grade class step phase type gen generation tier band article section "
    "amendment act"
)
_GLUED = re.compile(r"([^\W\d_]+)(\d+(?:\.\d+)*)([^\W\d_]{0,3})")
_PLAIN = re.compile(r"\d+(?:\.\d+)*[a-z]?", re.ASCII)
_SAME_PRODUCT = {"ver": "v", "version": "v", "release": "v", "nodejs": "node", "postgresql": "pg"}

Versions = dict[str, set[str]]


def differ(a: Question, b: Question) -> bool:
    """Say whether a product has a version in one that it does not have in the other."""
    if a.vocabulary == b.vocabulary:
        return False
    versions_a = _versions(a)
    if not versions_a:
        return False
    versions_b = _versions(b)
    if any(versions_b.get(product, named) != named for product, named in versions_a.items()):
        return True
    return (
        bool(versions_b)
        and not (versions_a.keys() & versions_b.keys())
        and set().union(*versions_a.values()).isdisjoint(set().union(*versions_b.values()))
    )


def _versions(question: Question) -> Versions:
    found: Versions = {}
    words = question.words
    for place, word in enumerate(words):
        if not any(map(str.isdigit, word)):
            continue
        if word[0].isalpha():
            glued = _GLUED.fullmatch(word)
            if glued is not None:
                product, number, tail = glued.groups()
                found.setdefault(_SAME_PRODUCT.get(product, product), set()).add(number + tail)
        elif place and words[place - 1] in _PRODUCTS and _PLAIN.fullmatch(word):
            product = words[place - 1]
            found.setdefault(_SAME_PRODUCT.get(product, product), set()).add(word)
    return found

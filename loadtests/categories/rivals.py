"""What the classifier is compared with: each names the categories of many questions at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from cachemw_policies.category import DEFAULT

from loadtests.questions import Vectors

# What somebody would write who sorts by words; written before any of the data was looked at.
KEYWORDS: Mapping[str, str] = {
    "code": r"code|python|java|javascript|sql|bash|function|script|git|regex|class|compile|file"
    r"|files|directory|directories|folder|program|algorithm",
    "api_docs": r"api|endpoint|sdk|parameter|parameters|documentation|webhook|payload|header",
    "math": r"calculate|solve|equation|integral|derivative|sum|percent|how many|how much"
    r"|probability|prove|polynomial|convert|\d+ *[-+*/x] *\d+|total",
    "translation": r"translate|translation|in (?:french|spanish|german|italian|chinese|japanese)"
    r"|how do (?:you|i) say",
    "conversation": r"hello|hi|hey|thanks|thank you|bye|goodbye|your name|are you|do you",
    "creative": r"poem|story|joke|song|lyrics|write a|slogan|novel",
    "customer_support": r"account|card|order|refund|payment|transfer|balance|bill|pin|charged|fee"
    r"|cancel|subscription|bank|top up|delivery",
    "medical": r"symptom|symptoms|patient|disease|dose|doctor|drug|pain|treatment|vaccine|vaccines"
    r"|blood|infection|diagnosis|health|muscle|nerve",
    "legal": r"law|legal|court|contract|sue|lawyer|visa|defendant|plaintiff|statute|liable|rights",
    "volatile": r"today|tomorrow|now|weather|price|news|traffic|tonight|current|latest|score"
    r"|what time|exchange rate|forecast",
    "factual": r"who|when did|where is|capital|history|why|define|definition|meaning|recipe"
    r"|which of the following|ingredients|century",
}


def nearest_prototype(examples: Vectors, labels: Sequence[str], vectors: Vectors) -> list[str]:
    """Name the category whose examples have the nearest mean, by cosine."""
    names = list(dict.fromkeys(labels))
    of = np.array(labels)
    means = np.stack([examples[of == name].mean(axis=0) for name in names])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    return [names[best] for best in (vectors @ means.T).argmax(axis=1)]


def by_keywords(texts: Sequence[str]) -> list[str]:
    """Name the category with the most keywords in a text, `default` where there are none."""
    patterns = {
        name: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for name, words in KEYWORDS.items()
    }
    return [_most(text, patterns) for text in texts]


def _most(text: str, patterns: Mapping[str, re.Pattern[str]]) -> str:
    counts = {name: len(pattern.findall(text)) for name, pattern in patterns.items()}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else DEFAULT


def majority(labels: Sequence[str]) -> list[str]:
    """Name the most frequent of `labels` for all: what knowing only the mix is worth."""
    return [Counter(labels).most_common(1)[0][0]] * len(labels)

"""Says how well questions are sorted: `python -m loadtests.categories`.

Needs the data beside the project (see loadtests/questions.py); takes about three minutes on an idle
machine. Writes loadtests/reports/categories.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from cachemw_policies.category import PolicySet

from cachemw.categories.classify import CategoryClassifier
from cachemw.categories.example_vectors import ExampleVectors
from cachemw.categories.source import load_policy
from cachemw.config import default_cache_dir
from cachemw.embed.base import Embedder
from cachemw.embed.load import load_embedder
from cachemw.embed.settings import EmbedderSettings
from loadtests.categories.data import Question, halves, questions, rows, shared, vectors_of
from loadtests.categories.effort import effort
from loadtests.categories.fewshot import Labelled, few_shot
from loadtests.categories.rivals import by_keywords, majority, nearest_prototype
from loadtests.categories.shipped import (
    CLASSIFIER,
    Sorted,
    accuracy_table,
    category_table,
    confusion,
)
from loadtests.http.command import write_report
from loadtests.report import machine, render

REPORT = Path(__file__).parents[1] / "reports" / "categories.md"
_ACCURACY = (
    "Right: the category that the label is mapped to. `unsure`: below `min_confidence` or named "
    "`default`, so that its cautious policy holds; counted as wrong. Beside it, on the same "
    "examples: the classifier without a least confidence; the nearest mean, which always names "
    "one too; words chosen by hand (`loadtests/categories/rivals.py`); and the most frequent "
    "category of all questions.\n\n"
    "What falls short: `factual` is all of the world's knowledge, and a few dozen examples do not "
    "span it; most of what it loses comes under `default`, which costs hits and no errors. Where "
    "the nearest mean is better (GSM8K, BANKING77) the class is narrow and its mean says all."
)
_FIRST = "The same where it could be looked at; no figure to rely on."
_HISTORY = (
    "They were revised twice after a look at the errors in the first half (58 more: questions with "
    "options, knowledge of more subjects, household, orders to a device). Before that the second "
    "half stood at 71.8 % CLINC150, 91.6 % BANKING77, 95.2 % NL2Bash, 97.5 % GSM8K, 50.5 % MMLU. "
    "No example was changed after the second half was seen; only the `delta` of `default` was, to "
    "the strictest of all, because unsure medical and legal questions come there."
)


def run(options: argparse.Namespace) -> str:
    """Measure everything and return the report."""
    embedder = load_embedder(EmbedderSettings(), options.cache_dir or default_cache_dir(os.environ))
    policies = load_policy(options.policies)
    here, there = halves(questions(options.most))
    first, second = (_sorted(half, policies, embedder, options.keep) for half in (here, there))
    vectors = vectors_of(embedder, [question.text for question in there], options.keep)
    sections = [
        accuracy_table(second, "The shipped taxonomy, second half", _ACCURACY),
        category_table(second, policies),
        confusion(second, policies),
        accuracy_table(first, "The shipped taxonomy, first half", _FIRST),
        few_shot(_sets(embedder, options.keep), policies.min_confidence),
        effort(embedder, policies, vectors),
    ]
    return render(
        "Categories of questions", _conditions(embedder, here + there, options.most), sections
    )


def _sorted(
    asked: Sequence[Question], policies: PolicySet, embedder: Embedder, keep: Path | None
) -> Sorted:
    vectors = vectors_of(embedder, [question.text for question in asked], keep)
    known = ExampleVectors(embedder.embed, embedder.fingerprint)
    classifier = CategoryClassifier.trained(policies, known)
    always = CategoryClassifier.trained(replace(policies, min_confidence=0.0), known)
    labels = [name for name, policy in policies.categories.items() for _ in policy.examples]
    texts = [text for policy in policies.categories.values() for text in policy.examples]
    return Sorted(
        asked,
        {
            CLASSIFIER: [classifier.name_of(vector).name for vector in vectors],
            "always naming": [always.name_of(vector).name for vector in vectors],
            "nearest prototype": nearest_prototype(known.of(texts), labels, vectors),
            "keywords": by_keywords([question.text for question in asked]),
            "majority": majority([question.category for question in asked]),
        },
    )


def _sets(embedder: Embedder, keep: Path | None) -> list[Labelled]:
    clinc, banking = (list(rows(f"semantic/{name}-train")) for name in ("clinc150", "banking77"))
    of_clinc, of_banking = (
        vectors_of(embedder, [row["text"] for row in data], keep) for data in (clinc, banking)
    )
    return [
        Labelled("CLINC150, domains", of_clinc, [row["domain"] for row in clinc]),
        Labelled("CLINC150, intents", of_clinc, [row["intent"] for row in clinc]),
        Labelled("BANKING77, intents", of_banking, [row["intent"] for row in banking]),
    ]


def _conditions(embedder: Embedder, asked: Sequence[Question], most: int) -> str:
    sources = Counter(question.source for question in asked)
    counts = ", ".join(f"{source} {count}" for source, count in sources.items())
    name = f"{embedder.name} ({embedder.fingerprint}, {embedder.runtime})"
    return (
        f"{date.today().isoformat()}, {machine(('cachemw', 'numpy', 'openvino'))}. "  # noqa: DTZ011
        f"Command: `python -m loadtests.categories`. Embedder: {name}. Intervals: 95 %, Wilson."
        "\n\n"
        "**Data**: CLINC150 and BANKING77 (their training files), NL2Bash, GSM8K and MMLU's test "
        f"questions with their options; up to {most} distinct texts of each, the first by hash "
        f"({counts}). Their labels are mapped to the shipped categories in "
        "`loadtests/categories/mapping.py`, which also lists what is left out because several "
        "categories could claim it. No public data here covers `api_docs`; `creative` and "
        "`translation` are one intent of CLINC150 each.\n\n"
        "**What was seen before**: the taxonomy's examples were written for it, none is from these "
        f"data sets; names of data sets, intents and subjects were known. {_HISTORY}"
    )


def main() -> int:
    """Measure, print the report and write it."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.categories", description=__doc__)
    parser.add_argument("--policies", type=Path, help="another policy file than the shipped one")
    parser.add_argument("--most", type=int, default=3000, help="questions of each source")
    parser.add_argument("--keep", type=Path, help="a folder that keeps vectors for the next run")
    parser.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    parser.add_argument("--cache-dir", type=Path, help="of prepared models")
    options = parser.parse_args()
    if not shared().exists():
        print(f"{shared()} is not there; CACHEMW_SHARED_DATA names it.", file=sys.stderr)
        return 1
    return write_report(run, options)


if __name__ == "__main__":
    sys.exit(main())

"""The category of a question, from the vector that the search for it needs anyway.

Training is blocking: it embeds the examples (about 2.5 ms of CPU each, unless their vectors are
known) and fits the classifier (0.1 s for the 481 shipped ones, 2 s for 150 categories of eight).
Callers on an event loop do it in a thread. An embedder is called from one thread at a time: beside
a running batcher, hand in an `embed` that goes through it.
"""

from __future__ import annotations

import numpy as np
from cachemw_policies.category import DEFAULT, PolicySet
from cachemw_policies.classifier import Classified, Classifier, train
from numpy.typing import NDArray

from cachemw.categories.example_vectors import ExampleVectors


class CategoryClassifier:
    """Names categories by one policy set. Immutable; may be called from any thread."""

    def __init__(self, classifier: Classifier, min_confidence: float) -> None:
        """Name what `classifier` is at least `min_confidence` sure of, `default` otherwise."""
        self._classifier = classifier
        self._min_confidence = min_confidence

    @classmethod
    def trained(cls, policies: PolicySet, vectors: ExampleVectors) -> CategoryClassifier:
        """Train on the examples of `policies`. Blocking; raises what the embedder raises."""
        examples = [
            (text, name) for name, policy in policies.categories.items() for text in policy.examples
        ]
        known = vectors.of([text for text, _ in examples])
        return cls(train(known, [name for _, name in examples]), policies.min_confidence)

    def name_of(self, vector: NDArray[np.float32]) -> Classified:
        """Return the category of an L2-normalised vector, shape [dimension], and its confidence.

        The confidence is that of the most probable category, also where it was too low for it. Some
        microseconds; no I/O.
        """
        found = self._classifier.classify(vector)
        # A vector that is not a number has a confidence that is none.
        if found.confidence >= self._min_confidence:
            return found
        return Classified(DEFAULT, found.confidence)

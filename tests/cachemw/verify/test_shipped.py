from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachemw.embed.settings import Precision, RuntimeChoice
from cachemw.errors import ConfigError
from cachemw.verify.base import QuestionPair
from cachemw.verify.cross_encoder import CrossEncoder, Logits, TextPair
from cachemw.verify.files import VerifierFiles, find_verifier
from cachemw.verify.load import load_encoder
from cachemw.verify.probes import EXACT, REDUCED
from cachemw.verify.settings import VerifierSettings
from cachemw.verify.shipped import ALONE, FULL, ShippedVerifier, variant

REFERENCE = """
import json, sys
from cachemw.verify.base import QuestionPair
from cachemw.verify.cross_encoder import CrossEncoder, PairTokens, probabilities
from cachemw.verify.files import find_verifier
from cachemw.verify.shipped import ShippedVerifier
from cachemw.verify.torch_model import TorchSession, load_module
files = find_verifier()
encoder = CrossEncoder(PairTokens(files.tokenizer), TorchSession(load_module(files)))
pairs = [QuestionPair(*fields) for fields in json.load(sys.stdin)]
alone = [probabilities(encoder.logits([(pair.stored, pair.asked)])).item() for pair in pairs]
print(json.dumps([alone, ShippedVerifier(files, encoder, "full").score(pairs).tolist()]))
"""

Expected = tuple[list[float], list[float]]


class FixedEncoder(CrossEncoder):
    """Says the same of every pair."""

    def __init__(self, logit: float = 0.0) -> None:
        self.logit = logit
        self.closed = False

    def logits(self, pairs: Sequence[TextPair]) -> Logits:
        return np.full(len(pairs), self.logit, dtype=np.float32)

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="module")
def expected(python: Callable[..., str], pairs: list[QuestionPair]) -> Expected:
    """Return what torch makes of `pairs`: the encoder's probabilities, and the scores."""
    fields = [(pair.stored, pair.asked, pair.similarity) for pair in pairs]
    alone, scores = json.loads(python(REFERENCE, stdin=json.dumps(fields)).splitlines()[-1])
    return alone, scores


@pytest.fixture(scope="module")
def verifier(embedder_cache: Path) -> Iterator[ShippedVerifier]:
    pytest.importorskip("openvino")
    files = find_verifier()
    # A named runtime: torch as the last resort, in the test process, would break other tests.
    encoder, _ = load_encoder(files, VerifierSettings(runtime="openvino"), embedder_cache)
    verifier = ShippedVerifier(files, encoder, FULL)
    yield verifier
    verifier.close()


@pytest.mark.parametrize(
    ("runtime", "precision", "bound"),
    [("openvino", "f32", EXACT), ("openvino", "bf16", REDUCED), ("onnxruntime", "f32", EXACT)],
)
def test_a_graph_equals_the_reference_on_real_questions(
    runtime: RuntimeChoice,
    precision: Precision,
    bound: float,
    embedder_cache: Path,
    pairs: list[QuestionPair],
    expected: Expected,
) -> None:
    settings = VerifierSettings(runtime=runtime, precision=precision)
    files = find_verifier()
    try:
        encoder, _ = load_encoder(files, settings, embedder_cache)
    except ConfigError as error:
        if "not installed" in str(error) or "not in this CPU" in str(error):
            pytest.skip(str(error))
        raise
    logits = encoder.logits([(pair.stored, pair.asked) for pair in pairs])
    assert 1 / (1 + np.exp(-logits)) == pytest.approx(expected[0], abs=bound)
    verifier = ShippedVerifier(files, encoder, FULL)
    # The trees have steps: a logit that is near one moves the score by more than its own share.
    assert verifier.score(pairs) == pytest.approx(expected[1], abs=max(0.02, 4 * bound))
    verifier.close()


def test_the_same_question_in_another_case_scores_high(verifier: ShippedVerifier) -> None:
    texts = ("How do I reset my password?", "What is the capital of France?")
    same = [QuestionPair(text, text.upper(), 1.0) for text in texts]
    assert (verifier.score(same) > 0.9).all()


def test_unrelated_questions_score_low_either_way_round(
    verifier: ShippedVerifier, unrelated: list[QuestionPair]
) -> None:
    assert (verifier.score(unrelated) < 0.05).all()
    turned = [replace(pair, stored=pair.asked, asked=pair.stored) for pair in unrelated]
    assert (verifier.score(turned) < 0.05).all()


def test_no_pairs_give_no_scores(verifier: ShippedVerifier) -> None:
    assert verifier.score([]).shape == (0,)


SHIPPED = find_verifier()
_ENCODERS = {kind: FixedEncoder() for kind in (FULL, ALONE)}
FIXED = {
    kind: (encoder, ShippedVerifier(SHIPPED, encoder, kind)) for kind, encoder in _ENCODERS.items()
}


@given(
    st.lists(st.tuples(st.text(max_size=40), st.text(max_size=40), st.floats(-1, 1)), max_size=6),
    st.floats(-1e4, 1e4, width=32),
    st.sampled_from([FULL, ALONE]),
)
def test_scores_are_probabilities(
    pairs: list[tuple[str, str, float]], logit: float, kind: str
) -> None:
    encoder, verifier = FIXED[kind]
    encoder.logit = logit
    scores = verifier.score([QuestionPair(*fields) for fields in pairs])
    assert scores.shape == (len(pairs),)
    assert ((scores >= 0) & (scores <= 1)).all()


def test_the_cosine_counts_in_full_and_not_alone() -> None:
    near, far = (QuestionPair("Is it so?", "Is it really so?", cosine) for cosine in (0.97, 0.3))
    full = ShippedVerifier(SHIPPED, FixedEncoder(), FULL).score([near, far])
    alone = ShippedVerifier(SHIPPED, FixedEncoder(), ALONE).score([near, far])
    assert full[0] > full[1]
    assert alone[0] == alone[1]


def test_full_is_for_the_embedder_that_it_was_fitted_on() -> None:
    assert variant(SHIPPED, SHIPPED.base.fingerprint) == FULL
    assert variant(SHIPPED, "another") == ALONE


def copied(directory: Path) -> VerifierFiles:
    shutil.copytree(SHIPPED.directory, directory)
    return replace(SHIPPED, directory=directory)


def fingerprint(files: VerifierFiles, kind: str = FULL) -> str:
    return ShippedVerifier(files, FixedEncoder(), kind).fingerprint


def test_the_fingerprint_follows_all_that_scores_depend_on(tmp_path: Path) -> None:
    files = copied(tmp_path / "copy")
    assert fingerprint(files) == fingerprint(SHIPPED)
    other_base = replace(files, base=replace(files.base, fingerprint="another"))
    found = {fingerprint(files), fingerprint(files, ALONE), fingerprint(other_base)}
    files.encoder.write_bytes(b"another")
    found.add(fingerprint(files))
    assert len(found) == 4


def test_trees_that_cannot_be_used_are_a_configuration_error(tmp_path: Path) -> None:
    files = copied(tmp_path / "copy")
    files.trees.write_bytes(b"nothing of use")
    with pytest.raises(ConfigError, match=r"semantic\.verifier: .*trees\.safetensors"):
        fingerprint(files)


def test_closing_closes_the_encoder() -> None:
    encoder = FixedEncoder()
    ShippedVerifier(SHIPPED, encoder, FULL).close()
    assert encoder.closed

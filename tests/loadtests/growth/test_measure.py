from __future__ import annotations

from random import Random

import numpy as np
import orjson
import pytest
from cachemw_policies.guards.table import objection, read

from cachemw.metrics import Metrics
from loadtests.growth import measure
from loadtests.growth.corpus import Corpus
from loadtests.growth.measure import Measurement, Subject, mean_ms, require_vectors, stages
from loadtests.growth.prepare import Case
from loadtests.http.servers import Server
from loadtests.http.shots import Incorrect

SUBJECT = Subject(Case("sqlite", "one", 10), Server(1, 1, 0.0))


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Metrics:
    """Real metrics, read as if over HTTP."""
    metrics = Metrics()

    def exposed(_port: int) -> str:
        metrics.fold()
        return metrics.expose()[0].decode()

    monkeypatch.setattr(measure, "_metrics", exposed)
    return metrics


def test_means_of_stages_are_those_between_two_looks(metrics: Metrics) -> None:
    with metrics.stage("search"):
        pass
    before = stages(1)
    with metrics.stage("search"):
        pass
    after = stages(1)
    assert (before["search"][1], after["search"][1]) == (1, 2)
    assert mean_ms(before, after, "search") == pytest.approx(
        1e3 * (after["search"][0] - before["search"][0])
    )
    assert mean_ms(before, after, "embed") == 0


def test_an_index_that_lacks_entries_is_no_subject(metrics: Metrics) -> None:
    metrics.index_vectors.set(9)
    with pytest.raises(Incorrect, match="9 vectors"):
        require_vectors(SUBJECT)
    metrics.index_vectors.set(10)
    require_vectors(SUBJECT)


def test_only_questions_that_the_verifier_reads_are_asked_in_other_words() -> None:
    vectors = np.eye(2, dtype=np.float32)
    texts = ["どうやってパスワードを変更しますか", "How do I change 2 of my passwords?"]
    measurement = Measurement(Corpus(texts, vectors, "f" * 16), Random(1), 1)
    shots = [measurement._semantic(Case("sqlite", "one", 2)) for _ in range(20)]
    asked = [
        orjson.loads(shot.raw.split(b"\r\n\r\n")[1])["messages"][1]["content"] for shot in shots
    ]
    assert len(set(asked)) == 20
    assert all(objection(read(texts[1]), read(text)) is None for text in asked)
    assert all(text.startswith(texts[1]) for text in asked)

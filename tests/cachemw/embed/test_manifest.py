from __future__ import annotations

from pathlib import Path

import pytest

from cachemw.embed.base import RuntimeUnusable
from cachemw.embed.manifest import (
    MANIFEST_FILE,
    REFUSAL_FILE,
    Manifest,
    read_manifest,
    write_manifest,
)

MANIFEST = Manifest(
    dimension=384,
    max_seq_length=256,
    inputs=("input_ids", "attention_mask"),
    prompt="query: ",
    pad_id=1,
    verified={"f32": 0.99999},
    versions={"torch": "2"},
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_manifest(tmp_path, MANIFEST)
    assert read_manifest(tmp_path) == MANIFEST


def test_a_refused_graph_is_unusable_with_its_reason(tmp_path: Path) -> None:
    write_manifest(tmp_path, MANIFEST)
    (tmp_path / REFUSAL_FILE).write_text("it differs")
    with pytest.raises(RuntimeUnusable, match="it differs"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"{}", b'{"inputs": [], "x": 1}'])
def test_a_damaged_directory_is_unusable(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / MANIFEST_FILE).write_bytes(content)
    with pytest.raises(RuntimeUnusable, match="damaged"):
        read_manifest(tmp_path)

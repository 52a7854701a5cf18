from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from cachemw.config import load_config
from loadtests.http.servers import Server
from loadtests.soak.setup import ADMIN_TOKEN, config


def test_it_is_a_configuration(tmp_path: Path) -> None:
    upstream = Server(port=9, pid=1, ready_s=0.0)
    made = config(upstream, {"kind": "memory"}, tmp_path, workers=2, scratch=tmp_path)
    loaded = load_config(made, {})
    assert loaded.server.workers == 2
    assert loaded.admin.token_sha256 == sha256(ADMIN_TOKEN.encode()).hexdigest()
    assert loaded.cache.memory_bytes <= 2**20
    assert loaded.semantic.min_similarity == 0.85

"""The demonstration for real: the lab model in its worker, the proxy, the whole session."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_every_request_is_answered_from_the_layer_it_should_be(embedder_cache: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")}
    finished = subprocess.run(
        [sys.executable, "-m", "cachemw", "demo", "--json"],
        cwd=ROOT,
        env=environment | {"XDG_CACHE_HOME": str(embedder_cache.parent)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    assert [line["layer"] for line in lines] == [line["expected"] for line in lines]
    assert finished.returncode == 0, finished.stderr
    answers = {line["question"]: line["answer"] for line in lines if line["layer"] == "upstream"}
    assert "Madrid" in answers["What is the capital of Spain?"]
    assert "Light" in answers["How do I turn off dark mode?"]

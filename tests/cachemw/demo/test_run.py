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
    for line in lines:
        if line["layer"] == "semantic":
            assert float(line["decision"]["score"]) >= float(line["decision"]["threshold"])
    missed = {line["question"]: line for line in lines if line["layer"] == "upstream"}
    numbers, opposites = missed["What is 2+3?"], missed["How do I turn off dark mode?"]
    assert (numbers["decision"]["guard"], numbers["category"]) == ("numbers", "math")
    assert "5" in numbers["answer"]
    assert opposites["decision"]["guard"] == "antonyms"
    assert "Light" in opposites["answer"]
    unsure = missed["What is the name of France's capital?"]["decision"]
    assert unsure["outcome"] == "below_threshold"

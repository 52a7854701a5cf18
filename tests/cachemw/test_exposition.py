"""Real processes that count in one directory, one after the other and at the same time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.parser import text_string_to_metric_families

from cachemw.exposition import expose, forget_live, joined
from cachemw.figures import RENAMED

# Worker ARGV[1] counts ARGV[2] requests of a second each and says what it sees.
WORKER = """\
import os, pathlib, sys
from cachemw.exposition import count_in_files
number, times = int(sys.argv[1]), int(sys.argv[2])
count_in_files(number)
from cachemw.metrics import Metrics
metrics = Metrics(shared=pathlib.Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
for _ in range(times):
    metrics.answered("chat.completions", "exact", "default", 200, 1.0)
metrics.bytes.labels("memory").set(100 + number)
metrics.store_bytes.set(1000 + number)
metrics.upstream_in_flight.labels("m").inc()
metrics.dependency_up.labels("x").set(number != 0)
metrics.fold()
print(metrics.expose()[0].decode(), flush=True)
sys.stdin.read()
os.kill(os.getpid(), 9)
"""


def start(directory: Path, number: int, times: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(number), str(times)],
        env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(directory)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ended(worker: subprocess.Popen[str]) -> str:
    """Let it kill itself; returns what it has seen."""
    text, _ = worker.communicate("")
    return text


def figures(text: str) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(text)
    return {
        (sample.name, *dict(sorted(sample.labels.items())).values()): sample.value
        for family in families
        for sample in family.samples
    }


def seen(directory: Path) -> dict[tuple[str, ...], float]:
    return figures(expose(CollectorRegistry(), directory, RENAMED).decode())


# Values in the order of their labels' names.
REQUESTS = ("cachemw_requests_total", "default", "chat.completions", "exact", "200")
BUCKET = ("cachemw_request_duration_seconds_bucket", "exact")


def test_workers_add_up_and_one_that_takes_anothers_place_counts_on(tmp_path: Path) -> None:
    first = start(tmp_path, 0, 3)
    assert "cachemw_requests_total" in ended(first)
    forget_live(0, tmp_path)
    second, third = start(tmp_path, 0, 5), start(tmp_path, 1, 7)
    ended(second)
    ended(third)
    found = seen(tmp_path)
    assert found[REQUESTS] == 15
    assert [found[*BUCKET, le] for le in ("0.5", "1.0", "+Inf")] == [0, 15, 15]
    assert found["cachemw_request_duration_seconds_sum", "exact"] == 15
    assert found["cachemw_upstream_in_flight", "m"] == 2
    assert found["cachemw_bytes", "memory"] == 201
    assert found["cachemw_bytes", "store"] in (1000, 1001)
    assert found["cachemw_dependency_up", "x"] == 0
    forget_live(0, tmp_path)
    found = seen(tmp_path)
    assert found["cachemw_upstream_in_flight", "m"] == 1
    assert found["cachemw_dependency_up", "x"] == 1
    assert found[REQUESTS] == 15


def test_any_worker_sees_all(tmp_path: Path) -> None:
    ended(start(tmp_path, 0, 3))
    assert figures(ended(start(tmp_path, 1, 4)))[REQUESTS] == 7


def test_the_files_are_as_many_as_the_workers(tmp_path: Path) -> None:
    ended(start(tmp_path, 0, 1))
    once = {path.name for path in tmp_path.iterdir()}
    ended(start(tmp_path, 0, 1))
    assert {path.name for path in tmp_path.iterdir()} == once


def test_a_renamed_metric_needs_no_other(tmp_path: Path) -> None:
    part = Metric("part", "Of it.", "gauge")
    part.add_sample("part", {"of": "x"}, 1.0)
    [whole] = joined([part], {"part": "whole", "absent": "whole"})
    assert (whole.name, whole.samples[0].name, whole.samples[0].labels) == (
        "whole",
        "whole",
        {"of": "x"},
    )

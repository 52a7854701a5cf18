"""Prometheus' text format, of this process or of all that share a directory.

Several workers count in files that they map from one directory (prometheus_client's multiprocess
mode), and any of them adds all files up. A file is named by the worker's number, not its process
id: a worker that takes the place of a dead one counts on from where that ended, and there are never
more sets of files than workers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, values
from prometheus_client.exposition import generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

# A file that another worker has created this instant is empty, which the reader does not expect.
_TRIES = 5


def count_in_files(number: int) -> None:
    """Make what is counted from here on go to the files of worker `number`.

    The directory is PROMETHEUS_MULTIPROC_DIR. To be called before any metric is made.
    """
    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]


def forget_live(number: int, directory: Path) -> None:
    """Drop what only a living worker says of itself; no process may count under `number` now."""
    mark_process_dead(number, str(directory))  # type: ignore[no-untyped-call]


def expose(
    registry: CollectorRegistry, directory: Path | None, renamed: Mapping[str, str]
) -> bytes:
    """Return the exposition: of `directory`, where there is one, else of `registry`.

    Samples of the metrics named in `renamed` are shown among those of another name.
    """
    if directory is None:
        return _text(registry, renamed)
    collector = MultiProcessCollector(None, str(directory))  # type: ignore[no-untyped-call]
    for _ in range(_TRIES - 1):
        with suppress(struct.error):
            return _text(collector, renamed)
    return _text(collector, renamed)


def _text(source: Collector, renamed: Mapping[str, str]) -> bytes:
    shown = CollectorRegistry(auto_describe=False)
    shown.register(_Collected(lambda: joined(source.collect(), renamed)))
    return generate_latest(shown)


class _Collected(Collector):
    def __init__(self, collect: Callable[[], list[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> list[Metric]:
        return self._collect()


def joined(metrics: Iterable[Metric], renamed: Mapping[str, str]) -> list[Metric]:
    """Return the metrics by name, with the samples of those in `renamed` under the other name."""
    found = {metric.name: metric for metric in metrics}
    for name, other in renamed.items():
        part = found.pop(name, None)
        if part is None:
            continue
        whole = found.setdefault(other, Metric(other, part.documentation, part.type))
        whole.samples.extend(Sample(other, *sample[1:]) for sample in part.samples)
    return [found[name] for name in sorted(found)]

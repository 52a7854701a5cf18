from __future__ import annotations

from pathlib import Path

import pytest

from cachemw.embed.base import RuntimeUnusable
from cachemw.embed.runtimes import GRAPH_RUNTIMES, GraphRuntime, graph_runtime


@pytest.mark.parametrize("runtime", GRAPH_RUNTIMES, ids=lambda runtime: runtime.name)
def test_a_directory_without_graph_is_unusable(runtime: GraphRuntime, tmp_path: Path) -> None:
    pytest.importorskip(runtime.name)
    with pytest.raises(RuntimeUnusable, match="cannot"):
        runtime.open_session(tmp_path, threads=1, precision="f32")


def test_names_are_the_table() -> None:
    assert [graph_runtime(runtime.name) for runtime in GRAPH_RUNTIMES] == list(GRAPH_RUNTIMES)
    with pytest.raises(KeyError):
        graph_runtime("abacus")

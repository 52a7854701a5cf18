"""The table of graph runtimes. Adding one takes a file and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cachemw.embed import onnx_runtime, openvino_runtime
from cachemw.embed.graph_embedder import Session

if TYPE_CHECKING:
    import torch


class OpenSession(Protocol):
    """Loads the graph of a prepared directory; raises RuntimeUnusable."""

    def __call__(self, directory: Path, *, threads: int, precision: str) -> Session:
        """Load it."""
        ...


@dataclass(frozen=True)
class GraphRuntime:
    """How to export a graph for a runtime, and how to serve it.

    distribution:  the package whose version the prepared graph depends on.
    convert:       exports a torch module; runs in the export process only.
    precisions:    what this machine computes in, the exact one first.
    """

    name: str
    distribution: str
    convert: Callable[[torch.nn.Module, dict[str, torch.Tensor], Path], None]
    precisions: Callable[[], tuple[str, ...]]
    open_session: OpenSession


GRAPH_RUNTIMES: tuple[GraphRuntime, ...] = (
    GraphRuntime(
        openvino_runtime.NAME,
        openvino_runtime.DISTRIBUTION,
        openvino_runtime.convert,
        openvino_runtime.precisions,
        openvino_runtime.OpenVinoSession,
    ),
    GraphRuntime(
        onnx_runtime.NAME,
        onnx_runtime.DISTRIBUTION,
        onnx_runtime.convert,
        onnx_runtime.precisions,
        onnx_runtime.OnnxSession,
    ),
)
"""Fastest first, as measured in loadtests/reports/embedder.md. Torch comes after them."""


def graph_runtime(name: str) -> GraphRuntime:
    """Return the runtime called `name`; KeyError if there is none."""
    return {runtime.name: runtime for runtime in GRAPH_RUNTIMES}[name]

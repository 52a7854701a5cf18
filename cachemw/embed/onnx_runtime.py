"""ONNX Runtime: the second choice; slower here, there where OpenVINO is not.

Serving needs `onnxruntime`; preparing also needs `onnx` and `onnxscript`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cachemw.embed.base import RuntimeUnusable

if TYPE_CHECKING:
    import torch

NAME = "onnxruntime"
DISTRIBUTION = "onnxruntime"
GRAPH_FILE = "graph.onnx"


def convert(module: torch.nn.Module, example: dict[str, torch.Tensor], directory: Path) -> None:
    """Export `module` into `directory`. `example` maps input names to [batch, tokens] tensors."""
    import torch  # noqa: PLC0415

    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    torch.onnx.export(
        module,
        tuple(example.values()),
        str(directory / GRAPH_FILE),
        input_names=list(example),
        output_names=["sentence_embedding"],
        dynamic_shapes=tuple(free for _ in example),
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def precisions() -> tuple[str, ...]:
    """Return the precisions this runtime computes in."""
    return ("f32",)


class OnnxSession:
    """An inference session on the CPU."""

    def __init__(self, directory: Path, *, threads: int, precision: str) -> None:
        """Load the graph in `directory`.

        Raises:
            RuntimeUnusable: ONNX Runtime is not installed or cannot read the graph.
        """
        try:
            import onnxruntime  # noqa: PLC0415
        except ImportError as error:
            raise RuntimeUnusable("onnxruntime is not installed") from error
        if precision != "f32":
            raise RuntimeUnusable(f"ONNX Runtime computes in f32 here, not in {precision}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that spin between requests take the event loop's core.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                str(directory / GRAPH_FILE), options, providers=["CPUExecutionProvider"]
            )
        # Its errors share no base below Exception (onnxruntime.capi.onnxruntime_pybind11_state).
        except Exception as error:
            raise RuntimeUnusable(f"ONNX Runtime cannot load {directory}: {error}") from error

    def run(self, inputs: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        """Run the graph."""
        vectors: NDArray[np.float32] = self._session.run(None, dict(inputs))[0]
        return vectors

    def close(self) -> None:
        """Drop the session."""
        del self._session

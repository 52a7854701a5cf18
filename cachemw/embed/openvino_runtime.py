"""OpenVINO: converts the traced torch module directly, needs no ONNX, loads in 0.4 s."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cachemw.embed.base import RuntimeUnusable

if TYPE_CHECKING:
    import torch
    from openvino import Core

NAME = "openvino"
DISTRIBUTION = "openvino"
GRAPH_FILE = "graph.xml"
# Kernels are made for each shape of a batch and kept, 5000 of them by the plugin's own choice: a
# service grew by 0.35 MB for each of its hundreds of shapes. With 100 it stops at 40 MB, and
# batches of many shapes take 8 % more CPU; single texts take no more.
_KEPT_KERNELS = 100


def convert(module: torch.nn.Module, example: dict[str, torch.Tensor], directory: Path) -> None:
    """Export `module` into `directory`. `example` maps input names to [batch, tokens] tensors."""
    import openvino  # noqa: PLC0415

    graph = openvino.convert_model(module, example_input=example)
    graph.reshape({port.any_name: [-1, -1] for port in graph.inputs})
    # Weights rest as fp16 and compute as f32 or bf16: 60 MB less resident, worst cosine 0.999999.
    openvino.save_model(graph, directory / GRAPH_FILE, compress_to_fp16=True)


def precisions() -> tuple[str, ...]:
    """Return the precisions this CPU computes in without emulation, the exact one first."""
    import openvino  # noqa: PLC0415

    return ("f32", "bf16") if _has_bf16(openvino.Core()) else ("f32",)


def _has_bf16(core: Core) -> bool:
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoSession:
    """A compiled graph with one request in flight."""

    def __init__(self, directory: Path, *, threads: int, precision: str) -> None:
        """Compile the graph in `directory`.

        Raises:
            RuntimeUnusable: OpenVINO is not installed or cannot read the graph.
        """
        try:
            import openvino  # noqa: PLC0415
        except ImportError as error:
            raise RuntimeUnusable("openvino is not installed") from error
        core = openvino.Core()
        if precision == "bf16" and not _has_bf16(core):
            raise RuntimeUnusable("this CPU has no bf16")
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            # Named always: left to itself the plugin takes bf16 where the CPU has it.
            "INFERENCE_PRECISION_HINT": precision,
            # Pinned, every worker process on a host would pin itself to the same first core.
            "ENABLE_CPU_PINNING": False,
            "CPU_RUNTIME_CACHE_CAPACITY": _KEPT_KERNELS,
        }
        try:
            self._request = core.compile_model(
                directory / GRAPH_FILE, "CPU", options
            ).create_infer_request()
        except RuntimeError as error:
            raise RuntimeUnusable(f"OpenVINO cannot compile {directory}: {error}") from error

    def run(self, inputs: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        """Run the graph; the output tensor is the request's, so it is copied."""
        self._request.infer(dict(inputs), share_inputs=True)
        vectors: NDArray[np.float32] = self._request.get_output_tensor(0).data.copy()
        return vectors

    def close(self) -> None:
        """Drop the request, and with it the compiled graph."""
        del self._request

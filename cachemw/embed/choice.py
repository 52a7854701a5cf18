"""Which runtime and which precision serve a model: for the embedder and the verifier alike."""

from __future__ import annotations

from collections.abc import Sequence

from cachemw.embed.base import RuntimeUnusable
from cachemw.embed.manifest import Manifest
from cachemw.embed.runtimes import GraphRuntime
from cachemw.embed.settings import Precision, RuntimeChoice
from cachemw.embed.torch_runtime import NAME as TORCH


def candidates(choice: RuntimeChoice, graph_runtimes: Sequence[GraphRuntime]) -> tuple[str, ...]:
    """Return the names of the runtimes to try, in order."""
    if choice != "auto":
        return (choice,)
    return (*(runtime.name for runtime in graph_runtimes), TORCH)


def chosen_precision(wanted: Precision, runtime: GraphRuntime, manifest: Manifest) -> str:
    """Return the reduced precision if the CPU has it and the graph was verified with it.

    Raises:
        RuntimeUnusable: `wanted` names one for which either does not hold.
    """
    usable = [precision for precision in runtime.precisions() if precision in manifest.verified]
    if wanted == "auto":
        return usable[-1]
    if wanted not in usable:
        raise RuntimeUnusable(f"{wanted} was not verified or is not in this CPU")
    return wanted

"""Functions compiled for the CPU by numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
T = TypeVar("T")


def compiled(function: Callable[P, T]) -> Callable[P, T]:
    """Compile `function` when it is first called, and keep the result on disk.

    Without the interpreter's lock, and without bounds checks: the caller proves that every index is
    within its array. Such a function returns a code instead of raising.

    numba keeps its files beside the module or, where that folder is read-only, in the user's cache
    folder (`NUMBA_CACHE_DIR` sets another). Where neither can be written, every process compiles
    anew, in some seconds.
    """
    try:
        made = numba.njit(cache=True, nogil=True, boundscheck=False)(function)
    except RuntimeError:  # no folder to keep it in
        made = numba.njit(nogil=True, boundscheck=False)(function)
    return cast("Callable[P, T]", made)

"""Kernels in machine code, by numba: compiled at their first call and kept on disk.

`kernel` compiles a function over numpy arrays. What was compiled is kept in
`$CURATION_CACHE/kernels` (`~/.cache/curation/kernels`) under a hash of the sources of the rooms
that share kernels: numba itself looks only at the file that a function stands in, and would go on
with the old code of another that is called from there. A process that finds it loads all kernels
in about half a second; the first one compiles for about twenty. Why numba: docs/decisions/0007.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba  # type: ignore[import-untyped]

from curation.model_store import cache_folder

_ROOMS = ("measure", "fasttext")
_Function = TypeVar("_Function", bound=Callable[..., Any])


def kernel(function: _Function) -> _Function:
    """`function`, compiled for the types of its first call. It may call other kernels."""
    return cast(_Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def _sources_hash() -> str:
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((Path(__file__).parents[1] / room).glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


if not numba.config.CACHE_DIR:
    numba.config.CACHE_DIR = str(cache_folder("kernels") / _sources_hash())


@kernel
def is_among(value: Any, values: Any) -> bool:
    """Whether `value` is one of the few `values` of an array: code points, hashes."""
    for one in values:  # noqa: SIM110 - numba compiles no generator
        if one == value:
            return True
    return False

"""Token ids as numpy arrays, and the one checked conversion between their types."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from curation.errors import InputError

TokenArray = npt.NDArray[np.integer[Any]]
"""Token ids, one dimension."""


def as_tokens(values: npt.NDArray[Any], dtype: npt.DTypeLike) -> TokenArray:
    """`values` as little-endian `dtype`, every id unchanged.

    Raises:
        InputError: `values` has more than one dimension, does not hold integers, or holds an id
            outside the range of `dtype`, which numpy would wrap around in silence.
    """
    target = np.dtype(dtype).newbyteorder("<")
    if values.ndim != 1 or values.dtype.kind not in "iu":
        found = f"{values.dtype} of shape {values.shape}"
        raise InputError(f"token ids must be integers in one dimension, found {found}")
    if values.size and not np.can_cast(values.dtype, target):
        _check_range(values, target)
    return values.astype(target, copy=False)


def _check_range(values: TokenArray, dtype: np.dtype[Any]) -> None:
    bounds, least, largest = np.iinfo(dtype), int(values.min()), int(values.max())
    if least < bounds.min or largest > bounds.max:
        raise InputError(
            f"token ids {least} to {largest} do not fit {dtype.name} ({bounds.min} to "
            f"{bounds.max}); take the type from optimal_dtype(vocabulary_size)"
        )

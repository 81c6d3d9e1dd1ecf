"""The precisions in which an engine multiplies matrices: the names that users write, and the dtypes that they suit."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._common.checks import check_choice

# "f32": in the dtype of the model; "bf16": factors rounded to bfloat16, sums in float32, as `bf16.py` defines.
PRECISIONS = ("f32", "bf16")


def check_precision(precision: Any, dtype: Any = np.float32) -> str:
    """Return `precision` if it is a name in `PRECISIONS` that suits a model of this dtype.

    Raises
    ------
    TypeError, ValueError
        It is none of the names, or "bf16" for float64.
    """
    name = check_choice("precision", precision, PRECISIONS)
    if name == "bf16" and np.dtype(dtype) != np.float32:
        raise ValueError(
            f'precision="bf16" needs a model of dtype float32, not {np.dtype(dtype)}: build it with dtype="float32", '
            'or leave precision at "f32", which computes in the dtype of the model'
        )
    return name

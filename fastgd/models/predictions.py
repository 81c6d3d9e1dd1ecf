"""The outputs of a model for rows of the user, as `predict` reads them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._common.checks import check_int
from .._common.typing import Array
from ..backend import usable_threads
from ..data.sources import Source, as_source, blocks_with_rows


def network_outputs(
    model: Any,
    X: Any,
    link: str,
    out: Array | None = None,
    n_threads: int | None = None,
    precision: str = "f32",
) -> Array:
    """Outputs (rows, n_out) of the network for the link of a loss.

    Parameters
    ----------
    model : Sequential
    X, out, n_threads, precision
        As in `Sequential.predict`.
    link : str
        See `Sequential.network_for`.

    Returns
    -------
    ndarray, shape (rows, n_out)
        `out` if it is given.

    Raises
    ------
    TypeError, ValueError
        An argument is invalid.
    FloatingPointError
        An output overflows the model's dtype.
    """
    threads = usable_threads(None if n_threads is None else check_int("n_threads", n_threads))
    network, is_finite = model.network_for(link, precision), None
    fits = out is None or (type(out) is np.ndarray and out.flags.carray)
    if fits and type(X) is np.ndarray and X.ndim == 2 and len(X) and model.inputs.scaling is None:
        Z = np.empty((len(X), model.n_out), model.dtype) if out is None else out
        try:
            is_finite = network.predict(X, Z, threads)
        except (TypeError, ValueError):
            is_finite = None  # the engine cannot use X or out as it is: convert it, or raise the precise error, below
    if is_finite is None:
        if (source := as_source(X)) is not None:
            return _outputs_of_blocks(model, source, link, out, n_threads, precision)
        if out is not None:
            _check_out(model, out)
        X = model.inputs.read(X, model.n_in, model.dtype)
        Z = np.empty((len(X), model.n_out), model.dtype) if out is None else out
        is_finite = network.predict(X.copy() if np.may_share_memory(X, Z) else X, Z, threads)
    if not is_finite:
        raise FloatingPointError(_overflow_message(model, Z))
    return Z


def _outputs_of_blocks(
    model: Any, source: Source, link: str, out: Array | None, n_threads: int | None, precision: str
) -> Array:
    """The outputs for all rows of a source, of which one block is in memory at a time."""
    n = len(source)
    Z = np.empty((n, model.n_out), model.dtype) if out is None else out
    if len(Z) != n:
        raise ValueError(f"out must have {n} rows, those of the source, not {len(Z)}")
    done = 0
    for _, block in blocks_with_rows(source, source.block_rows):
        rows = network_outputs(model, block[0], link, None, n_threads, precision)
        Z[done : done + len(rows)] = rows
        done += len(rows)
    return Z


def _check_out(model: Any, out: Any) -> None:
    if isinstance(out, np.ndarray) and out.flags.carray and not np.may_share_memory(out, model.theta):
        return
    expected = f"out must be an ndarray (rows, {model.n_out}) of {model.dtype}"
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{expected}, not {type(out).__name__}")
    if not out.flags.carray:
        raise ValueError(f"{expected} that is contiguous, aligned and writable: make one by np.empty")
    raise ValueError("out shares memory with theta, which the outputs would overwrite: pass another array")


def _overflow_message(model: Any, Z: Array) -> str:
    row, column = np.argwhere(~np.isfinite(Z))[0]
    return (
        f"output {column} for row {row} of X (counted from 0) is {Z[row, column]}: it overflows {model.dtype}. "
        "Look for large values in this row and in theta; scale the columns of X before training"
    )

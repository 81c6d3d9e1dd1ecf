"""The random orders of rows on the NumPy engine."""

from __future__ import annotations

from .._common import random
from .._common.typing import Ints


def fill_orders(order: Ints, seed: int, first_epoch: int, rows: Ints | None = None, isa: str | None = None) -> None:
    """Fill order (epochs, n) with the order of the rows in each epoch; see `fastgd.engine.contract.FillOrders`."""
    indices = random.permutations(seed, first_epoch, *order.shape)
    order[:] = indices if rows is None else rows[indices]

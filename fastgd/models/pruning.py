"""Weights that are 0 and stay 0."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._common.checks import check_bool, check_scalar, shown
from .._common.patterns import matching
from .._common.typing import Array


class Pruning:
    """The mask of a model, which `Sequential` describes."""

    size: int
    dtype: np.dtype[Any]
    _theta: Array
    _mask: Array | None = None

    def parameters(self) -> dict[str, Array]:
        """Views of theta by name."""
        raise NotImplementedError

    @property
    def mask(self) -> Array | None:
        """0 for the elements of theta that stay 0, 1 for the others: (size,) in the dtype of theta, read-only, or None.

        Assignment takes booleans, or 0 and 1, and sets theta to 0 where they are false; None drops the mask.  Every
        optimizer then keeps these elements at exactly 0.

        Examples
        --------
        >>> import numpy as np
        >>> import fastgd as gd
        >>> model = gd.MLP(8, 16, 3, seed=0)
        >>> model.mask = np.abs(model.theta) > 0.3
        >>> int(np.count_nonzero(model.theta)) == int(model.mask.sum())
        True
        """
        return self._mask

    @mask.setter
    def mask(self, values: Any) -> None:
        if values is None:
            self._mask = None
            return
        given = np.asarray(values)
        if given.shape != (self.size,):
            raise ValueError(f"mask must have the shape of theta, ({self.size},), not {given.shape}")
        if given.dtype.kind not in "biuf" or not np.isin(given, (0, 1)).all():
            raise ValueError(f"mask must hold booleans, or 0 and 1, not {shown(values)}")
        mask = given.astype(self.dtype)
        mask.flags.writeable = False
        self._theta *= mask
        self._mask = mask

    def prune(self, sparsity: float, names: str = "*.weight", by_layer: bool = False) -> None:
        """Set the smallest weights to 0, and keep them there: what is masked already counts among them.

        Parameters
        ----------
        sparsity : float in [0, 1)
            Share of the weights that are 0 afterwards.
        names : str, default="*.weight"
            Shell pattern of the parameters to prune.
        by_layer : bool, default=False
            Whether each parameter gets this share; else all of them together, so that large layers lose more.

        Raises
        ------
        TypeError, ValueError
            An argument is invalid; nothing was changed.

        References
        ----------
        Han, Pool, Tran & Dally, "Learning both weights and connections for efficient neural networks", NeurIPS 2015.
        Zhu & Gupta, "To prune, or not to prune", ICLR workshop 2018: raise the share gradually, and train in between.

        Examples
        --------
        >>> import fastgd as gd
        >>> model = gd.MLP(8, 16, 3, seed=0)
        >>> model.prune(0.75)
        >>> sum(int((model.parameters()[f"{i}.weight"] != 0).sum()) for i in range(2))  # of 8 * 16 + 16 * 3
        44
        """
        share = check_scalar("sparsity", sparsity, "[0, 1)")
        mask = np.ones(self.size, np.bool_) if self._mask is None else self._mask != 0
        places = _places(self.parameters(), names)
        groups = [[place] for place in places] if check_bool("by_layer", by_layer) else [places]
        for group in groups:
            sizes = np.concatenate([np.abs(self._theta[place]) for place in group])
            kept = np.ones(len(sizes), np.bool_)
            kept[np.argsort(sizes, kind="stable")[: round(share * len(sizes))]] = False
            for place, part in zip(
                group, np.split(kept, np.cumsum([len(self._theta[p]) for p in group])[:-1]), strict=True
            ):
                mask[place] &= part
        self.mask = mask


def _places(parameters: dict[str, Array], names: str) -> list[slice]:
    """Where the parameters of a pattern are in theta."""
    chosen, places, start = set(matching(names, parameters)), [], 0
    for name, values in parameters.items():
        if name in chosen:
            places.append(slice(start, start + values.size))
        start += values.size
    return places


def mask_to_config(mask: Array) -> str:
    """The bits of a mask as text."""
    import base64

    return base64.b64encode(np.packbits(mask != 0).tobytes()).decode("ascii")


def mask_from_config(text: str, size: int) -> NDArray[np.bool_]:
    """The mask of `mask_to_config`; ValueError if it is of another size."""
    import base64

    packed = np.frombuffer(base64.b64decode(text), np.uint8)
    if len(packed) != -(-size // 8):
        raise ValueError(f"its mask does not fit {size} parameters")
    return np.unpackbits(packed, count=size).astype(np.bool_)

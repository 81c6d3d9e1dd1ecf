"""Parameters that training does not change."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._common.checks import shown
from .._common.patterns import matching
from .._common.typing import Array


class Freezing:
    """The frozen parameters of a model, which `Sequential` describes.

    Attributes
    ----------
    frozen : tuple of str
        Patterns of the names of parameters that no optimizer changes.
    """

    frozen: tuple[str, ...] = ()

    def parameters(self) -> dict[str, Array]:
        """Views of theta by name."""
        raise NotImplementedError

    def freeze(self, *patterns: str) -> None:
        """Keep parameters as they are in every training, until `unfreeze`: no update, no decay, no constraint.

        Dropout and other noise still act on their layers.

        Parameters
        ----------
        *patterns : str
            Shell patterns of names: "0.*" is the first layer, "*.bias" all biases, "*" everything.

        Raises
        ------
        TypeError, ValueError
            There is no pattern, or one matches no parameter; nothing was changed.

        Notes
        -----
        Frozen parameters are a group of the optimizer with the learning rate 0; its slots are updated all the same.

        Examples
        --------
        >>> import fastgd as gd
        >>> model = gd.MLP(8, 16, 3, seed=0)
        >>> model.freeze("0.*")
        >>> model.frozen
        ('0.*',)
        """
        if not patterns:
            raise ValueError('freeze needs names of parameters or patterns: model.freeze("0.*"), model.freeze("*")')
        names = list(self.parameters())
        for pattern in patterns:
            if not isinstance(pattern, str):
                raise TypeError(f'a pattern must be text such as "0.*", not {shown(pattern)}')
            matching(pattern, names)
        self.frozen = tuple(dict.fromkeys([*self.frozen, *patterns]))

    def unfreeze(self, *patterns: str) -> None:
        """Let training change parameters again: those of these patterns of `frozen`, or without any, all of them.

        ValueError if a pattern is not in `frozen`; nothing was changed.
        """
        for pattern in patterns:
            if pattern not in self.frozen:
                raise ValueError(f"{shown(pattern)} is not among the frozen patterns {list(self.frozen)}")
        self.frozen = tuple(each for each in self.frozen if patterns and each not in patterns)

    def is_frozen(self) -> NDArray[np.bool_]:
        """Which elements of theta are frozen, (size,)."""
        parameters = self.parameters()
        frozen = {name for pattern in self.frozen for name in matching(pattern, parameters)}
        return np.concatenate([np.full(values.size, name in frozen) for name, values in parameters.items()])

"""What the outputs of a network mean: numbers or their logarithms, one class of several, or yes and no.

A trainer gives the model its head (the loss knows the link, the targets know the classes); `predict` and
`predict_proba` read the outputs through it, and a model file keeps it.
"""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from .._common.exact_math import exp_or_inf, sigmoid, softmax
from .._common.typing import Array
from ..losses.link import BINARY_LINKS, MULTICLASS_LINKS, REGRESSION_LINKS

# Labels that JSON keeps as they are.
_SCALARS = (bool, int, float, str)


@dataclass(frozen=True, eq=False)
class OutputSpec:
    """The reading of outputs Z (rows, n_out).

    Attributes
    ----------
    link : {"identity", "log", "softmax", "sigmoid", "sign"}, default="identity"
        "identity": outputs are the predictions.  "log": they are the logarithms of the predictions.  "softmax": a row
        is of one class, the column of its largest output.  "sigmoid": each output is a yes (> 0) or a no, with a
        probability.  "sign": the same without probabilities.
    classes : ndarray (n_classes,) or None, default=None
        The user's label of each class: at most n_out with "softmax"; no and yes with one "sigmoid" and with "sign".
    flat : bool, default=False
        Targets were one-dimensional, so predictions are too.
    """

    link: str = "identity"
    classes: Array | None = None
    flat: bool = False

    def predict(self, Z: Array) -> Array:
        """Labels (rows,) if there are classes, else numbers: (rows,) if `flat`, or (rows, n_out).

        Several outputs that each say yes or no give (rows, n_out), labels or 0 and 1.
        """
        if self.classes is not None:
            return cast(Array, self.classes[self._known(Z).argmax(axis=1) if self.link == "softmax" else self._yes(Z)])
        answers = self._yes(Z).reshape(Z.shape) if self.link in BINARY_LINKS else self.means(Z)
        return answers[:, 0] if self.flat else answers

    def _yes(self, Z: Array) -> Array:
        """0 or 1 of each output, (rows, n_out); (rows,) if there is one."""
        yes = (Z > 0).astype(np.int64)
        return yes[:, 0] if yes.shape[1] == 1 else yes

    def means(self, Z: Array) -> Array:
        """The numbers that outputs stand for, (rows, n_out), where they stand for numbers."""
        return exp_or_inf(Z) if self.link == "log" else Z

    def predict_proba(self, Z: Array) -> Array:
        """Probabilities in the dtype of Z: (rows, n_classes), or (rows, n_out) of yes from several sigmoids."""
        if self.link not in ("softmax", "sigmoid"):
            what = "signs without probabilities" if self.link == "sign" else "plain numbers"
            raise ValueError(
                f"predict_proba needs a classifier, but this model gives {what}; "
                'train it with loss="cross_entropy" or loss="bce", or use predict'
            )
        if self.link == "softmax":
            return softmax(self._known(Z))
        p = sigmoid(Z)
        return np.concatenate([1 - p, p], axis=1) if p.shape[1] == 1 else p

    def _known(self, Z: Array) -> Array:
        """The outputs that stand for a class: there may be more of them than the targets had labels."""
        return Z if self.classes is None else Z[:, : len(self.classes)]

    def to_config(self) -> dict[str, Any]:
        """The head as JSON says it; TypeError for labels that are neither text, numbers nor booleans."""
        classes = None
        if self.classes is not None:
            dtype = "str" if self.classes.dtype.kind == "U" else self.classes.dtype.name
            classes = {"dtype": dtype, "labels": self.classes.tolist()}
            for label in classes["labels"]:
                if not isinstance(label, _SCALARS):
                    raise TypeError(
                        f"only classes that are text, numbers or booleans can be saved, not {label!r} "
                        f"({type(label).__name__}); encode the labels first"
                    )
        return {"link": self.link, "classes": classes, "flat": self.flat}

    @classmethod
    def from_config(cls, words: dict[str, Any], n_out: int) -> "OutputSpec":
        """The head of a network with `n_out` outputs; ValueError for words that cannot be its."""
        link, classes, flat = words["link"], words["classes"], words["flat"]
        if link not in (*REGRESSION_LINKS, *MULTICLASS_LINKS, *BINARY_LINKS) or not isinstance(flat, bool):
            raise ValueError(f"its head has the link {link!r} and flat={flat!r}")
        if classes is None:
            return cls(link, None, flat)
        labels, dtype = classes["labels"], classes["dtype"]
        two = len(labels) == 2
        fits = {"softmax": 0 < len(labels) <= n_out, "sigmoid": two and n_out == 1, "sign": two}
        if not fits.get(link, False) or not all(isinstance(label, _SCALARS) for label in labels):
            raise ValueError(f"its classes {labels} do not fit {n_out} outputs with the link {link!r}")
        if dtype not in ("str", "object") and np.dtype(dtype).kind not in "biuf":
            raise ValueError(f"its classes have the dtype {dtype!r}")
        return cls(link, np.fromiter(labels, object, len(labels)).astype(dtype), flat)

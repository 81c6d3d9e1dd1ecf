"""What the outputs of a network mean: numbers, one class of several, or yes and no.

A trainer gives the model its head (the loss knows the link, the targets know the classes); `predict` and
`predict_proba` read the outputs through it, and a model file keeps it.
"""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ._math import sigmoid, softmax
from .arrays import Array

# Labels that JSON keeps as they are.
_SCALARS = (bool, int, float, str)


@dataclass(frozen=True, eq=False)
class Head:
    """The reading of outputs Z (rows, n_out).

    Attributes
    ----------
    link : {"identity", "softmax", "sigmoid"}, default="identity"
        "identity": outputs are the predictions.  "softmax": a row is of one class, the column of its largest output.
        "sigmoid": each output is a yes (> 0) or a no.
    classes : ndarray (n_classes,) or None, default=None
        The user's label of each class: at most n_out with "softmax", no and yes with a single "sigmoid".
    flat : bool, default=False
        Targets were one-dimensional, so predictions are too.
    """

    link: str = "identity"
    classes: Array | None = None
    flat: bool = False

    def predict(self, Z: Array) -> Array:
        """Labels (rows,) if there are classes, else numbers: (rows,) if `flat`, or (rows, n_out)."""
        if self.classes is not None:
            number = self._known(Z).argmax(axis=1) if self.link == "softmax" else (Z[:, 0] > 0).astype(np.intp)
            return cast(Array, self.classes[number])
        answers = (Z > 0).astype(np.int64) if self.link == "sigmoid" else Z
        return answers[:, 0] if self.flat else answers

    def predict_proba(self, Z: Array) -> Array:
        """Probabilities in the dtype of Z: (rows, n_classes), or (rows, n_out) of yes from several sigmoids."""
        if self.link == "identity":
            raise ValueError(
                "predict_proba needs a classifier, but this model gives plain numbers; "
                'train it with loss="cross_entropy" or loss="bce", or use predict'
            )
        if self.link == "softmax":
            return softmax(self._known(Z))
        p = sigmoid(Z)
        return np.concatenate([1 - p, p], axis=1) if p.shape[1] == 1 else p

    def _known(self, Z: Array) -> Array:
        """The outputs that stand for a class: there may be more of them than the targets had labels."""
        return Z if self.classes is None else Z[:, : len(self.classes)]

    def to_words(self) -> dict[str, Any]:
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
    def from_words(cls, words: dict[str, Any], n_out: int) -> "Head":
        """The head of a network with `n_out` outputs; ValueError for words that cannot be its."""
        link, classes, flat = words["link"], words["classes"], words["flat"]
        if link not in ("identity", "softmax", "sigmoid") or not isinstance(flat, bool):
            raise ValueError(f"its head has the link {link!r} and flat={flat!r}")
        if classes is None:
            return cls(link, None, flat)
        labels, dtype = classes["labels"], classes["dtype"]
        fits = {"identity": False, "softmax": 0 < len(labels) <= n_out, "sigmoid": n_out == 1 and len(labels) == 2}
        if not fits[link] or not all(isinstance(label, _SCALARS) for label in labels):
            raise ValueError(f"its classes {labels} do not fit {n_out} outputs with the link {link!r}")
        if dtype not in ("str", "object") and np.dtype(dtype).kind not in "biuf":
            raise ValueError(f"its classes have the dtype {dtype!r}")
        return cls(link, np.fromiter(labels, object, len(labels)).astype(dtype), flat)

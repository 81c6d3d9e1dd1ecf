"""How the outputs of a network are read: as values or their logarithms, as one of several classes, or as binary labels.

The trainer sets `model.head` to an `OutputSpec` (the loss determines the link, the targets determine the classes);
`predict` and `predict_proba` read the outputs through it, and model files store it.
"""

from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from .._common.exact_math import exp_or_inf, sigmoid, softmax
from .._common.typing import Array
from ..losses.link import BINARY_LINKS, MULTICLASS_LINKS, REGRESSION_LINKS
from .labels import check_labels, classes_from_config, classes_to_config
from .scaling import Scaling


@dataclass(frozen=True, eq=False)
class OutputSpec:
    """The meaning of outputs Z (rows, n_out).

    Attributes
    ----------
    link : {"identity", "log", "softmax", "sigmoid", "sign"}, default="identity"
        "identity": outputs are the predictions.  "log": outputs are the logarithms of the predictions.  "softmax": the
        class of a row is the column of its largest output.  "sigmoid": each output is the log-odds of a binary label,
        positive if > 0.  "sign": binary labels as with "sigmoid", but without probabilities.
    classes : ndarray (n_classes,) or None, default=None
        The user's label of each class: at most n_out with "softmax"; the negative and the positive one with a single
        "sigmoid" and with "sign".
    squeeze : bool, default=False
        Whether targets were one-dimensional, so that predictions are too.
    scaling : Scaling or None, default=None
        Mean and standard deviation of the targets of a regression, if the network predicts standardized ones.
    link_of_labels : str
        The link of the network whose outputs `predict` takes; "identity": they include the last activation.
    predicts_outputs : bool
        Whether `predict` returns the outputs as they are.

    Examples
    --------
    >>> spec = OutputSpec("softmax", classes=np.array(["ham", "spam"]))
    >>> spec.predict(np.array([[0.5, 2.0], [1.0, -1.0]])).tolist()
    ['spam', 'ham']
    """

    link: str = "identity"
    classes: Array | None = None
    squeeze: bool = False
    scaling: Scaling | None = None
    link_of_labels: str = field(init=False, repr=False)
    predicts_outputs: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        has_labels = self.classes is not None or self.link in BINARY_LINKS
        converts = has_labels or self.link == "log" or self.scaling is not None or self.squeeze
        reads_link = self.classes is not None or self.link == "sigmoid"
        object.__setattr__(self, "link_of_labels", self.link if reads_link else "identity")
        object.__setattr__(self, "predicts_outputs", not converts)

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.__post_init__()  # the pickle may be older than these attributes

    def predict(self, Z: Array) -> Array:
        """Convert outputs to predictions.

        Parameters
        ----------
        Z : ndarray, shape (rows, n_out)

        Returns
        -------
        ndarray
            With classes: labels, shape (rows,), or (rows, n_out) for several binary outputs.  Without: values, or 0 and
            1 for binary outputs, shape (rows, n_out), or (rows,) if `squeeze`.
        """
        if self.classes is not None:
            is_softmax = self.link == "softmax"
            index = self._class_outputs(Z).argmax(axis=1) if is_softmax else self._binary_index(Z)
            return cast(Array, self.classes[index])
        predictions = self._binary_index(Z).reshape(Z.shape) if self.link in BINARY_LINKS else self.inverse_link(Z)
        return predictions[:, 0] if self.squeeze else predictions

    def _binary_index(self, Z: Array) -> Array:
        """0 or 1 for each output, shape (rows, n_out), or (rows,) if n_out is 1."""
        index = (Z > 0).astype(np.int64)
        return index[:, 0] if index.shape[1] == 1 else index

    def inverse_link(self, Z: Array) -> Array:
        """The values that the outputs of a regression predict, in the units of the targets, shape (rows, n_out)."""
        values = exp_or_inf(Z) if self.link == "log" else Z
        return values if self.scaling is None else self.scaling.invert(values)

    def scale_targets(self, Y: Array, dtype: np.dtype[Any], name: str = "y") -> Array:
        """Targets as the loss reads them: standardized, or unchanged."""
        return Y if self.scaling is None else self.scaling.apply(Y, dtype, name)

    def predict_proba(self, Z: Array) -> Array:
        """Convert outputs to probabilities.

        Parameters
        ----------
        Z : ndarray, shape (rows, n_out)

        Returns
        -------
        ndarray, dtype of Z
            Of each class, shape (rows, n_classes); of the positive label of each output, shape (rows, n_out), for
            several sigmoid outputs.

        Raises
        ------
        ValueError
            The link defines no probabilities.
        """
        if self.link not in ("softmax", "sigmoid"):
            kind = "signs without probabilities" if self.link == "sign" else "real values"
            raise ValueError(
                f"predict_proba needs a classifier, but this model predicts {kind}; "
                'train it with loss="cross_entropy" or loss="bce", or use predict'
            )
        if self.link == "softmax":
            return softmax(self._class_outputs(Z))
        p = sigmoid(Z)
        return np.concatenate([1 - p, p], axis=1) if p.shape[1] == 1 else p

    def _class_outputs(self, Z: Array) -> Array:
        """The outputs that belong to a class: a model may have more outputs than there are labels."""
        return Z if self.classes is None else Z[:, : len(self.classes)]

    def to_config(self) -> dict[str, Any]:
        """The specification as a JSON object; TypeError if a label is of a kind that `fit` does not accept either."""
        classes = None if self.classes is None else classes_to_config(check_labels(self.classes, "classes"))
        scaling = {} if self.scaling is None else {"scaling": self.scaling.to_config()}
        return {"link": self.link, "classes": classes, "flat": self.squeeze, **scaling}

    @classmethod
    def from_config(cls, config: dict[str, Any], n_out: int) -> "OutputSpec":
        """Create the specification of a network with `n_out` outputs from the result of `to_config`.

        Raises
        ------
        ValueError
            The link is unknown, or the classes do not fit the link and the outputs.
        """
        link, classes, squeeze = config["link"], config["classes"], config["flat"]
        if link not in (*REGRESSION_LINKS, *MULTICLASS_LINKS, *BINARY_LINKS) or not isinstance(squeeze, bool):
            raise ValueError(f"its head has the link {link!r} and flat={squeeze!r}")
        scaling = Scaling.from_config(config["scaling"], n_out) if "scaling" in config else None
        if classes is None:
            return cls(link, None, squeeze, scaling)
        labels = classes_from_config(classes)
        is_pair = len(labels) == 2
        fits = {"softmax": 0 < len(labels) <= n_out, "sigmoid": is_pair and n_out == 1, "sign": is_pair}
        if not fits.get(link, False):
            raise ValueError(f"its classes {labels} do not fit {n_out} outputs with the link {link!r}")
        return cls(link, labels, squeeze)

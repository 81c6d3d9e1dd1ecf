"""One step on one batch: `Trainer.train_on_batch`, which goes through the same calls as a custom training loop."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend
from .._common.typing import Array
from ..data.outputs import OutputSpec
from ..data.targets import Targets, check_same_rows, read_targets
from ..engine.loss_batch import batch_weights
from ..layers.noise import NoiseSpec
from ..losses import Loss
from ..losses.custom import Custom
from ..losses.link import BINARY_LINKS
from ..models.sequential import Sequential
from .exclusive import check_not_in_training
from .fit_data import known_classes
from .sharded import refuse_shards
from .standardization import check_scaled, what_to_scale
from .state import TrainSettings, TrainState


class BatchSteps:
    """Single steps of a `Trainer`."""

    _settings: TrainSettings
    _state: TrainState
    _plain: tuple[OutputSpec, Loss] | None = None  # head and loss for which the engine takes y as it is

    def train_on_batch(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> float:
        """Do one step on the rows of a batch, like the method of this name in Keras; takes microseconds.

        Parameters
        ----------
        X, y, sample_weight, classes
            As in `fit`. Classes are those of an earlier call; without one, declare them, or use integers from 0 on as
            labels.

        Returns
        -------
        float
            The mean loss of the batch before the step.

        Raises
        ------
        TypeError, ValueError
            An argument is invalid; theta and the optimizer are unchanged.
        FloatingPointError
            Loss, gradient or theta would not be finite; theta and the optimizer are unchanged.
        RuntimeError
            The model is being trained by a `fit`.

        Notes
        -----
        The step counts in `step` and in the optimizer, but makes no epoch and no row of the history. Schedules count
        steps, as in any custom loop (see `Optimizer.step`).
        """
        state = self._state
        check_not_in_training(state.model)
        refuse_shards(self._settings, "train_on_batch")
        value = self._gradient_of_plain(X, y, sample_weight)
        if value is None:
            value = self._gradient_of_any(X, y, sample_weight, classes)
        state.optimizer.step(state.model)
        state.step += 1
        return value

    def _gradient_of_plain(self, X: Any, y: Any, weight: Any) -> float | None:
        """`_gradient` of arrays that the engine reads as they are; None of others, to be converted or refused."""
        plain, loss = self._plain, self._settings.loss
        if plain is None or plain[0] is not self._state.model.head or plain[1] is not loss:
            return None
        if type(X) is not np.ndarray or type(y) is not np.ndarray or not len(X):
            return None
        try:
            return self._gradient(X, y, weight, loss)
        except (TypeError, ValueError, FloatingPointError):
            return None

    def _gradient(self, X: Array, Y: Array, weight: Array | None, loss: Loss) -> float:
        """The mean loss of a batch; grad <- its gradient."""
        model, threads = self._state.model, self._settings.threads
        network = model.network_for(loss.link, self._settings.precision)
        noise = self._noise_of_step() if any(model.noises) else None
        Z = np.empty((len(X), model.n_out), model.dtype)
        network.forward(X, Z, threads, noise, True)
        if isinstance(loss, Custom):
            value, dZ = loss.value_and_gradient(Z, Y, weight)
        else:
            dZ = np.empty(Z.shape, Z.dtype)
            value = backend.choose().losses.mean(loss, Z, Y, weight, dZ)
        network.backward(dZ, None, threads)
        return value

    def _noise_of_step(self) -> NoiseSpec | None:
        state = self._state
        return state.model.noise(self._settings.seed, state.step, np.array([float(state.optimizer.steps)]))

    def _gradient_of_any(self, X: Any, y: Any, sample_weight: Any, declared: Any) -> float:
        """`_gradient` of any data; the first batch tells what the outputs mean."""
        model, loss = self._state.model, self._settings.loss
        model.network_for(loss.link)  # raises if the last activation does not fit
        self._check_scaling()
        inputs, head = model.inputs, model.head
        X_rows = inputs.rows(X, model.n_in, dtype=inputs.dtype_of_rows(model.dtype))
        check_scaled(X_rows, inputs.scaling, model.dtype, "X")
        is_known = head.link == loss.link and head.classes is not None
        classes = known_classes(model, loss, declared)
        targets = read_targets(y, loss, model.n_out, classes, dtype=None if head.scaling else model.dtype)
        check_scaled(targets.Y, head.scaling, model.dtype, "y")
        check_same_rows(X_rows, targets.Y)
        if classes is None:
            _check_classes(targets, model)
        X_rows, Y = inputs.scale(X_rows, model.dtype), head.scale_targets(targets.Y, model.dtype)
        weight = batch_weights(sample_weight, len(Y), model.dtype)
        if targets.ignored is not None:
            weight = np.where(targets.ignored, 0, model.dtype.type(1) if weight is None else weight)
        value = self._gradient(X_rows, Y, weight, targets.loss)
        if not inputs.fitted:
            model.inputs = inputs.with_names_of(X)
        if not is_known:
            model.head = OutputSpec(loss.link, targets.classes, targets.squeeze, head.scaling)
        is_plain = inputs.scaling is None and head.scaling is None and _is_plain(targets, loss, model)
        self._plain = (model.head, loss) if is_plain else None
        return value

    def _check_scaling(self) -> None:
        """Refuse to standardize by what one batch tells."""
        model, settings = self._state.model, self._settings
        scales_X, scales_y = what_to_scale(settings.standardize, model, settings.loss)
        if (scales_X and model.inputs.scaling is None) or (scales_y and model.head.scaling is None):
            raise ValueError(
                f"standardize={settings.standardize!r} needs mean and standard deviation of all rows, which one batch "
                "does not tell: train with fit before, or scale the data"
            )


def _check_classes(targets: Targets, model: Sequential) -> None:
    """Refuse labels that one batch cannot tell the classes of."""
    if targets.classes is None or targets.loss.target != "labels" and targets.loss.link not in BINARY_LINKS:
        return
    if targets.classes.tolist() in (list(range(model.n_out)), [0, 1]):
        return
    raise ValueError(
        "one batch need not have all classes: declare them, train_on_batch(X, y, classes=...), or pass integers from 0 "
        f"to {max(model.n_out, 2) - 1} as labels"
    )


def _is_plain(targets: Targets, loss: Loss, model: Sequential) -> bool:
    """Whether the engine may read y as it is: its values are what the loss takes, and the engine checks the rest."""
    classes = targets.classes
    if targets.loss is not loss or isinstance(loss, Custom) or loss.outputs_per_target(model.n_out) != 1:
        return False
    if loss.target == "labels":
        ignores = loss.ignored(np.zeros((0, 1), np.int64)) is not None
        return not ignores and classes is not None and classes.tolist() == list(range(model.n_out))
    if loss.link in BINARY_LINKS and model.n_out == 1:
        return loss.link == "sigmoid" and classes is not None and classes.tolist() == [0, 1]
    return loss.link != "sign" and loss.link != "softmax"

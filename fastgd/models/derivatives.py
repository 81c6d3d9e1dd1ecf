"""Derivatives of a loss that a step of training does not need: by the inputs, of single rows, of second order."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import losses
from .._common.checks import check_choice
from .._common.typing import Array
from ..data.arrays import as_numeric, check_finite
from ..engine.numpy_inputs import InputChain
from ..engine.numpy_layers import backward_pass, forward_pass, input_gradient, views_of
from ..engine.numpy_products import PRODUCTS
from ..layers.stack import dense_layers, input_layers, stacked
from ..losses.base import Loss
from ..losses.predicted import output_gradients
from .network_cache import ExecutorCache, layers_for
from .parts import Parts
from .passes import Passes

# Relative step of a central difference of float64: the cube root of its precision balances rounding and truncation.
_STEP = float(np.finfo(np.float64).eps ** (1 / 3))


class Derivatives(Passes, Parts):
    """Derivatives of a model, which `Sequential` describes.

    X, y and loss are those of custom training loops: X as the network takes it, y as `loss.value_and_gradient` does.
    Neither theta, nor grad, nor what `forward` has kept changes.
    """

    size: int

    def input_gradient(self, X: Any, y: Any, loss: str | Loss) -> Array:
        """The derivative of each row's loss by its inputs, as attacks and saliency maps need it.

        Parameters
        ----------
        X : array (rows, n_in)
        y : array
            Class indices (rows,), or values (rows, n_out), as the loss takes them.
        loss : str or Loss

        Returns
        -------
        ndarray (rows, n_in)

        Raises
        ------
        TypeError, ValueError
            An argument does not fit.

        References
        ----------
        Goodfellow, Shlens & Szegedy, "Explaining and harnessing adversarial examples", ICLR 2015: its sign.

        Examples
        --------
        >>> import fastgd as gd
        >>> model = gd.MLP(2, 1, seed=0)
        >>> model.theta = [3, -1, 7]
        >>> model.input_gradient([[1.0, 2.0]], [7.0], "mse")
        array([[ 6., -2.]], dtype=float32)
        """
        function = losses.get(loss)
        X = self.inputs.rows(X, self.n_in, dtype=self.dtype)
        scratch = np.empty_like(self._grad)
        cache = ExecutorCache(self.layers, self.noises, self._theta, scratch, self._executors)
        network = cache.get(function.link)
        Z, dX = np.empty((len(X), self.n_out), self.dtype), np.empty((len(X), self.n_in), self.dtype)
        network.forward(X, Z, 0, None, True)
        network.backward(np.ascontiguousarray(function.gradient(Z, y)), dX, 0, False, True)
        return dX

    def fisher_diagonal(self, X: Any, y: Any, loss: str | Loss, labels: str = "given") -> Array:
        """The mean over the rows of the squared gradient of each row's loss: (size,), in the layout of theta.

        With the negative logarithm of a probability as loss, it is the diagonal of the Fisher information: how much
        each parameter matters for these rows.  The gradient of a weight in one row is a product a_i dz_j, so that the
        sum of the squares over all rows is one matrix product, (a^2)^T dz^2.

        Parameters
        ----------
        X, y, loss
            As in `input_gradient`; y is None with labels="model".
        labels : {"given", "model"}, default="given"
            "given": the squared gradients for the labels y, known as the empirical Fisher information.  "model": their
            expectation over labels with the probabilities that the model predicts, which is the Fisher information
            itself; for losses of a classifier.  It takes a backward pass for each output.

        Raises
        ------
        TypeError, ValueError
            An argument does not fit, or the loss defines no probabilities of labels.

        References
        ----------
        Kirkpatrick et al., "Overcoming catastrophic forgetting in neural networks", PNAS 114, 2017.
        Kunstner, Balles & Hennig, "Limitations of the empirical Fisher approximation for natural gradient descent",
        NeurIPS 2019: how the two differ.

        Examples
        --------
        >>> import fastgd as gd
        >>> model = gd.MLP(2, 1, seed=0)
        >>> model.theta = [3, -1, 7]
        >>> model.fisher_diagonal([[1.0, 2.0]], [7.0], "mse")
        array([ 4., 16.,  4.], dtype=float32)
        >>> model.theta = [0, 0, 0]
        >>> model.fisher_diagonal([[1.0, 2.0]], None, "bce", labels="model")  # p (1 - p) x^2
        array([0.25, 1.  , 0.25], dtype=float32)
        """
        function = losses.get(loss)
        check_choice("labels", labels, ("given", "model"))
        if labels == "model" and y is not None:
            raise ValueError('y must be None with labels="model", which takes the labels that the model predicts')
        X = self.inputs.rows(X, self.n_in, dtype=self.dtype).astype(self.dtype, copy=False)
        squares, products = np.zeros_like(self._theta), PRODUCTS["f32"]
        before, dense = input_layers(self.layers), dense_layers(layers_for(self.layers, function.link))
        inputs = InputChain(before, self._theta, squares)
        views = list(views_of(dense, self._theta, squares, sum(layer.size for layer in before)))
        Z, kept = forward_pass(views, inputs.forward(X), products)
        gradients = [function.gradient(Z, y)] if labels == "given" else output_gradients(function, Z)
        for dZ in gradients:
            for layer, saved, dz in backward_pass(views, kept, dZ, products):
                layer.dW[:] += np.square(saved.A).T @ np.square(dz)
                layer.db[:] += np.square(dz).sum(axis=0)[: layer.db.size]
            if inputs.parts:
                inputs.backward(input_gradient(layer, saved, dz, products), accumulate=True, power=2)
        squares /= len(X)
        return squares

    def hessian_vector_product(self, X: Any, y: Any, loss: str | Loss, vector: Any) -> Array:
        """H v for the Hessian H of the mean loss over the rows by theta: (size,) float64, in the layout of theta.

        By a central difference of gradients in float64, (g(theta + h v) - g(theta - h v)) / 2h, whose relative error is
        about 1e-9 for smooth activations and losses.  Where a ReLU changes sign within the step, it is an average.

        Parameters
        ----------
        X, y, loss
            As in `input_gradient`.
        vector : array (size,)

        References
        ----------
        Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6, 1994.

        Examples
        --------
        >>> import fastgd as gd
        >>> model = gd.MLP(1, 1, seed=0)
        >>> model.hessian_vector_product([[2.0], [4.0]], [1.0, 1.0], "mse", [1.0, 0.0]).round(6).tolist()
        [20.0, 6.0]
        """
        v = as_numeric(vector, "vector").astype(np.float64)
        if v.shape != (self.size,):
            raise ValueError(f"vector must have the shape of theta, ({self.size},), not {v.shape}")
        check_finite(v, "vector")
        model, theta = self._in_float64(), self._theta.astype(np.float64)
        h = _STEP * max(1.0, float(np.linalg.norm(theta))) / (float(np.linalg.norm(v)) or 1.0)
        sides = [model._gradient_at(theta + sign * h * v, X, y, losses.get(loss)) for sign in (1, -1)]
        product: Array = (sides[0] - sides[1]) / (2 * h)
        return product

    def _gradient_at(self, theta: Array, X: Any, y: Any, loss: Loss) -> Array:
        """The gradient of the mean loss at another theta (size,), which the model then has."""
        self._theta[:] = theta
        X = self.inputs.rows(X, self.n_in, dtype=self.dtype)
        network = self._executors.get(loss.link)
        Z = np.empty((len(X), self.n_out), self.dtype)
        network.forward(X, Z, 0, None, True)
        network.backward(loss.value_and_gradient(Z, y)[1], None, 0, False, True)
        return self._grad.copy()

    def _in_float64(self) -> Any:
        model = type(self).__new__(type(self))
        model._allocate(stacked(self.layers, self.noises), self.seed, "float64")
        return model

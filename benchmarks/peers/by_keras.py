"""Keras on TensorFlow, as its tutorials write it: `compile` and `fit`."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ..workloads import LARGE, Order, Workload, parameters
from . import Contender, flatten


class Fit(Contender):
    """One epoch of the rows that `fit` is given: all batches of a measurement, in their order."""

    optimizers = frozenset(("sgd", "adam"))

    def __init__(self, workload: Workload, X: NDArray, y: NDArray, theta: NDArray, threads: int) -> None:
        super().__init__(workload, X, y, theta, threads)
        self.min_steps = 100 if workload.flops < LARGE else 1  # because a call of fit takes a tenth of a second
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        self.X, self.y = X, y
        *hidden, n_out = workload.widths[1:]
        layers = [keras.layers.Dense(n, activation=workload.activation) for n in hidden]
        self.model = keras.Sequential([keras.Input(workload.widths[:1]), *layers, keras.layers.Dense(n_out)])
        is_adam, is_mse, lr = workload.optimizer == "adam", workload.loss == "mse", workload.lr
        rule = keras.optimizers.Adam(lr, epsilon=1e-8) if is_adam else keras.optimizers.SGD(lr)
        self.model.compile(rule, "mse" if is_mse else keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def start(self, theta: NDArray) -> None:
        self.model.set_weights([part for layer in parameters(self.workload.widths, theta) for part in layer])
        for slot in self.model.optimizer.variables:
            slot.assign(keras.ops.zeros_like(slot))
        self.model.optimizer.learning_rate = self.workload.lr  # which is one of the variables

    def theta(self) -> NDArray:
        parts = self.model.get_weights()
        return flatten(list(zip(parts[::2], parts[1::2], strict=True)))

    def train(self, order: Order) -> None:
        rows = order.ravel()
        self.model.fit(self.X[rows], self.y[rows], self.workload.batch, epochs=1, shuffle=False, verbose=0)

    def predict(self, X: NDArray) -> NDArray:
        return np.asarray(self.model(X))

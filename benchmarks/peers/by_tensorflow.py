"""TensorFlow: a chunk of steps as one loop compiled by XLA."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow as tf
from numpy.typing import NDArray

from ..workloads import Order, Workload, parameters
from . import Contender, flatten

tf.get_logger().setLevel("ERROR")  # it warns about recompilation, which each number of steps needs


class Loop(Contender):
    """tf.function(jit_compile=True) around a loop over the batches; a ReLU network and plain SGD."""

    activations = frozenset(("relu",))
    dtypes = frozenset(("float32", "float64"))

    def __init__(self, workload: Workload, X: NDArray, y: NDArray, theta: NDArray, threads: int) -> None:
        super().__init__(workload, X, y, theta, threads)
        if tf.config.threading.get_intra_op_parallelism_threads() != threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        self.X, self.y = tf.constant(X), tf.constant(y)
        self.loop = tf.function(self._loop, jit_compile=True)

    def start(self, theta: NDArray) -> None:
        layers = parameters(self.workload.widths, theta)
        self.layers = [tf.constant(part) for layer in layers for part in layer]

    def theta(self) -> NDArray:
        parts = [part.numpy() for part in self.layers]
        return flatten(list(zip(parts[::2], parts[1::2], strict=True)))

    def train(self, order: Order) -> None:
        self.layers = self.loop(self.X, self.y, tf.constant(order), self.layers)
        self.layers[-1].numpy()  # waits for the result

    def _loop(self, X: tf.Tensor, y: tf.Tensor, order: tf.Tensor, layers: list[tf.Tensor]) -> list[tf.Tensor]:
        def step(i: tf.Tensor, layers: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
            rows = order[i]
            with tf.GradientTape() as tape:
                tape.watch(layers)
                loss = self._loss(tf.gather(X, rows), tf.gather(y, rows), layers)
            gradients = tape.gradient(loss, layers)
            return i + 1, [part - self.workload.lr * g for part, g in zip(layers, gradients, strict=True)]

        return tf.while_loop(lambda i, _: i < order.shape[0], step, [tf.constant(0), layers])[1]

    def _loss(self, a: tf.Tensor, y: tf.Tensor, layers: list[tf.Tensor]) -> tf.Tensor:
        for W, b in zip(layers[:-2:2], layers[1:-2:2], strict=True):
            a = tf.nn.relu(a @ W + b)
        Z = a @ layers[-2] + layers[-1]
        if self.workload.loss == "mse":
            return tf.reduce_mean((Z - y) ** 2)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, Z))

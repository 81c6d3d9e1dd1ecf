"""JAX: a jitted step called from Python, and whole epochs as one jitted `lax.scan`."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from numpy.typing import NDArray

from ..workloads import BF16_PREDICTION_TOLERANCE, BF16_TOLERANCE, Order, Workload, parameters
from . import Contender, batch_of, flatten

FUNCTIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid}
Layers = list[tuple[jax.Array, jax.Array]]


class Step(Contender):
    """jax.value_and_grad and the update in one jitted function; the parameters are donated."""

    optimizers = frozenset(("sgd", "adam"))
    dtypes = frozenset(("float32", "float64"))

    def __init__(self, workload: Workload, X: NDArray, y: NDArray, theta: NDArray, threads: int) -> None:
        super().__init__(workload, X, y, theta, threads)
        jax.config.update("jax_enable_x64", workload.dtype == "float64")
        self.X, self.y = jnp.asarray(X), jnp.asarray(y)
        self.step = jax.jit(self._step, donate_argnums=0)
        self.forward = jax.jit(self._forward)

    def start(self, theta: NDArray) -> None:
        layers = [(jnp.array(W), jnp.array(b)) for W, b in parameters(self.workload.widths, theta)]
        slots = 2 if self.workload.optimizer == "adam" else 0
        self.state: Any = (layers, [jax.tree.map(jnp.zeros_like, layers) for _ in range(slots)], jnp.zeros(()))

    def theta(self) -> NDArray:
        return flatten(self.state[0])

    def train(self, order: Order) -> None:
        for rows in order:
            self.state = self.step(self.state, self.X, self.y, rows)
        jax.block_until_ready(self.state)

    def predict(self, X: NDArray) -> jax.Array:
        return self.forward(self.state[0], X).block_until_ready()

    def _forward(self, layers: Layers, a: Any) -> jax.Array:
        for W, b in layers[:-1]:
            a = FUNCTIONS[self.workload.activation](self._product(a, W) + b)
        W, b = layers[-1]
        result: jax.Array = self._product(a, W) + b
        return result

    def _product(self, a: Any, W: Any) -> Any:
        return a @ W

    def _loss(self, layers: Layers, X: jax.Array, y: jax.Array) -> jax.Array:
        Z = self._forward(layers, X)
        if self.workload.loss == "mse":
            return jnp.mean((Z - y) ** 2)
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(Z), y[:, None], axis=1))

    def _step(self, state: Any, X: jax.Array, y: jax.Array, rows: Any) -> Any:
        layers, slots, t = state
        g = jax.grad(self._loss)(layers, *batch_of(self.workload, X, y, rows))
        if self.workload.optimizer == "adam":
            return self._adam(layers, g, slots, t + 1)
        return jax.tree.map(lambda theta, g: theta - self.workload.lr * g, layers, g), slots, t

    def _adam(self, layers: Layers, g: Layers, slots: list[Layers], t: jax.Array) -> Any:
        """Kingma & Ba 2015 with their defaults."""
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, slots[0], g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, slots[1], g)
        rate, scale = self.workload.lr / (1 - 0.9**t), 1 / (1 - 0.999**t)
        move = partial(jax.tree.map, lambda theta, m, v: theta - rate * m / (jnp.sqrt(v * scale) + 1e-8))
        return move(layers, m, v), [m, v], t


class Scan(Step):
    """All steps in one jitted loop."""

    def __init__(self, workload: Workload, X: NDArray, y: NDArray, theta: NDArray, threads: int) -> None:
        super().__init__(workload, X, y, theta, threads)
        self.loop = jax.jit(self._loop, donate_argnums=0)

    def _loop(self, state: Any, X: jax.Array, y: jax.Array, order: Any) -> Any:
        return lax.scan(lambda state, rows: (self._step(state, X, y, rows), None), state, order)[0]

    def train(self, order: Order) -> None:
        self.state = jax.block_until_ready(self.loop(self.state, self.X, self.y, order))


class Bf16Scan(Scan):
    """Products in bfloat16 with sums in float32; the weights are float32."""

    dtypes = frozenset(("float32",))
    tolerance = BF16_TOLERANCE
    prediction_tolerance = BF16_PREDICTION_TOLERANCE

    def _product(self, a: Any, W: Any) -> Any:
        return jnp.matmul(a.astype(jnp.bfloat16), W.astype(jnp.bfloat16), preferred_element_type=jnp.float32)

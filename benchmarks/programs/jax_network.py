"""A network in JAX: its initial state, a step, its outputs."""

import jax
import jax.numpy as jnp
import race

X, y, X_test = jnp.asarray(race.X), jnp.asarray(race.y), jnp.asarray(race.X_test)


def start():
    """Parameters, the state of the optimizer and the number of steps."""
    layers = [(jnp.asarray(W), jnp.asarray(b)) for W, b in race.layers()]
    slots = [jax.tree.map(jnp.zeros_like, layers) for _ in range(1 if race.is_classifier else 2)]
    return layers, slots, jnp.zeros(())


@jax.jit
def outputs(layers, a):
    for W, b in layers[:-1]:
        a = jax.nn.relu(a @ W + b)
    W, b = layers[-1]
    return a @ W + b


def loss(layers, X, y):
    Z = outputs(layers, X)
    if race.is_classifier:
        return -jnp.take_along_axis(jax.nn.log_softmax(Z), y[:, None], axis=1).mean()
    return jnp.mean((Z - y) ** 2)


def step(state, rows):
    layers, slots, t = state
    g = jax.grad(loss)(layers, X[rows], y[rows])
    return momentum(layers, slots, g, t) if race.is_classifier else adam(layers, slots, g, t + 1)


def momentum(layers, slots, g, t):
    v = jax.tree.map(lambda v, g: 0.9 * v + g, slots[0], g)
    return jax.tree.map(lambda p, v: p - race.lr * v, layers, v), [v], t


def adam(layers, slots, g, t):
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, slots[0], g)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, slots[1], g)
    rate, scale = race.lr / (1 - 0.9**t), 1 / (1 - 0.999**t)
    layers = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v * scale) + 1e-8), layers, m, v)
    return layers, [m, v], t

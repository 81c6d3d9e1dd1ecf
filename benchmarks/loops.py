"""Custom training loops: what forward, loss, backward and update of a small step cost when each is a call from Python.

All contenders run in one process, on one thread, and take turns; the time of a call is the least of many short runs.
"""

import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastgd as gd

from . import fresh

WIDTHS, BATCH, LR = (64, 64, 10), 32, 1e-7  # a rate at which nothing converges: each call does the same
PARTS = ("forward", "loss", "backward", "step", "total")
OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "SGD": lambda: gd.SGD(LR),
    "momentum": lambda: gd.SGD(LR, momentum=0.9),
    "AdamW": lambda: gd.AdamW(LR),
}

Calls = dict[str, Callable[[], object]]


def measure(seconds: float, rounds: int) -> dict[str, dict[str, float]]:
    """Seconds per call by contender and part, in a process of its own."""
    return fresh.apart(_measure, seconds, rounds)


def _measure(seconds: float, rounds: int) -> dict[str, dict[str, float]]:
    X, y = gd.datasets.digits()
    X, y = X[:BATCH].astype("float32") / 16 + np.float32(0.01), y[:BATCH].copy()
    contenders = dict(_contenders(X, y))
    least = {name: dict.fromkeys(calls, np.inf) for name, calls in contenders.items()}
    for _ in range(rounds):
        for name, calls in contenders.items():
            for part, call in calls.items():
                least[name][part] = min(least[name][part], _seconds(call, seconds / len(calls)))
    return least


def _seconds(call: Callable[[], object], seconds: float) -> float:
    """The least time of a call in bundles of 50."""
    least, end = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        begun = time.perf_counter()
        for _ in range(50):
            call()
        least = min(least, (time.perf_counter() - begun) / 50)
    return least


def _contenders(X: NDArray, y: NDArray) -> Iterator[tuple[str, Calls]]:
    for name, make in OPTIMIZERS.items():
        yield f"fastgd, {name}", _fastgd(X, y, make())
    trainer = gd.Trainer(gd.MLP(*WIDTHS, seed=0), loss="cross_entropy", optimizer=gd.SGD(LR))
    yield "fastgd, SGD, train_on_batch", {"total": lambda: trainer.train_on_batch(X, y)}
    if find_spec("torch"):
        yield "PyTorch eager, SGD", _torch(X, y)
        yield "PyTorch by hand, SGD", _torch_by_hand(X, y)
    if find_spec("jax"):
        yield "JAX, jitted step, SGD", {"total": _jax(X, y)}


def _fastgd(X: NDArray, y: NDArray, optimizer: Any) -> Calls:
    model, loss = gd.MLP(*WIDTHS, seed=0), gd.losses.get("cross_entropy")
    Z, dZ = np.empty((2, BATCH, WIDTHS[-1]), np.float32)

    def step() -> None:
        model.forward(X, out=Z)
        loss.value_and_gradient(Z, y, out=dZ)
        model.backward(dZ, input_gradient=False)
        optimizer.step(model)

    step()
    return {
        "forward": lambda: model.forward(X, out=Z),
        "loss": lambda: loss.value_and_gradient(Z, y, out=dZ),
        "backward": lambda: model.backward(dZ, input_gradient=False),
        "step": lambda: optimizer.step(model),
        "total": step,
    }


def _torch(X: NDArray, y: NDArray) -> Calls:
    import torch
    from torch import nn

    torch.set_num_threads(1)
    data, labels = torch.from_numpy(X), torch.from_numpy(y)
    # The second model is never updated, so that its graph can be run backward again and again.
    model, still = (nn.Sequential(nn.Linear(*WIDTHS[:2]), nn.ReLU(), nn.Linear(*WIDTHS[1:])) for _ in range(2))
    loss, optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), lr=LR)
    outputs = still(data)
    value = loss(outputs, labels)

    def step() -> None:
        optimizer.zero_grad()
        loss(model(data), labels).backward()
        optimizer.step()

    step()
    return {
        "forward": lambda: model(data),
        "loss": lambda: loss(outputs, labels),
        "backward": lambda: value.backward(retain_graph=True),
        "step": optimizer.step,
        "total": step,
    }


def _torch_by_hand(X: NDArray, y: NDArray) -> Calls:
    import torch

    data, labels, rows = torch.from_numpy(X), torch.from_numpy(y), torch.arange(BATCH)
    layers = [(torch.randn(n, m) / n**0.5, torch.zeros(m)) for n, m in zip(WIDTHS[:-1], WIDTHS[1:], strict=True)]
    (W1, b1), (W2, b2) = layers

    @torch.inference_mode()
    def step() -> None:
        A = torch.addmm(b1, data, W1).relu_()
        dZ = torch.softmax(torch.addmm(b2, A, W2), 1)
        dZ[rows, labels] -= 1
        dZ /= BATCH
        dA = (dZ @ W2.T).mul_(A > 0)
        for W, b, inputs, d in ((W2, b2, A, dZ), (W1, b1, data, dA)):
            W.addmm_(inputs.T, d, alpha=-LR)
            b.sub_(d.sum(0), alpha=LR)

    return {"total": step}


def _jax(X: NDArray, y: NDArray) -> Callable[[], object]:
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(0)
    shapes = zip(WIDTHS[:-1], WIDTHS[1:], strict=True)
    theta = [(jnp.array(rng.normal(size=(n, m)) / n**0.5, "float32"), jnp.zeros(m)) for n, m in shapes]

    def loss(theta: Any, X: Any, y: Any) -> Any:
        (W1, b1), (W2, b2) = theta
        log_p = jax.nn.log_softmax(jax.nn.relu(X @ W1 + b1) @ W2 + b2)
        return -log_p[jnp.arange(BATCH), y].mean()

    @jax.jit
    def update(theta: Any, X: Any, y: Any) -> Any:
        return jax.tree.map(lambda p, g: p - LR * g, theta, jax.grad(loss)(theta, X, y))

    def step() -> None:
        nonlocal theta
        theta = jax.block_until_ready(update(theta, X, y))

    return step

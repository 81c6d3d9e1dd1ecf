"""A curve as a sum of sigmoids, y = b + sum_i c_i f(b_i + w_i x), with smooth and with piecewise linear f.

A sum of enough sigmoids can approximate any continuous curve.  Run: python sigmoids.py [picture.png]
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

UNITS = 8

random = np.random.default_rng(0)
x = np.sort(random.uniform(-3, 3, 300))
y = np.sin(2 * x) + 0.4 * x + random.normal(0, 0.1, x.size)


def fit(activation):
    """Fit a network with one hidden layer, whose units are initialised at equal distances along x."""
    model = gd.MLP(1, UNITS, 1, activation=activation, seed=0)
    slope, centers = 2.0, np.linspace(-3, 3, UNITS)
    model.parameters()["0.weight"][:] = slope
    model.parameters()["0.bias"][:] = -slope * centers
    trainer = gd.Trainer(model, loss="mse", optimizer=gd.Adam(lr=0.02), batch_size=50, seed=0)
    history = trainer.fit(x[:, None], y, epochs=600, verbose=0)
    return model, history["loss"][-1]


def terms(model, x):
    """c_i f(b_i + w_i x) of each hidden unit, shape (rows, UNITS)."""
    p = model.parameters()
    hidden = model.layers[0].activation.forward(x[:, None] @ p["0.weight"] + p["0.bias"])
    return hidden * p["1.weight"][:, 0]


figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), sharey=True, layout="constrained")
grid = np.linspace(-3, 3, 400)
for ax, activation, name in zip(axes, ("sigmoid", "hard_sigmoid"), ("sigmoids", "hard sigmoids"), strict=True):
    model, loss = fit(activation)
    print(f"{UNITS} {name}: mean squared error {loss:.4f}")
    ax.plot(x, y, ".", color=plot.GREY, alpha=0.5, markersize=4, label="data")
    ax.plot(grid, terms(model, grid), color=plot.ORANGE, linewidth=0.8, alpha=0.7)
    ax.plot([], [], color=plot.ORANGE, linewidth=0.8, label="the terms")
    ax.plot(grid, model.predict(grid[:, None]), color=plot.BLUE, linewidth=2.2, label="b + their sum")
    ax.set(title=f"A curve from {UNITS} {name} (loss {loss:.3f})", xlabel="x", ylabel="y")
    ax.legend(frameon=False)
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "sigmoids.png", dpi=150)

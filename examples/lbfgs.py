"""Small data in full batches: L-BFGS needs no learning rate and reaches a lower loss in as many, but slower, steps.

Requires SciPy.  Run: python lbfgs.py [picture.png]
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

plt.style.use(plot.STYLE)
x = np.linspace(-3, 3, 60)[:, None]
y = np.sin(2 * x[:, 0]) * np.exp(-(x[:, 0] ** 2) / 4)  # without noise: the loss can reach 0
STEPS = 300


def model():
    return gd.MLP(1, 8, 8, 1, activation="tanh", seed=0, dtype="float64")


def descend(optimizer):
    """Train with one step per epoch, on all rows."""
    trained = model()
    trainer = gd.Trainer(trained, loss="mse", optimizer=optimizer, batch_size=None)
    return trained, trainer.fit(x, y, STEPS, verbose=0)


runs = {
    "SGD, momentum 0.9": descend(gd.SGD(lr=0.05, momentum=0.9)),
    "Adam": descend(gd.Adam(lr=0.01)),
}
fitted = model()
runs["L-BFGS"] = fitted, gd.fit_lbfgs(fitted, x, y, loss="mse", epochs=STEPS, tol=1e-9)

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4))
left.plot(x, y, "o", color=plot.GREY, markersize=3, label="data")
for color, (name, (trained, history)) in zip(plot.PALETTE, runs.items(), strict=False):
    error, seconds = np.square(trained.predict(x) - y).mean(), sum(history["seconds"])
    print(f"{name}: mean squared error {error:.2g} after {len(history['epoch'])} steps, {1000 * seconds:.0f} ms")
    left.plot(x, trained.predict(x), color=color, linewidth=1.8, label=name)
    right.plot(history["epoch"], history["loss"], color=color, linewidth=1.8, label=name)
left.set(title="Fitted curves", xlabel="x", ylabel="y")
right.set(title="Loss", xlabel="step (on all rows)", ylabel="mean squared error", xscale="log", yscale="log")
figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "lbfgs.png")

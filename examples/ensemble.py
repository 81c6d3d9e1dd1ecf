"""A deep ensemble: where networks that were trained alike disagree, none of them knows.

20 networks with different initial weights learn a noisy curve, each from a bootstrap sample of the rows, as one
population.  Where there are no rows they disagree (Lakshminarayanan, Pritzel & Blundell, "Simple and scalable
predictive uncertainty estimation using deep ensembles", NeurIPS 2017).  Their spread alone says nothing of the noise;
intervals that are calibrated on other rows contain as many new values as they promise (Lei et al., "Distribution-free
predictive inference for regression", JASA 2018).

Run: python ensemble.py [picture.png] [--seed N]
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

parser = argparse.ArgumentParser()
parser.add_argument("picture", nargs="?", default="ensemble.png")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()
plt.style.use(plot.STYLE)

MEMBERS = 20
random = np.random.default_rng(options.seed)


def simulate(rows):
    """Points of a curve with noise that grows with x; there are none in the middle, and none beyond 3."""
    x = np.concatenate([random.uniform(-3, -0.8, rows // 2), random.uniform(0.8, 3, rows - rows // 2)])
    return x[:, np.newaxis], np.sin(2 * x) + 0.3 * x + (0.08 + 0.05 * (x > 0)) * random.normal(size=rows)


X, y = simulate(400)
X_calibration, y_calibration = simulate(400)
X_new, y_new = simulate(4000)

trainers = [
    gd.Trainer(gd.MLP(1, 64, 64, 1, activation="tanh", seed=i), loss="mse", optimizer=gd.Adam(gd.Cosine(0.01)), seed=i)
    for i in range(MEMBERS * options.seed, MEMBERS * (options.seed + 1))
]
population = gd.Population(trainers)
samples = [random.integers(len(X), size=len(X)) for _ in trainers]  # bootstrap
population.fit(X, y, epochs=150, rows=samples, verbose=0)
ensemble = population.ensemble().calibrate(X_calibration, y_calibration)

low, high = ensemble.predict_interval(X_new, coverage=0.9)
inside = np.mean((y_new > low) & (y_new < high))
places = {"where rows are": [-2.0, -1.5, 1.5, 2.0], "between them": [-0.2, 0.0, 0.2], "beyond them": [-5.0, 5.0]}
spread = {name: ensemble.predict_std(np.array(x)[:, np.newaxis]).mean() for name, x in places.items()}
print(f"{inside:.1%} of {len(X_new)} new values are inside 90 % intervals")
print("disagreement " + ", ".join(f"{name}: {value:.3f}" for name, value in spread.items()))
alone = [np.sqrt(np.mean((member - y_new) ** 2)) for member in ensemble.predict_members(X_new)]
together = np.sqrt(np.mean((ensemble.predict(X_new) - y_new) ** 2))
print(f"root mean squared error: {np.mean(alone):.4f} of a member, {together:.4f} of their mean")

grid = np.linspace(-5, 5, 400)[:, np.newaxis]
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4), sharey=True)
for curve in ensemble.predict_members(grid):
    left.plot(grid[:, 0], curve, color=plot.BLUE, linewidth=0.6, alpha=0.6)
left.set(title=f"{MEMBERS} networks: they disagree where there are no rows", xlabel="x", ylabel="y", ylim=(-4, 4))
bounds = ensemble.predict_interval(grid, coverage=0.9)
right.fill_between(grid[:, 0], *bounds, color=plot.ORANGE, alpha=0.3, linewidth=0, label="90 % interval")
right.plot(grid[:, 0], ensemble.predict(grid), color=plot.ORANGE, linewidth=2, label="mean")
right.set(title=f"Calibrated intervals: {inside:.1%} of new values are inside", xlabel="x")
for ax in (left, right):
    ax.plot(X[:, 0], y, ".", color="black", markersize=3, zorder=3, label="training rows")
right.legend(loc="upper left")
figure.savefig(options.picture)
print(f"result: distance from 90 % coverage {abs(inside - 0.9):.4f}")

"""Prediction intervals: one network learns five quantiles of y at once, and new data check their coverage.

The noise may have any distribution; here it is skewed and grows with x.  Run: python quantiles.py [picture.png]
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

plt.style.use(plot.STYLE)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
random = np.random.default_rng(0)


def simulate(rows):
    """Delivery times in minutes over distances of x km, with skewed noise: sometimes much longer than usual."""
    x = random.uniform(0, 10, rows)
    return x, 5 + 2.5 * x + 2 * np.sin(x) + (1 + 0.6 * x) * random.gamma(1.5, 1.0, rows)


x, y = simulate(4000)
x_new, y_new = simulate(4000)

model = gd.MLP(1, 32, 32, len(QUANTILES), activation="tanh", seed=0)
optimizer = gd.Adam(lr=gd.Cosine(0.01))
trainer = gd.Trainer(model, loss=gd.Quantile(QUANTILES), optimizer=optimizer, batch_size=100, seed=0)
trainer.fit(x[:, None] / 5 - 1, y / 10, epochs=100, verbose=0)  # scaled to order 1

y_pred = 10 * model.predict(x_new[:, None] / 5 - 1)  # (rows, quantiles)
below = (y_new[:, None] < y_pred).mean(axis=0)
inside = below[-1] - below[0]
for quantile, share in zip(QUANTILES, below, strict=True):
    print(f"{share:.1%} of new deliveries are faster than the {quantile:.0%} quantile")

grid = np.linspace(0, 10, 300)
curves = 10 * model.predict(grid[:, None] / 5 - 1)
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), width_ratios=(1.6, 1))
left.plot(x_new[:800], y_new[:800], ".", color=plot.GREY, alpha=0.6, markersize=4, label="new data")
for low, high, alpha in ((0, 4, 0.18), (1, 3, 0.3)):
    label = f"{QUANTILES[high] - QUANTILES[low]:.0%} interval"
    left.fill_between(grid, curves[:, low], curves[:, high], color=plot.BLUE, alpha=alpha, linewidth=0, label=label)
left.plot(grid, curves[:, 2], color=plot.BLUE, linewidth=2.2, label="median")
left.set(title=f"Five quantiles of one network ({inside:.1%} of new data in the 90% interval)", ylim=(0, 70))
left.set(xlabel="distance, km", ylabel="time, minutes", xlim=(0, 10))
left.legend(loc="upper left")
right.plot([0, 1], [0, 1], "--", color=plot.GREY, linewidth=1, label="nominal")
right.plot(QUANTILES, below, "o-", color=plot.ORANGE, linewidth=2.2, label="on new data")
right.set(title="Calibration", xlabel="quantile", ylabel="share of new data below it", aspect="equal")
right.legend(loc="upper left")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "quantiles.png")

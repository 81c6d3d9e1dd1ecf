"""Prediction bands: not one number for a patient, but a range that contains the truth as often as it says.

How far diabetes has progressed after a year depends on much that ten measurements do not show, so half of its variance
is beyond any model.  Three ways to say so, for the 442 patients of Efron et al., "Least angle regression", 2004:

- quantiles: a network with an output for each quantile of y; the quantile loss costs a value above the 5 % quantile 19
  times less than one below it (Koenker & Bassett, "Regression quantiles", 1978).  Quantiles of the training rows
  are a little too close together for new rows, so these bands contain less than they promise;
- calibrated quantiles: a quarter of the training rows is kept apart, and the bands are widened until they contain
  the promised share of it (Romano, Patterson & Candès, "Conformalized quantile regression", NeurIPS 2019);
- an ensemble: five networks predict mean and variance of a normal distribution.  The variance of y is the mean of
  their variances, which is noise, and the variance of their means, which is ignorance and grows where training rows
  are rare (Lakshminarayanan, Pritzel & Blundell, "Simple and scalable predictive uncertainty", NeurIPS 2017).

Every patient is predicted by networks that were trained on others, and the share inside each band is counted.  The
members of the ensemble hardly disagree here: more patients would not narrow these bands, more measurements might.

Run: python bands.py [picture.png] [--seed N]
"""

import argparse
from statistics import NormalDist

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

import fastgd as gd
from fastgd import plot

parser = argparse.ArgumentParser()
parser.add_argument("picture", nargs="?", default="bands.png")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()
plt.style.use(plot.STYLE)

X, y = load_diabetes(return_X_y=True)
X *= np.sqrt(len(X))  # columns of mean 0 and standard deviation 1
CENTRE, SCALE = 150, 80  # of y, for the networks
LEVELS = np.array([0.5, 0.8, 0.9])
QUANTILES = tuple(np.concatenate([(1 - LEVELS) / 2, (1 + LEVELS) / 2]).round(3))


def normal(Z, Y):
    """Mean of -log N(y; mean, e^s) up to a constant, and its gradient by Z = (mean, s), where s is the log variance."""
    (mean, s), y = Z.T, Y.reshape(-1)
    error, precision = mean - y, np.exp(-s)
    dZ = np.stack([error * precision, 0.5 * (1 - error**2 * precision)], axis=1)
    return 0.5 * (s + error**2 * precision).mean(), dZ / len(Z)


def train(rows, loss, outputs, seed):
    """Fit a network to some rows; strong decay and dropout, since there are few rows and much noise."""
    model = gd.MLP(10, 32, 32, outputs, activation="tanh", dropout=0.2, seed=seed)
    optimizer = gd.AdamW(lr=gd.Cosine(0.005), weight_decay=1.0)
    trainer = gd.Trainer(model, loss=loss, optimizer=optimizer, batch_size=32, seed=seed, n_threads=1)
    trainer.fit(X[rows], (y[rows] - CENTRE) / SCALE, epochs=60, verbose=0)
    return lambda rows: model.predict(X[rows])


def quantile_bands(training, new, seed):
    """Bands (2, rows, levels) of new rows by quantiles: as the network predicts them, and calibrated."""
    kept = training[: len(training) // 4]
    predict = train(training[len(kept) :], gd.Quantile(QUANTILES), len(QUANTILES), seed)
    low, high = np.split(CENTRE + SCALE * predict(kept), 2, axis=1)
    outside = np.maximum(low - y[kept, None], y[kept, None] - high)  # how far; negative inside
    rank = np.ceil((len(kept) + 1) * LEVELS).astype(int)
    wider = np.sort(outside, axis=0)[rank - 1, range(len(LEVELS))]
    bands = np.stack(np.split(CENTRE + SCALE * predict(new), 2, axis=1))
    return bands, bands + np.array([-wider, wider])[:, None]


def ensemble_bands(training, new, seed):
    """Bands (2, rows, levels) of new rows by five networks, and the share of their disagreement in the variance."""
    members = np.stack([train(training, normal, 2, seed + k)(new) for k in range(5)])
    mean, noise, disagreement = members[..., 0].mean(0), np.exp(members[..., 1]).mean(0), members[..., 0].var(0)
    deviations = [NormalDist().inv_cdf((1 + level) / 2) for level in LEVELS]
    half = np.sqrt(noise + disagreement)[:, None] * deviations
    return CENTRE + SCALE * (mean[:, None] + np.array([-half, half])), (disagreement / (noise + disagreement)).mean()


names = {"quantiles": plot.GREY, "calibrated quantiles": plot.BLUE, "ensemble": plot.GREEN}
bands = {name: np.empty((2, len(X), len(LEVELS))) for name in names}
order = np.random.default_rng(options.seed).permutation(len(X))
shares = []
for fold, new in enumerate(np.array_split(order, 5)):
    training, seed = order[~np.isin(order, new)], 100 * options.seed + 10 * fold
    bands["quantiles"][:, new], bands["calibrated quantiles"][:, new] = quantile_bands(training, new, seed)
    bands["ensemble"][:, new], share = ensemble_bands(training, new, seed)
    shares.append(share)

figure, axes = plt.subplots(1, 3, figsize=(15, 4.6), width_ratios=(1, 1, 0.8))
coverage = {}
for name, color in names.items():
    low, high = bands[name]
    inside = (y[:, None] > low) & (y[:, None] < high)
    coverage[name] = inside.mean(axis=0)
    width = (high - low).mean(axis=0)[-1]
    shares_inside = ", ".join(f"{c:.1%} ({level:.0%})" for c, level in zip(coverage[name], LEVELS, strict=True))
    print(f"{name}: share inside (promised): {shares_inside}; mean width of the last {width:.0f}")
    axes[2].plot(100 * LEVELS, 100 * (coverage[name] - LEVELS), "o-", color=color, linewidth=2, label=name)
print(f"ensemble: {np.mean(shares):.1%} of the variance is disagreement of its members, the rest noise")
new = new[np.argsort(bands["ensemble"][:, new, 0].mean(axis=0))]  # the last fold, by the middle of the band
place = np.arange(len(new))
for ax, name in zip(axes, ("calibrated quantiles", "ensemble"), strict=False):
    low, high = bands[name][:, new]
    for level, alpha in ((2, 0.25), (0, 0.5)):
        label = f"{LEVELS[level]:.0%} band"
        ax.vlines(place, low[:, level], high[:, level], color=names[name], alpha=alpha, linewidth=2.4, label=label)
    hit = (y[new] > low[:, 2]) & (y[new] < high[:, 2])
    ax.plot(place[hit], y[new][hit], ".", color="black", markersize=4, label="inside 90%")
    ax.plot(place[~hit], y[new][~hit], "x", color=plot.ORANGE, markersize=6, markeredgewidth=2, label="outside")
    ax.set(title=f"{name.capitalize()}: {hit.sum()} of {len(new)} patients inside 90%", ylim=(-20, 420))
    ax.set(xlabel="new patients, in the order of the prediction", ylabel="progression after one year")
    ax.legend(loc="upper left", ncols=2)
axes[2].axhline(0, color="black", linewidth=1, linestyle="--", label="as promised")
axes[2].set(title="Share of all 442 patients inside their bands", xlabel="promised, %", ylim=(-8, 8))
axes[2].set(ylabel="inside less promised, percentage points", xticks=100 * LEVELS)
axes[2].legend(loc="upper left")
figure.savefig(options.picture)
error = max(abs(coverage[name][-1] - 0.9) for name in ("calibrated quantiles", "ensemble"))
print(f"result: distance from 90 % coverage {error:.4f}")

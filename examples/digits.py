"""Handwritten digits: what makes a network recognise images that it has not seen.

The network 64-256-128-10 has fifty thousand parameters, enough to learn 1,600 training images by heart.  Four customary
remedies make it learn digits instead:

- dropout: each hidden unit is absent from a tenth of the steps, so no unit can rely on a single other one (Srivastava
  et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014);
- weight decay pulls weights towards 0 (Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019);
- the average of theta over the last steps is closer to the minimum than theta, which each batch pushes elsewhere
  (Polyak & Juditsky, "Acceleration of stochastic approximation by averaging", 1992);
- augmentation: a digit that is turned, zoomed and moved a little is the same digit, so each step sees its images
  changed at random (Simard et al., "Best practices for convolutional neural networks", ICDAR 2003).

Each of the last 797 images is predicted by a network that was not trained on it: four networks, each trained on the
first 1,000 images and on three quarters of the last 797.  The quarters are drawn at random, so that the writer of an
image has written training images too, or consist of consecutive images, which are by a few writers: new writers are
the harder test.  The settings were chosen by the same method among the first 1,000 images alone.

Run: python digits.py [picture.png] [--seed N]
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

parser = argparse.ArgumentParser()
parser.add_argument("picture", nargs="?", default="digits.png")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()
plt.style.use(plot.STYLE)

X, y = gd.datasets.digits()
X = (X / 16).astype("float32")  # pixels from 0 to 1
distort = gd.RandomAffine(degrees=10, translate=(0.09, 0.09), scale=(0.9, 1.1), shape=(8, 8))
HELD_OUT = np.arange(1000, len(X))


def held_out_predictions(order, remedies):
    """Predictions for the last 797 images, each by a network trained on the first 1,000 and on the other quarters."""
    dropout, decay, average = (0.1, 0.1, gd.EMA(0.99)) if remedies else (0.0, 0.0, None)
    y_pred = y.copy()
    for fold, held_out in enumerate(np.array_split(order, 4)):
        training = np.setdiff1d(np.arange(len(X)), held_out)
        seed = 4 * options.seed + fold
        model = gd.MLP(64, 256, 128, 10, dropout=dropout, seed=seed)
        optimizer = gd.AdamW(lr=gd.Cosine(0.006), weight_decay=decay, average=average)
        trainer = gd.Trainer(model, loss="cross_entropy", optimizer=optimizer, batch_size=64, seed=seed, n_threads=1)
        trainer.fit(X[training], y[training], epochs=60, augment=distort if remedies else None, verbose=0)
        y_pred[held_out] = (trainer.averaged if remedies else model).predict(X[held_out])
    return y_pred[HELD_OUT]


orders = {
    "writers seen\nin training": np.random.default_rng(options.seed).permutation(HELD_OUT),
    "new writers": HELD_OUT,
}
figure = plt.figure(figsize=(13, 4.6))
left, right = figure.subfigures(1, 2, width_ratios=(1, 1.25))
ax = left.subplots()
for row, (writers, order) in enumerate(orders.items()):
    plain, helped = (held_out_predictions(order, remedies) for remedies in (False, True))
    before, after = (100 * (y_pred == y[HELD_OUT]).mean() for y_pred in (plain, helped))
    print(f"images by {' '.join(writers.split())}: {before:.2f} % correct without remedies, {after:.2f} % with them")
    ax.plot([before, after], [row, row], color=plot.GREY, linewidth=1, zorder=0)
    for value, color, align in ((before, plot.ORANGE, "right"), (after, plot.BLUE, "left")):
        ax.plot(value, row, "o", color=color, markersize=9)
        ax.text(value, row, f"   {value:.1f}   ", ha=align, va="center", color=color)
    if writers.endswith("training"):
        accuracy = after
ax.plot([], [], "o", color=plot.ORANGE, markersize=9, label="no remedies")
ax.plot([], [], "o", color=plot.BLUE, markersize=9, label="dropout, decay, average, augmentation")
ax.set(title="Accuracy on held-out images", xlabel="accuracy, %", xlim=(95, 100), ylim=(2.2, -0.6))
ax.set_yticks(range(len(orders)), orders)
ax.grid(axis="x")
ax.legend(loc="lower left")

wrong = np.flatnonzero(helped != y[HELD_OUT])
right.suptitle(f"The {len(wrong)} of {len(HELD_OUT)} images by new writers that are still mistaken")
for ax in (panels := right.subplots(-(-len(wrong) // 5), 5)).flat:
    ax.set_axis_off()
for ax, index in zip(panels.flat, wrong, strict=False):
    ax.imshow(X[HELD_OUT][index].reshape(8, 8), vmin=0, vmax=1)
    ax.set_title(f"{y[HELD_OUT][index]}, not {helped[index]}", fontsize="small")
figure.savefig(options.picture)
print(f"result: accuracy on held-out images {accuracy / 100:.4f}")

"""Several labels at once: which digits are in an image with one or two of them, written over each other?

A softmax chooses one class, so it cannot say "a 3 and a 7", nor how many digits there are.  Here each of ten outputs
answers a question of its own, "is there a 3?", by a sigmoid, and the loss is the mean binary cross-entropy of the ten
answers (Zhang & Zhou, "A review on multi-label learning algorithms", 2014).  A digit is reported where its probability
exceeds 1/2; another threshold trades precision (the share of the reports that are right) for recall (the share of the
digits that are found).

The images are pairs of the handwritten digits, four of eight columns of which overlap.  The pairs in the test are made
of digits of which none is in the training.  An answer counts as right if it names exactly the digits that are there.

Run: python multilabel.py [picture.png] [--seed N]
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

parser = argparse.ArgumentParser()
parser.add_argument("picture", nargs="?", default="multilabel.png")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()
plt.style.use(plot.STYLE)
random = np.random.default_rng(options.seed)

digits, y = gd.datasets.digits()
digits = (digits / 16).astype("float32").reshape(-1, 8, 8)  # pixels from 0 to 1


def pairs(rows, n):
    """Make n images (n, 8 x 12) of one or two digits from some rows, and say which digits are in them: (n, 10)."""
    first, second = random.choice(rows, (2, n))
    two = random.random(n) < 2 / 3
    X, Y = np.zeros((n, 8, 12), "float32"), np.zeros((n, 10))
    X[:, :, :8] = digits[first]
    X[two, :, 4:] = np.maximum(X[two, :, 4:], digits[second[two]])
    alone_right = ~two & (random.random(n) < 0.5)
    X[alone_right] = np.roll(X[alone_right], 4, axis=2)
    Y[np.arange(n), y[first]] = 1
    Y[two, y[second[two]]] = 1
    return X.reshape(n, -1), Y


rows = random.permutation(len(digits))
X, Y = pairs(rows[:1300], 20_000)
X_new, Y_new = pairs(rows[1300:], 3000)
model = gd.MLP(96, 256, 128, 10, dropout=0.2, seed=options.seed)
optimizer = gd.AdamW(lr=gd.Cosine(0.003), weight_decay=0.1)
trainer = gd.Trainer(model, loss="bce", optimizer=optimizer, batch_size=100, seed=options.seed, n_threads=1)
trainer.fit(X, Y, epochs=15, verbose=0)

p = model.predict_proba(X_new)
exact = (model.predict(X_new) == Y_new).all(axis=1)
count = Y_new.sum(axis=1)
for n in (1, 2):
    print(f"images with {n} different digits: {exact[count == n].mean():.1%} of the answers are exactly right")
thresholds = np.linspace(0.02, 0.98, 49)
reports = p > thresholds[:, None, None]  # (thresholds, rows, digits)
found = (reports & (Y_new == 1)).sum(axis=(1, 2))
recall, precision = found / Y_new.sum(), found / reports.sum(axis=(1, 2))
print(f"at 1/2: precision {precision[24]:.1%}, recall {recall[24]:.1%}")

figure = plt.figure(figsize=(13, 4.6))
left, right = figure.subfigures(1, 2, width_ratios=(1.5, 1))
left.suptitle("Test images and the probability of each digit (orange: it is there)")
for image, bars in left.subplots(4, 4, width_ratios=(1, 1.6, 1, 1.6)).reshape(8, 2):
    index = random.integers(len(X_new))
    image.imshow(X_new[index].reshape(8, 12), vmin=0, vmax=1)
    image.set_axis_off()
    bars.bar(range(10), p[index], color=np.where(Y_new[index] == 1, plot.ORANGE, plot.GREY))
    bars.axhline(0.5, color="black", linewidth=0.8, linestyle=":")
    bars.set(xticks=range(10), ylim=(0, 1), yticks=(0, 1))
    bars.tick_params(labelsize="small", length=0)
ax = right.subplots()
ax.plot(100 * recall, 100 * precision, color=plot.BLUE, linewidth=2)
for i in (4, 24, 44):
    ax.plot(100 * recall[i], 100 * precision[i], "o", color=plot.BLUE, markersize=7)
    ax.text(100 * recall[i], 100 * precision[i], f"\nthreshold {thresholds[i]:.1f}   ", ha="right", va="top")
ax.set(title="The choice of a threshold", xlabel="recall, %", ylabel="precision, %")
figure.savefig(options.picture)
print(f"result: answers that are exactly right {exact.mean():.4f}")

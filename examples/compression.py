"""Network compression: a small network that is as accurate as the large one which it is made from.

- Pruning sets the smallest weights to 0, little by little, and trains the others in between; `model.prune` sets a mask
  that each later step keeps (Zhu & Gupta, "To prune, or not to prune", ICLR workshop 2018).
- Low rank: a weight matrix W (n_in, n_out) becomes the product of two thin ones, the first singular vectors of W,
  trained further (Sainath et al., "Low-rank matrix factorization for deep neural network training", ICASSP 2013).
- Distillation trains a small network on the large one's answers: probabilities softmax(z / T), which also say what else
  an image could be (Hinton, Vinyals & Dean, "Distilling the knowledge in a neural network", 2015).  The teacher can
  name any image, so that its pupil sees noisy ones as well.

One sees the accuracy on new digits for the number of weights that are left.  Nine of ten weights can go.  Beside them
are small networks trained directly: on images as easy as these, they lose little to distilled ones.

Run: python compression.py [picture.png] [--seed N]
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("picture", nargs="?", default="compression.png")
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
plt.style.use(plot.STYLE)
seed, rng = arguments.seed, np.random.default_rng(arguments.seed)

X, y = gd.datasets.digits()
order = rng.permutation(len(X))
X, y = (X[order] / 16).astype("float32"), y[order]
X_new, y_new, X, y = X[1297:], y[1297:], X[:1297], y[:1297]


def train(model, epochs, rows=X, targets=y, loss="cross_entropy", lr=0.003):
    optimizer = gd.AdamW(lr=gd.Cosine(lr), weight_decay=0.01)
    gd.Trainer(model, loss=loss, optimizer=optimizer, batch_size=32, seed=seed).fit(rows, targets, epochs, verbose=0)
    return model


def accuracy(model):
    return 100 * (model.forward(X_new).argmax(axis=1) == y_new).mean()


def weights(model):
    return sum(np.count_nonzero(values) for name, values in model.parameters().items() if name.endswith("weight"))


large = train(gd.MLP(64, 128, 128, 10, seed=seed), 40)
curves = {name: [] for name in ("pruned", "low rank", "distilled", "trained directly")}

pruned = large[:]
for kept in 0.75 ** np.arange(1, 19):
    pruned.prune(1 - kept)
    train(pruned, 15)
    curves["pruned"].append((weights(pruned), accuracy(pruned)))

for rank in (16, 8, 6, 4, 3, 2):
    layers, values = [], []
    for index, layer in enumerate(large.layers):
        W, b = large.parameters()[f"{index}.weight"], large.parameters()[f"{index}.bias"]
        U, s, V = np.linalg.svd(W, full_matrices=False)
        layers += [
            gd.Dense(len(W), min(rank, len(s)), bias=False),
            gd.Dense(min(rank, len(s)), len(b), layer.activation),
        ]
        values += [(U * s)[:, :rank].ravel(), V[:rank].ravel(), b]
    factored = gd.Sequential(*layers)
    factored.theta = np.concatenate(values)
    curves["low rank"].append((weights(train(factored, 20, lr=0.002)), accuracy(factored)))

T = 3
images = np.repeat(X, 4, axis=0) + rng.choice([0, 0.1, 0.2], (4 * len(X), 1)) * rng.standard_normal((4 * len(X), 64))
images = np.clip(images, 0, 1).astype("float32")
answers = np.exp(large.forward(images) / T)
answers /= answers.sum(axis=1, keepdims=True)
for width in (32, 16, 12, 8, 6, 4, 3):
    pupils, alone = [], []
    for number in range(3):  # small networks differ much from one another
        start = gd.MLP(64, width, 10, activation="tanh", seed=seed + number)
        pupils.append(accuracy(train(start[:], 20, images, answers, "soft_cross_entropy", lr=0.01)))
        alone.append(accuracy(train(start[:], 80, lr=0.01)))
    curves["distilled"].append((weights(start), np.mean(pupils)))
    curves["trained directly"].append((weights(start), np.mean(alone)))

figure, ax = plt.subplots(figsize=(7, 4.6))
ax.axhline(accuracy(large), color="black", linewidth=1, linestyle=":")
ax.annotate(
    f"large network, {weights(large):,} weights",
    (weights(large), accuracy(large)),
    xytext=(0, 8),
    textcoords="offset points",
    ha="right",
)
for color, (name, curve) in zip((plot.BLUE, plot.GREEN, plot.ORANGE, plot.GREY), curves.items(), strict=True):
    ax.plot(*np.transpose(curve), "o-", color=color, linewidth=1.8, markersize=4, label=name)
    print(f"{name}: " + ", ".join(f"{percent:.1f} % with {size:,} weights" for size, percent in curve))
ax.set(
    xscale="log",
    xlabel="weights that are not 0",
    ylabel="accuracy on 500 new digits, %",
    xlim=(130, 40_000),
    ylim=(60, 103),
)
ax.legend(loc="lower right")
figure.savefig(arguments.picture)
size, percent = next(point for point in curves["pruned"] if point[0] < 0.11 * weights(large))
print(f"result: accuracy lost by pruning 90 % of the weights {(accuracy(large) - percent) / 100:.3f}")

"""Domain adaptation: a classifier for images of another kind, of which there are no labels.

A trunk turns images into features; one head names the digit, another one the domain, labelled source or unlabelled
target.  The domain head learns to tell the domains apart.  The trunk learns to name digits and to *prevent* that: the
domain head begins with a layer that reverses the gradient of the features, so that these come to look the same in both
domains and what was learned on one carries over (Ganin et al., "Domain-adversarial training of neural networks", JMLR
17, 2016).

Source: digits as they are.  Targets: other digits, shifted by one pixel, on a noisy background, or with an inverted
margin.  One sees the accuracy on new rows of the target without adaptation, with it, and with the labels of the target
as an upper limit.  Adaptation needs a start: on digits inverted as a whole, where the source alone gives no right
answer, the domains look alike in the end, but each digit like another one.

Run: python domain_adaptation.py [picture.png] [--seed N]
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("picture", nargs="?", default="domain_adaptation.png")
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
plt.style.use(plot.STYLE)
seed, rng = arguments.seed, np.random.default_rng(arguments.seed)
STEPS, BATCH = 1000, 64

X, y = gd.datasets.digits()
order = rng.permutation(len(X))
X, y = (X[order] / 16).astype("float32"), y[order]
source, target, new = slice(0, 700), slice(700, 1300), slice(1300, None)


def shift(X):
    """Move each image to the right by one pixel."""
    moved = np.zeros_like(X).reshape(-1, 8, 8)
    moved[:, :, 1:] = X.reshape(-1, 8, 8)[:, :, :-1]
    return moved.reshape(-1, 64)


DOMAINS = {
    "shifted": shift,
    "noisy": lambda X: np.maximum(X, 0.7 * rng.random(X.shape, "float32")),
    "inverted margin": lambda X: np.where(np.arange(64) % 8 >= 6, 1 - X, X),
}


def train(X_source, y_source, X_target, strength):
    """Train a trunk and its head on labels, and if strength > 0 the trunk against a head for domains."""
    trunk = gd.MLP(64, 32, output="relu", seed=seed)
    reversal = gd.GradientReversal(lambda step: strength * np.tanh(5 * step / STEPS))  # more and more, as in the paper
    digit = gd.MLP(32, 10, seed=seed + 1)
    domain = gd.Sequential(reversal, *gd.MLP(32, 64, 1).stack, seed=seed + 2)
    models = trunk, digit, domain
    optimizers = [gd.AdamW(lr=0.001, betas=(0.5, 0.999), weight_decay=0.01) for _ in models]
    cross_entropy, bce = gd.losses.get("cross_entropy"), gd.losses.get("bce")
    domains = np.repeat(np.float32([[0], [1]]), BATCH, axis=0)
    for _ in range(STEPS):
        rows, others = rng.integers(len(X_source), size=BATCH), rng.integers(len(X_target), size=BATCH)
        A = trunk.forward(np.concatenate([X_source[rows], X_target[others]]))
        dA = np.zeros_like(A)
        _, dZ = cross_entropy.value_and_gradient(digit.forward(A[:BATCH]), y_source[rows])
        dA[:BATCH] = digit.backward(dZ)
        _, dZ = bce.value_and_gradient(domain.forward(A, training=True), domains)
        dA += domain.backward(dZ)
        trunk.backward(dA, input_gradient=False)
        for model, optimizer in zip(models, optimizers, strict=True):
            optimizer.step(model)
    return trunk, digit


def accuracy(trunk, digit, X):
    return (digit.forward(trunk.forward(X)).argmax(axis=1) == y[new]).mean()


scores = {}
for name, change in DOMAINS.items():
    X_target, X_new = change(X[target]), change(X[new])
    scores[name] = [
        accuracy(*train(X[source], y[source], X_target, 0), X_new),
        accuracy(*train(X[source], y[source], X_target, 1), X_new),
        accuracy(*train(X_target, y[target], X_target, 0), X_new),
    ]
    before, adapted, best = scores[name]
    print(f"{name}: source only {before:.1%}, adapted {adapted:.1%}, with labels of the target {best:.1%}")

figure = plt.figure(figsize=(11, 4.4))
left, right = figure.subfigures(1, 2, width_ratios=(1.5, 1))
ax, labels = left.subplots(), ("source only", "adapted, no labels of the target", "labels of the target")
for place, (label, color) in enumerate(zip(labels, (plot.ORANGE, plot.BLUE, plot.GREY), strict=True)):
    heights = [100 * scores[name][place] for name in DOMAINS]
    bars = ax.bar(np.arange(len(DOMAINS)) + 0.27 * (place - 1), heights, 0.25, color=color, label=label)
    ax.bar_label(bars, fmt="%.0f", padding=2)
ax.set_xticks(range(len(DOMAINS)), list(DOMAINS))
ax.set(ylabel="accuracy on new rows of the target, %", ylim=(0, 112), yticks=range(0, 101, 20))
ax.legend(loc="upper center", ncols=3, fontsize="small")
for row, (name, change) in zip(right.subplots(4, 6), {"source": np.copy, **DOMAINS}.items(), strict=True):
    for panel, image in zip(row, change(X[new][:6]), strict=True):
        panel.imshow(image.reshape(8, 8), vmin=0, vmax=1)
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_visible(True)
    row[0].set_ylabel(name.replace(" ", "\n"))
figure.savefig(arguments.picture)
gain = np.mean([adapted - before for before, adapted, _ in scores.values()])
print(f"result: mean gain of adaptation {gain:.3f}")

"""Explanations: which inputs does an answer of the network rest on?

Four maps of the same thing, the logit z of the predicted class of one row:

- saliency, |dz/dx|: where the smallest change has the largest effect (Simonyan, Vedaldi & Zisserman, ICLR 2014);
- SmoothGrad, the mean of dz/dx over noisy copies of the row (Smilkov et al., arXiv 1706.03825);
- integrated gradients: x times the mean of dz/dx on the way from a blank row to x.  They are complete: they add up to
  z(x) - z(blank), which is checked here (Sundararajan, Taly & Yan, ICML 2017);
- occlusion: what z loses when a patch is blanked, without any gradient (Zeiler & Fergus, ECCV 2014).

Whether a map is right can be measured: delete the pixels that it calls important, and see how soon the network changes
its mind, compared with random pixels (the deletion curve of Petsiuk, Das & Saenko, "RISE", BMVC 2018).  The same works
on a table: what a diagnosis of breast cancer rests on, in log-odds.

Run: python explain.py [picture.png] [--seed N], which needs scikit-learn for the table
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer

import fastgd as gd
from fastgd import plot
from fastgd.inspection import input_gradients, integrated_gradients

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("picture", nargs="?", default="explain.png")
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
plt.style.use(plot.STYLE)
seed, rng = arguments.seed, np.random.default_rng(arguments.seed)


def split(X, y, rows):
    """Random rows to train on, and the others."""
    order = rng.permutation(len(X))
    return X[order[:rows]], y[order[:rows]], X[order[rows:]], y[order[rows:]]


X, y, X_new, y_new = split(*gd.datasets.digits(), 1297)
X, X_new = (X / 16).astype("float32"), (X_new / 16).astype("float32")
model = gd.MLP(64, 64, 64, 10, activation="softplus", seed=seed)  # smooth, so that gradients are too
gd.Trainer(model, loss="cross_entropy", optimizer=gd.AdamW(lr=gd.Cosine(0.003)), seed=seed).fit(X, y, 60, verbose=0)


def logits(X, classes):
    return model.forward(X)[np.arange(len(X)), classes]


def smooth_gradients(X, copies=50, width=0.15):
    noisy = np.repeat(X, copies, axis=0)
    noisy = noisy + width * rng.standard_normal(noisy.shape, "float32")
    return input_gradients(model, noisy, np.repeat(model.predict(X), copies)).reshape(len(X), copies, -1).mean(axis=1)


def occlusion(X, size=2):
    """The mean loss of the logit over all patches of size x size pixels that cover a pixel."""
    classes, loss, covers = model.predict(X), np.zeros((len(X), 8, 8)), np.zeros((8, 8))
    for row in range(9 - size):
        for column in range(9 - size):
            patch, blanked = (slice(row, row + size), slice(column, column + size)), X.reshape(-1, 8, 8).copy()
            blanked[:, *patch] = 0
            loss[:, *patch] += (logits(X, classes) - logits(blanked.reshape(-1, 64), classes))[:, None, None]
            covers[patch] += 1
    return (loss / covers).reshape(-1, 64)


integrated = integrated_gradients(model, X_new)
maps = {
    "saliency": np.abs(input_gradients(model, X_new)),
    "SmoothGrad": smooth_gradients(X_new),
    "integrated gradients": integrated.attributions,
    "occlusion": occlusion(X_new),
    "random": rng.random(X_new.shape),
}
error = np.abs(integrated.convergence_delta).max()
print(f"Accuracy {(model.predict(X_new) == y_new).mean():.1%}; completeness holds within {error:.1e} of the logit")

# Deletion: the share of answers that stay, after blanking the k most important of the pixels that have ink.
counts, curves = np.arange(21), {}
for name, importance in maps.items():
    order = np.argsort(-np.where(X_new > 0, importance, -np.inf), axis=1)
    curves[name] = []
    for k in counts:
        blanked = X_new.copy()
        np.put_along_axis(blanked, order[:, :k], 0, axis=1)
        curves[name].append((model.predict(blanked) == model.predict(X_new)).mean())
    print(f"{name}: area under the deletion curve {np.mean(curves[name]):.3f}")

table = load_breast_cancer()
X_train, y_train, X_rows, y_rows = split(table.data, table.target, 400)
diagnosis = gd.MLP(30, 32, 1, activation="softplus", seed=seed)
trainer = gd.Trainer(diagnosis, loss="bce", optimizer=gd.AdamW(lr=0.003), standardize=True, seed=seed)
trainer.fit(X_train, y_train, 60, verbose=0)
shares = integrated_gradients(trainer, X_rows).attributions  # the blank row is the mean of the training rows
size = np.abs(shares).mean(axis=0)
top = np.argsort(-size)[:8]
print(f"Breast cancer: accuracy {(trainer.model.predict(X_rows) == y_rows).mean():.1%}")

figure = plt.figure(figsize=(12, 6.4))
left, right = figure.subfigures(1, 2, width_ratios=(1, 1.1))
names = ["image", *list(maps)[:4]]
axes = left.subplots(5, 5)
for row, image in enumerate(np.argmax(y_new[:, None] == [0, 2, 3, 5, 9], axis=0)):
    for ax, name in zip(axes[row], names, strict=True):
        values = (X_new if name == "image" else maps[name])[image].reshape(8, 8)
        limit = np.abs(values).max()
        colors = {"cmap": "gray_r"} if name == "image" else {"cmap": "RdBu", "vmin": -limit, "vmax": limit}
        ax.imshow(values, **colors)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(True)
        if row == 0:
            ax.set_title(name.replace(" ", "\n"), fontsize=9)
left.suptitle("Blue pixels speak for the predicted digit, red ones against it", fontsize=11)
above, below = right.subplots(2, 1)
for color, (name, curve) in zip((*plot.PALETTE[:4], plot.GREY), curves.items(), strict=True):
    above.plot(counts, 100 * np.array(curve), color=color, linewidth=1.8, label=f"{name}, area {np.mean(curve):.2f}")
above.set(title="Deletion: the lower, the better the map", xlabel="pixels deleted", ylabel="answers that stay, %")
above.set(ylim=(0, 150), yticks=range(0, 101, 20), xlim=(0, 20), xticks=range(0, 21, 5))
above.legend(loc="upper center", ncols=2, fontsize="small")
below.barh(range(len(top)), size[top], color=plot.GREEN, height=0.7)
below.set_yticks(range(len(top)), table.feature_names[top], fontsize=9)
below.invert_yaxis()
below.set(
    title="Breast cancer: integrated gradients, the 8 largest",
    xlabel="mean size of the attribution, log-odds",
)
figure.savefig(arguments.picture)
print(f"result: area under the deletion curve of integrated gradients {np.mean(curves['integrated gradients']):.3f}")

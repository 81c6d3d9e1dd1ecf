"""Class imbalance of 1 in 30: the effect of class weights and of the focal loss on a binary classifier.

A network that never reports the rare class is right 29 times of 30, so accuracy says nothing here.  What counts is
recall, the share of the rare rows that it finds, and precision, the share of its reports that are right.  Class weights
make the rows of both classes count the same in the loss (King & Zeng, "Logistic regression in rare events data", 2001);
the focal loss makes rows count less the better they are already recognised (Lin et al., "Focal loss for dense object
detection", ICCV 2017).  Both move the boundary towards the frequent class: they trade precision for recall.

Run: python imbalance.py [picture.png] [--seed N]
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

parser = argparse.ArgumentParser()
parser.add_argument("picture", nargs="?", default="imbalance.png")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()
plt.style.use(plot.STYLE)


def simulate(rows, seed):
    """Two columns; the rare class lies at the edge of the frequent one."""
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < 1 / 30).astype(int)
    return rng.normal(size=(rows, 2)) * np.where(y, 0.6, 1.0)[:, None] + 1.6 * y[:, None], y


X, y = simulate(3000, seed=2 * options.seed)
X_new, y_new = simulate(30_000, seed=2 * options.seed + 1)
recalls = []
runs = {
    "bce": {"loss": "bce"},
    'bce, class_weight="balanced"': {"loss": "bce", "class_weight": "balanced"},
    "BinaryFocal(gamma=2, alpha=0.9)": {"loss": gd.BinaryFocal(gamma=2, alpha=0.9)},
}
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), width_ratios=(1, 1.2))
for label, color in enumerate((plot.GREY, "black")):
    left.scatter(*X[y == label].T, s=7, color=color, alpha=0.25 + 0.6 * label, linewidth=0, label=f"class {label}")
grid = np.linspace(-3.5, 3.5, 200)
plane = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
for row, (color, (name, settings)) in enumerate(zip(plot.PALETTE, runs.items(), strict=False)):
    model = gd.MLP(2, 32, 1, activation="tanh", seed=options.seed)
    common = {"optimizer": gd.Adam(lr=gd.Cosine(0.01)), "batch_size": 100, "seed": options.seed, "n_threads": 1}
    trainer = gd.Trainer(model, loss=settings["loss"], **common)
    trainer.fit(X, y, epochs=60, class_weight=settings.get("class_weight"), verbose=0)
    y_pred = model.predict(X_new)
    recall, precision = y_pred[y_new == 1].mean(), y_new[y_pred == 1].mean()
    recalls.append(recall)
    print(f"{name}: accuracy {(y_pred == y_new).mean():.1%}, recall {recall:.0%}, precision {precision:.0%}")
    p = model.predict_proba(plane)[:, 1].reshape(200, 200)
    left.contour(grid, grid, p, [0.5], colors=color, linewidths=2)
    left.plot([], [], color=color, linewidth=2, label=name)
    percent = 100 * recall, 100 * precision
    right.barh([row - 0.2, row + 0.2], percent, 0.36, color=[color, "white"], edgecolor=color, linewidth=1.5)
left.set(title="Decision boundaries (class 1 above)", xlabel="x1", ylabel="x2", aspect="equal")
left.set(xlim=(-3.5, 3.5), ylim=(-3.5, 3.5))
figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5)
for label, color in (("recall", plot.GREY), ("precision", "white")):
    right.barh(0, 0, color=color, edgecolor=plot.GREY, linewidth=1.5, label=label)
right.set(title="On new rows", xlabel="recall and precision of class 1, %", xlim=(0, 100), yticks=[])
right.legend(loc="upper right")
right.invert_yaxis()
figure.savefig(options.picture)
print(f"result: recall with class weights {recalls[1]:.3f}")

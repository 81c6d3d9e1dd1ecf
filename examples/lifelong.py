"""Life-long learning: tasks that come one after another, and what becomes of the earlier ones.

Five tasks tell two digits apart, a different pair each.  One network with a single output learns them in turn, and does
not see the rows of earlier tasks again, except for those in a small memory:

- plain training forgets: each task overwrites the ones before;
- elastic weight consolidation (EWC) adds lambda/2 sum F (theta - theta')^2 to the loss for each earlier task: theta' is
  where it ended, and F, the diagonal of its Fisher information, says how much each parameter mattered for it
  (Kirkpatrick et al., "Overcoming catastrophic forgetting in neural networks", PNAS 114, 2017);
- replay adds rows of a memory to each batch, here of 20 rows a task (Rolnick et al., "Experience replay for continual
  learning", NeurIPS 2019).

One sees the accuracy on each task (columns) after each task (rows): down a column, a task is forgotten.  Where tasks
share their outputs, penalties are known to help, but far less than replay (van de Ven & Tolias, "Three scenarios for
continual learning", arXiv 1904.07734).

Run: python lifelong.py [picture.png] [--seed N]
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("picture", nargs="?", default="lifelong.png")
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
plt.style.use(plot.STYLE)
seed, rng = arguments.seed, np.random.default_rng(arguments.seed)
STEPS, BATCH, TRAINED = 150, 32, 1297

X, y = gd.datasets.digits()
order, pairs = rng.permutation(len(X)), rng.permutation(10).reshape(5, 2)
X, y = (X[order] / 16).astype("float32"), y[order]
target = np.isin(y, pairs[:, 1]).astype("float32")[:, None]  # 1 for the second digit of each pair
rows_of = [np.flatnonzero(np.isin(y, pair)) for pair in pairs]
TASKS = [rows[rows < TRAINED] for rows in rows_of]
NEW = [rows[rows >= TRAINED] for rows in rows_of]
bce = gd.losses.get("bce")


def learn(strength=0, memory_rows=0):
    """Learn the tasks in turn, with EWC of a strength lambda or with a memory; return accuracies (after, on task)."""
    model, optimizer, accuracy = gd.MLP(64, 256, 1, seed=seed), gd.Adam(lr=0.001), np.empty((5, 5))
    anchors, memory = [], gd.ReplayBuffer(max(1, 5 * memory_rows), seed=seed)
    for task, rows in enumerate(TASKS):
        for _ in range(STEPS):
            batch = rng.choice(rows, BATCH)
            if len(memory):
                batch = np.concatenate([batch, memory.sample(BATCH)["row"]])
            _, dZ = bce.value_and_gradient(model.forward(X[batch]), target[batch])
            model.backward(dZ, input_gradient=False)
            for importance, theta in anchors:
                model.grad[:] += strength * importance * (model.theta - theta)
            optimizer.step(model)
        if strength:
            anchors.append((model.fisher_diagonal(X[rows], None, "bce", labels="model"), model.theta.copy()))
        if memory_rows:
            memory.extend(row=rows[:memory_rows])
        accuracy[task] = [((model.forward(X[new]) > 0) == target[new]).mean() for new in NEW]
    return accuracy


METHODS = {"plain training": {}, "EWC": {"strength": 1000}, "replay of 20 rows": {"memory_rows": 20}}
figure, axes = plt.subplots(1, 3, figsize=(11, 3.7), sharey=True)
names = [f"{a} or {b}" for a, b in pairs]
for ax, (name, settings) in zip(axes, METHODS.items(), strict=True):
    accuracy = learn(**settings)
    last, forgotten = accuracy[-1].mean(), (accuracy.max(axis=0) - accuracy[-1])[:-1].mean()
    print(f"{name}: mean accuracy {last:.1%} at the end; {forgotten:.1%} forgotten of each earlier task")
    shown = np.where(np.tri(5), 100 * accuracy, np.nan)  # tasks not yet learned stay blank
    image = ax.imshow(shown, cmap="Blues", vmin=50, vmax=100)
    for (after, on), percent in np.ndenumerate(shown):
        if on <= after:
            ax.text(on, after, f"{percent:.0f}", ha="center", va="center", color="white" if percent > 75 else "black")
    ax.set(title=f"{name}: {last:.0%} at the end", xlabel="task")
    ax.set_xticks(range(5), names)
    ax.set_yticks(range(5), names)
    ax.spines[:].set_visible(False)
axes[0].set_ylabel("after learning the task")
figure.colorbar(image, ax=axes, label="accuracy on new rows of the task, %")
figure.savefig(arguments.picture)
print(f"result: mean accuracy with replay {last:.3f}")

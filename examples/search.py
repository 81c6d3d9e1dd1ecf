"""A search over 200 settings at once: successive halving, and the ensemble that it leaves behind.

200 networks with widths, learning rate, momentum, dropout and weight decay of their own are trained on images of digits
as one population.  After 2, 4, 8 and 16 epochs the better half goes on (successive halving: Jamieson & Talwalkar,
"Non-stochastic best arm identification", AISTATS 2016), so that all of them cost as much as 38 trained to the end.
Then members are chosen greedily, each time the one whose vote helps most on validation rows (Caruana et al., "Ensemble
selection from libraries of models", ICML 2004).

Run: python search.py [picture.png] [--seed N]
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

parser = argparse.ArgumentParser()
parser.add_argument("picture", nargs="?", default="search.png")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()
plt.style.use(plot.STYLE)

SETTINGS, EPOCHS = 200, 32
X, y = gd.datasets.digits()
X = X / np.float32(16)
random = np.random.default_rng(options.seed)
order = random.permutation(len(X))
training, held_out, test = np.split(order, [1000, 1400])


def draw(i):
    """A trainer with settings that are drawn at random."""
    widths = [int(width) for width in 2 ** random.uniform(3, 7, random.integers(1, 3))]
    rate, momentum = 10 ** random.uniform(-3.5, 0.5), float(random.choice([0.0, 0.9]))
    decay, dropout = 10 ** random.uniform(-6, -2), float(random.choice([0.0, 0.1, 0.3]))
    model = gd.MLP(64, *widths, 10, dropout=dropout, seed=i)
    optimizer = gd.SGD(gd.Cosine(rate), momentum=momentum, weight_decay=decay)
    return gd.Trainer(model, loss="cross_entropy", optimizer=optimizer, batch_size=32, seed=i)


trainers = [draw(i) for i in range(SETTINGS)]
rates = [trainer.optimizer.lr.lr for trainer in trainers]
population = gd.Population(trainers)
rows = {"rows": training, "validation_rows": held_out}
histories = population.fit_halving(X, y, EPOCHS, factor=2, min_epochs=2, verbose=0, **rows)
epochs = np.array([len(history["epoch"]) for history in histories])
best = population.best()
ensemble = population.select(X[held_out], y[held_out])
accuracy = ensemble.score(X[test], y[test])
alone = best.evaluate(X[test], y[test])["accuracy"]
print(f"{SETTINGS} settings took {epochs.sum()} epochs; {len(population)} of them were trained for all {EPOCHS}")
print(f"the best has hidden layers of {[layer.n_out for layer in best.model.layers[:-1]]}, and {best.optimizer}")
print(
    f"on {len(test)} new images the best has an accuracy of {alone:.1%}, an ensemble of {len(ensemble)} {accuracy:.1%}"
)

figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6))
for history in histories:
    is_last = len(history["epoch"]) == EPOCHS
    color, width = (plot.ORANGE, 1.6) if is_last else (plot.GREY, 0.6)
    left.plot(history["epoch"], history["validation_loss"], color=color, linewidth=width, zorder=2 if is_last else 1)
left.plot([], color=plot.ORANGE, label=f"trained for all {EPOCHS} epochs")
left.plot([], color=plot.GREY, linewidth=0.6, label="dropped before")
left.legend(loc="upper right", frameon=True, framealpha=1, edgecolor="none")
stops = [int(stop) for stop in np.unique(epochs)]
for stop in stops[:-1]:
    left.axvline(stop, color="black", linewidth=0.6, linestyle="--")
left.set(title=f"{SETTINGS} settings, halved at each dashed line", xlabel="epoch", ylabel="validation loss")
left.set(yscale="log", xscale="log", ylim=(0.02, 6))
left.set_xticks([1, *stops], [1, *stops])
left.set_xticks([], minor=True)
points = right.scatter(
    rates,
    [history["validation_accuracy"][-1] for history in histories],
    c=np.log2(epochs),
    s=18,
    cmap="viridis",
)
right.set(title="Where the good settings are", xlabel="learning rate", ylabel="last validation accuracy", xscale="log")
bar = figure.colorbar(points, ax=right, label="epochs of training")
bar.set_ticks(np.log2(stops), labels=stops)
figure.savefig(options.picture)
print(f"result: accuracy of the chosen ensemble {accuracy:.4f}")

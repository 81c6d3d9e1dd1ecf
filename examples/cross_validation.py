"""Cross-validation: how wide a network should be, and how far to trust the answer.

Networks of seven widths are trained on some images as one population, with a member for each width and fold: it leaves
the images of its fold out, and is validated on them.  Three repetitions divide the images anew, so the mean of each
over its folds is another estimate of the same accuracy (Kohavi, "A study of cross-validation and bootstrap for accuracy
estimation and model selection", IJCAI 1995).  The smallest width whose accuracy is within one standard error of the
best is chosen (Breiman et al., "Classification and regression trees", 1984) and trained on all of the images; others,
which took no part, tell whether the estimate was right.

Run: python cross_validation.py [picture.png] [--seed N]
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

parser = argparse.ArgumentParser()
parser.add_argument("picture", nargs="?", default="cross_validation.png")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()
plt.style.use(plot.STYLE)

WIDTHS, REPETITIONS, FOLDS, EPOCHS = [2, 4, 8, 16, 32, 64, 128], 3, 5, 25
X, y = gd.datasets.digits()
X = X / np.float32(16)
random = np.random.default_rng(options.seed)
training, new = np.split(random.permutation(len(X)), [900])


def member(width, seed):
    """A trainer of a network with one hidden layer."""
    model = gd.MLP(64, width, 10, seed=seed)
    return gd.Trainer(model, loss="cross_entropy", optimizer=gd.Adam(gd.Cosine(0.01)), batch_size=32)


foldings = [np.array_split(random.permutation(training), FOLDS) for _ in range(REPETITIONS)]
folds = [fold for folding in foldings for fold in folding]
seed = 1000 * options.seed
population = gd.Population([member(width, seed + i) for width in WIDTHS for i in range(len(folds))])
validation_rows = folds * len(WIDTHS)
rows = [np.setdiff1d(training, fold) for fold in validation_rows]
histories = population.fit(X, y, EPOCHS, rows=rows, validation_rows=validation_rows, verbose=0)

curves = np.array([history["validation_accuracy"] for history in histories])
curves = curves.reshape(len(WIDTHS), REPETITIONS, FOLDS, EPOCHS)
scores = curves[..., -1].reshape(len(WIDTHS), -1)
means, spreads = scores.mean(axis=1), scores.std(axis=1)
errors = curves[..., -1].mean(axis=2).std(axis=1, ddof=1)  # how far the mean of another repetition may be off
best = means.argmax()
chosen = int(np.argmax(means >= means[best] - errors[best]))
for width, mean, spread in zip(WIDTHS, means, spreads, strict=True):
    print(f"width {width:3d}: accuracy {mean:.3f}, standard deviation over the folds {spread:.3f}")

final = member(WIDTHS[chosen], seed)
final.fit(X[training], y[training], EPOCHS, verbose=0)
accuracy = final.evaluate(X[new], y[new])["accuracy"]
estimate = means[chosen]
print(f"width {WIDTHS[chosen]} was chosen: {accuracy:.3f} on {len(new)} new images, where {estimate:.3f} was expected")

figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6))
for curve in curves[chosen].reshape(-1, EPOCHS):
    left.plot(np.arange(1, EPOCHS + 1), curve, color=plot.BLUE, linewidth=0.6, alpha=0.6)
left.plot(np.arange(1, EPOCHS + 1), curves[chosen].mean(axis=(0, 1)), color=plot.ORANGE, linewidth=2, label="mean")
left.set(title=f"{len(folds)} folds of width {WIDTHS[chosen]}", xlabel="epoch", ylabel="accuracy on the fold left out")
left.set(ylim=(0.7, 1))
left.legend(loc="lower right")
beside = np.exp(random.uniform(-0.08, 0.08, scores.shape)) * np.array(WIDTHS)[:, np.newaxis]
right.plot(beside.ravel(), scores.ravel(), ".", color=plot.GREY, markersize=4)
right.errorbar(WIDTHS, means, spreads, color=plot.BLUE, capsize=4, label="mean and standard deviation of the folds")
right.plot(WIDTHS[chosen], accuracy, "o", color=plot.ORANGE, markersize=8, label="new images, chosen width")
right.set(title="Which width?", xlabel="hidden units", ylabel="accuracy on the fold left out", xscale="log")
right.set(ylim=(max(0, scores.min() - 0.03), 1))
right.set_xticks(WIDTHS, labels=[str(width) for width in WIDTHS], minor=False)
right.minorticks_off()
right.legend(loc="lower right")
figure.savefig(options.picture)
print(f"result: distance of the estimate from the accuracy on new images {abs(accuracy - estimate):.4f}")

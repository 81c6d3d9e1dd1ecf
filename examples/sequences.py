"""Sequences for a network without memory: windows that slide over a series, and bags of characters from a text.

A dense network takes rows of a fixed length.  A series becomes such rows by a window: a few past values predict a
later one.  That they can is Takens' theorem ("Detecting strange attractors in turbulence", 1981): for a system with few
degrees of freedom, enough past values of one quantity stand for its whole state.  Here it is the concentration of blood
cells in the equation of Mackey & Glass, "Oscillation and chaos in physiological control systems", Science 1977, whose
delay makes it chaotic, in the usual test: x(t - 18), x(t - 12), x(t - 6), x(t) predict x(t + 6), 500 rows for training,
the next 500 for the test.  The error is stated as a share of the standard deviation of x (NDEI): 0.006 here.  Jang,
"ANFIS: adaptive-network-based fuzzy inference system", 1993, has 0.19 for autoregression, 0.02 for a network of that
time and 0.007 for his own method.  Fed with its own predictions, the network continues the series alone, until chaos
has enlarged its errors.

A text becomes a row by counting its characters and forgetting their order.  The counts alone tell English, Python and C
apart, the more surely the longer the piece.  English is scikit-learn's descriptions of data sets, Python some
modules of the standard library, C the headers of NumPy, the last two without comments and strings; a third of the
files, none of whose pieces is in the training, is the test.

Run: python sequences.py [picture.png] [--seed N]
"""

import argparse
import inspect
import io
import re
import tokenize
from importlib import import_module, resources
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

parser = argparse.ArgumentParser()
parser.add_argument("picture", nargs="?", default="sequences.png")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()
plt.style.use(plot.STYLE)


def mackey_glass(length, delay=17, per_unit=10):
    """x(0), x(1) ... of dx/dt = 0.2 x(t - delay) / (1 + x(t - delay)^10) - 0.1 x(t) by Heun's method."""
    step, lag = 1 / per_unit, delay * per_unit
    x = np.zeros(lag + length * per_unit)  # x(t) = 0 before t = 0
    x[lag] = 1.2
    for i in range(lag, len(x) - 1):
        now, later = (0.2 * then / (1 + then**10) for then in x[i - lag : i - lag + 2])
        slope = now - 0.1 * x[i]
        x[i + 1] = x[i] + step / 2 * (slope + later - 0.1 * (x[i] + step * slope))
    return x[lag::per_unit]


def ndei(y_pred, y):
    """Non-dimensional error index: the root mean squared error over the standard deviation."""
    return np.sqrt(np.mean((y_pred - y) ** 2)) / y.std()


AHEAD, PAST = 6, np.array([-18, -12, -6, 0])
x = mackey_glass(1200)
t = np.arange(118, 1118)
windows, later = x[t[:, None] + PAST], x[t + AHEAD]
train, test = slice(500), slice(500, None)
model = gd.MLP(4, 64, 64, 1, activation="silu", seed=options.seed)
optimizer = gd.Adam(lr=gd.Cosine(0.01))
trainer = gd.Trainer(model, loss="mse", optimizer=optimizer, seed=options.seed, standardize=True, n_threads=1)
trainer.fit(windows[train], later[train], epochs=1000, verbose=0)
with_one = np.c_[windows, np.ones(len(windows))]
linear = with_one @ np.linalg.lstsq(with_one[train], later[train], rcond=None)[0]
error = ndei(model.predict(windows[test]), later[test])
print(f"Mackey-Glass: NDEI {error:.4f} of the network, {ndei(linear[test], later[test]):.2f} of a linear prediction")

first, steps = 630, 500  # the network knows x(t) before `first`, and continues it
alone = x.copy()
alone[first:] = np.nan
for i in range(first, first + steps):
    alone[i] = model.predict(alone[None, i - AHEAD + PAST]).item()


def python_code(module):
    """A module without comments and strings."""
    tokens = tokenize.generate_tokens(io.StringIO(inspect.getsource(import_module(module))).readline)
    return " ".join(token.string for token in tokens if token.type in (tokenize.NAME, tokenize.OP))


def characters(files):
    """The first 30,000 visible ASCII characters of some files."""
    return re.sub("[^!-~]", "", "".join(files))[:30_000].encode()


modules = ["argparse", "ast", "csv", "difflib", "fractions", "heapq", "inspect", "random", "tarfile", "textwrap"]
descriptions = [path for path in resources.files("sklearn.datasets.descr").iterdir() if path.suffix == ".rst"]
headers = [path.read_text("utf-8") for path in sorted(Path(np.get_include(), "numpy").glob("*.h"))]
random = np.random.default_rng(options.seed)
corpus = {}
for name, files in {
    "English": [path.read_text("utf-8") for path in sorted(descriptions)],
    "Python": [python_code(module) for module in modules],
    "C": [re.sub(r'/\*.*?\*/|"[^"\n]*"', "", header, flags=re.DOTALL) for header in headers],
}.items():
    files = [files[i] for i in random.permutation(len(files))]
    third = len(files) // 3
    corpus[name] = {"training": characters(files[third:]), "test": characters(files[:third])}


def table(part, length):
    """Shares of the 94 characters in pieces of a length, (pieces, 94), and the languages of the pieces."""
    codes = [np.frombuffer(texts[part], "uint8") - ord("!") for texts in corpus.values()]
    pieces = [code[: len(code) // length * length].reshape(-1, length) for code in codes]
    counts = np.apply_along_axis(np.bincount, 1, np.concatenate(pieces), minlength=94)
    return counts / length, np.repeat(list(corpus), [len(rows) for rows in pieces])


lengths = 2, 5, 10, 20, 50, 100
recall = {name: [] for name in corpus}
for length in lengths:
    X, y = table("training", length)
    X_new, y_new = table("test", length)
    reader = gd.MLP(94, 32, 3, dropout=0.2, seed=options.seed)
    settings = {"batch_size": 100, "seed": options.seed, "n_threads": 1}
    trainer = gd.Trainer(reader, loss="cross_entropy", optimizer=gd.Adam(lr=gd.Cosine(0.01)), **settings)
    trainer.fit(X, y, epochs=20, class_weight="balanced", verbose=0)
    for name, shares in recall.items():
        shares.append((reader.predict(X_new[y_new == name]) == name).mean())
    found = ", ".join(f"{name} {shares[-1]:.0%}" for name, shares in recall.items())
    print(f"pieces of {length} characters ({len(y)} for training, {len(y_new)} in the test): recognised {found}")

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(16, 4.4))
left.plot(t[test] + AHEAD, later[test], color=plot.GREY, linewidth=3, alpha=0.5, label="x(t)")
left.plot(t[test] + AHEAD, linear[test], color=plot.ORANGE, linewidth=1, label="linear prediction")
left.plot(t[test] + AHEAD, model.predict(windows[test]), color=plot.BLUE, linewidth=1.2, label="network")
left.set(title=f"Prediction from a window, 6 steps ahead (NDEI {error:.3f})", xlabel="time t", ylabel="x")
left.set(xlim=(624, 924), ylim=(0.2, 1.7))
span = np.arange(first - 50, first + steps)
middle.plot(span, x[span], color=plot.GREY, linewidth=3, alpha=0.5, label="x(t)")
middle.plot(span[50:], alone[span[50:]], color=plot.BLUE, linewidth=1.2, label="network, continuing alone")
middle.axvline(first, color="black", linewidth=1, linestyle=":")
middle.set(title="The series continued without further values", xlabel="time t", ylabel="x", ylim=(0.2, 1.7))
for color, (name, shares) in zip(plot.PALETTE, recall.items(), strict=False):
    right.plot(lengths, 100 * np.array(shares), "o-", color=color, linewidth=1.8, label=name)
right.axhline(100 / 3, color=plot.GREY, linewidth=1, linestyle=":", label="guessing")
right.set(title="Languages told apart by shares of characters", xlabel="characters in a piece", ylabel="recognised, %")
right.set(xscale="log", ylim=(0, 102))
right.set_xticks(lengths, lengths)
right.minorticks_off()
for ax, place, columns in ((left, "upper left", 3), (middle, "upper right", 2), (right, "lower right", 1)):
    ax.legend(loc=place, ncols=columns)
figure.savefig(options.picture)
print(f"result: NDEI of the network {error:.4f}")

"""Every activation with its derivative, and its accuracy on handwritten digits; the figure of docs/activations.md.

Run: python activations.py [picture.png]
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

plt.style.use(plot.STYLE)
PANELS = {
    "sigmoids": ("sigmoid", "hard_sigmoid", "tanh", "hard_tanh"),
    "linear by parts": ("relu", "leaky_relu", "relu6"),
    "smooth for negative z": ("elu", "selu", "softplus"),
    "not monotonic": ("silu", "hard_swish", "mish", "gelu", "gelu_tanh"),
}
LIMITS = {"sigmoids": (-1.2, 1.2), "not monotonic": (-0.6, 3.4)}


def derivative(activation, z):
    """f'(z): `backward` for a gradient of 1."""
    x = activation.forward(z) if activation.saved == "a" else z
    return activation.backward(x, np.ones_like(z))


z = np.linspace(-5, 7.5, 1251)
figure, axes = plt.subplots(2, 4, figsize=(13, 6), sharex=True)
for (title, names), (above, below) in zip(PANELS.items(), axes.T, strict=True):
    widths = np.linspace(4, 1.4, len(names))  # no curve hides another
    for name, color, width in zip(names, plot.PALETTE, widths, strict=False):
        activation = gd.activations.get(name)
        style = {"color": color, "linewidth": width}
        if name == "gelu_tanh":  # an approximation of gelu that differs by less than the width of a line
            style |= {"color": "black", "linestyle": ":"}
        above.plot(z, activation.forward(z), label=name, **style)
        below.plot(z, derivative(activation, z), **style)
    above.set(title=title, ylim=LIMITS.get(title, (-2.2, 7.6)))
    below.set(xlabel="z", xticks=range(-4, 8, 2), ylim=(-0.6, 1.9))
    above.legend(loc="lower right" if title == "sigmoids" else "upper left")
    for ax in (above, below):
        ax.axhline(0, color=plot.GREY, linewidth=0.6, zorder=0)
axes[0, 0].set_ylabel("a = f(z)")
axes[1, 0].set_ylabel("f'(z)")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "activations.png", dpi=100)

X, y = gd.datasets.digits()
X, test = X / 16, slice(1000, None)  # the test rows are by other writers
for name in sum(PANELS.values(), ()):
    model = gd.MLP(64, 32, 10, activation=name, seed=0)
    gd.Trainer(model, loss="cross_entropy").fit(X[:1000], y[:1000], epochs=10, verbose=0)
    print(f"{name:12}  {(model.predict(X[test]) == y[test]).mean():.1%} accuracy on new digits after 10 epochs")

"""Every activation with its derivative, and its accuracy on handwritten digits; the figure of docs/activations.md.

Run: python activations.py [picture.png]
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

PANELS = {
    "bounded": ("sigmoid", "hard_sigmoid", "tanh", "hard_tanh", "relu6"),
    "monotonic, unbounded": ("relu", "leaky_relu", "elu", "selu", "softplus"),
    "not monotonic": ("silu", "hard_swish", "gelu", "gelu_tanh", "mish"),
}


def derivative(activation, z):
    """f'(z): `backward` for a gradient of 1."""
    x = activation.forward(z) if activation.saved == "a" else z
    return activation.backward(x, np.ones_like(z))


z = np.linspace(-5, 6.5, 1151)
figure, axes = plt.subplots(2, 3, figsize=(11, 6.4), sharex=True, sharey="row", layout="constrained")
for (title, names), (above, below) in zip(PANELS.items(), axes.T, strict=True):
    for i, (name, color) in enumerate(zip(names, plot.PALETTE, strict=False)):
        activation = gd.activations.get(name)
        style = {"color": color, "linewidth": 3.2 - 0.5 * i}  # no curve hides another
        above.plot(z, activation.forward(z), label=name, **style)
        below.plot(z, derivative(activation, z), **style)
    above.set(title=title, xticks=range(-4, 7, 2), ylim=(-2.2, 6.9))
    below.set(xlabel="z", ylim=(-0.6, 1.9))
    above.legend(frameon=False, loc="upper left")
    for ax in (above, below):
        ax.axhline(0, color=plot.GREY, linewidth=0.6, zorder=0)
        ax.spines[["top", "right"]].set_visible(False)
axes[0, 0].set_ylabel("a = f(z)")
axes[1, 0].set_ylabel("f'(z)")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "activations.png", dpi=120)

X, y = gd.datasets.digits()
X, test = X / 16, slice(1000, None)  # the test rows are by other writers
for name in sum(PANELS.values(), ()):
    model = gd.MLP(64, 32, 10, activation=name, seed=0)
    gd.Trainer(model, loss="cross_entropy").fit(X[:1000], y[:1000], epochs=10, verbose=0)
    print(f"{name:12}  {(model.predict(X[test]) == y[test]).mean():.1%} accuracy on new digits after 10 epochs")

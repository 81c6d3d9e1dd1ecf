"""A learning rate that is too high never converges, but the average of theta does; and the norms of its gradients.

The loss of theta itself jumps up and down to the end, and only luck decides in which epoch it is low; the averages stay
low.

Run: python averages.py [picture.png]
"""

import sys

import matplotlib.pyplot as plt

import fastgd as gd
from fastgd import plot

plt.style.use(plot.STYLE)
X, y = gd.datasets.digits()
X = X / 16  # pixels from 0 to 1
X_new, y_new = X[1000:], y[1000:]  # other writers, never trained on


def train(**settings):
    """Train with the same network, row order and rate; validation uses the average of theta if there is one."""
    optimizer = gd.SGD(
        lr=0.3,
        momentum=0.9,
        weight_decay=1e-3,
        clip_norm=1.0,  # limits the effect of batches with large gradients
        groups={"*.bias": {"weight_decay": 0.0}},  # no decay of biases
        **settings,
    )
    model = gd.MLP(64, 64, 10, seed=0)
    trainer = gd.Trainer(model, loss="cross_entropy", optimizer=optimizer, batch_size=16, accumulate=2, seed=0)
    return trainer.fit(X[:1000], y[:1000], 40, validation=(X_new, y_new), verbose=0), trainer


runs = {
    "SWA(start=10)": {"average": gd.SWA(start=10)},
    "EMA(0.99)": {"average": gd.EMA(0.99)},
    "theta itself": {},
}
figure, (losses, norms) = plt.subplots(1, 2, figsize=(11, 4.4))
for name, settings in runs.items():
    history, trainer = train(**settings)
    model = trainer.averaged if settings else trainer.model
    accuracy, last = (model.predict(X_new) == y_new).mean(), history["validation_loss"][-10:]
    print(f"{name}: loss in the last ten epochs {min(last):.2f} to {max(last):.2f}, accuracy {accuracy:.1%}")
    label = f"{name}, last ten epochs {min(last):.2f} to {max(last):.2f}"
    losses.plot(history["epoch"], history["validation_loss"], label=label)
losses.set(
    title="Loss on digits of other writers", xlabel="epoch", ylabel="cross-entropy, nat", xlim=(1, 40), ylim=(0, 0.9)
)
losses.legend()
norms.plot(history["epoch"], history["grad_norm"], color=plot.GREY)
norms.axhline(1.0, color=plot.ORANGE, linestyle="--", label="clip_norm")
norms.set(
    title="Norm of the gradient before clipping",
    xlabel="epoch",
    ylabel="mean of the epoch",
    xlim=(1, 40),
    ylim=(0, None),
)
norms.legend()
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "averages.png")

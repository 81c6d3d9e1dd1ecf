"""A learning rate that is too high never converges, but the average of theta does; and the norms of its gradients.

Run: python averages.py [picture.png]
"""

import sys

import matplotlib.pyplot as plt

import fastgd as gd

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
figure, (losses, norms) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
for name, settings in runs.items():
    history, trainer = train(**settings)
    model = trainer.averaged if settings else trainer.model
    accuracy = (model.predict(X_new) == y_new).mean()
    print(f"{name}: loss on new rows {history['validation_loss'][-1]:.3f}, accuracy {accuracy:.1%}")
    losses.plot(history["epoch"], history["validation_loss"], label=f"{name}, accuracy {accuracy:.1%}")
losses.set(title="Loss on new rows", xlabel="epoch", ylim=(0.15, 0.9))
losses.legend(frameon=False)
norms.plot(history["epoch"], history["grad_norm"], color="gray")
norms.axhline(1.0, color="black", linestyle=":", label="clip_norm")
norms.set(title="Norm of the gradient before clipping, mean per epoch", xlabel="epoch", yscale="log")
norms.legend(frameon=False)
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "averages.png", dpi=150)

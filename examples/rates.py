"""Choosing a learning rate: the range test suggests one, schedules change it during the training.

Run: python rates.py [picture.png]
"""

import sys

import matplotlib.pyplot as plt

import fastgd as gd
from fastgd import plot

plt.style.use(plot.STYLE)
X, y = gd.datasets.digits()
X = X / 16  # pixels from 0 to 1
EPOCHS = 15


def model():
    return gd.MLP(64, 64, 10, seed=0)


test = gd.lr_finder(model(), X, y, loss="cross_entropy", optimizer=gd.SGD(momentum=0.9))
rate = test.suggestion
print(f"the loss falls fastest at a rate of {rate:.2g}")
schedules = {
    "constant, a tenth": rate / 10,
    "constant": rate,
    "Warmup(Cosine), 3 times": gd.Warmup(gd.Cosine(3 * rate), 2),
    "OneCycle, 4 times": gd.OneCycle(4 * rate),
    "custom: rate / (1 + t / 5)": lambda epoch: rate / (1 + epoch / 5),
}
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.4))
test.plot(ax=left)
for color, (name, lr) in zip(plot.PALETTE, schedules.items(), strict=False):
    trainer = gd.Trainer(model(), loss="cross_entropy", optimizer=gd.SGD(lr=lr, momentum=0.9), seed=0)
    history = trainer.fit(X, y, EPOCHS, validation=0.2, verbose=0)
    print(f"{name}: validation loss {history['validation_loss'][-1]:.3f} after {EPOCHS} epochs")
    middle.plot(history["epoch"], history["lr"], "o-", color=color, markersize=4)
    right.plot(history["epoch"], history["validation_loss"], "o-", color=color, markersize=4, label=name)
middle.set(title="Learning rate at the end of each epoch", xlabel="epoch", yscale="log", ylim=(1e-3, 1))
right.set(title="Validation loss", xlabel="epoch", ylim=(0, 0.6))
right.legend(fontsize="small")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "rates.png")

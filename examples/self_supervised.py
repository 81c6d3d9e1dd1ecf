"""Self-supervised learning: images without labels teach a network what digits look like; a few labels then suffice.

Labels are expensive, images are not.  A denoising autoencoder makes a task out of images alone: it is given a spoilt
image and has to restore the original (Vincent et al., "Stacked denoising autoencoders", JMLR 2010).  Here an image is
spoilt by noise and by turning, zooming and moving it at random.  To put it upright again, the network has to find out
what it shows.  Its first two layers, the encoder, then get a new last layer, which learns the digits from a few
labelled images while the encoder is frozen; after that, all layers are adjusted by small steps.

The same network is trained from scratch on the same labels, also with distorted images as augmentation.  All are tested
on 500 images of which nothing was used in either training, and averaged over draws of the labelled images.

Run: python self_supervised.py [picture.png] [--seed N]
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

parser = argparse.ArgumentParser()
parser.add_argument("picture", nargs="?", default="self_supervised.png")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()
plt.style.use(plot.STYLE)
random = np.random.default_rng(options.seed)

X, y = gd.datasets.digits()
X = (X / 16).astype("float32")  # pixels from 0 to 1
distort = gd.RandomAffine(degrees=15, translate=(0.125, 0.125), scale=(0.9, 1.1), shape=(8, 8))
rows = random.permutation(len(X))
unlabelled, test = rows[500:], rows[:500]


def spoil(batch, rng):
    """Distort each image and add noise to its pixels."""
    return distort(batch, rng) + rng.normal(0, 0.2, batch.shape)


def train(model, X, y, loss="cross_entropy", lr=0.003, epochs=120, augment=None):
    """Train a network, by one step per epoch on all rows if they are few."""
    settings = {"batch_size": 32 if len(X) > 100 else None, "seed": options.seed, "n_threads": 1}
    trainer = gd.Trainer(model, loss=loss, optimizer=gd.Adam(lr=gd.Cosine(lr)), **settings)
    trainer.fit(X, y, epochs=epochs, augment=augment, verbose=0)


autoencoder = gd.MLP(64, 256, 128, 256, 64, seed=options.seed)
train(autoencoder, X[unlabelled], X[unlabelled], loss="mse", lr=0.002, epochs=60, augment=spoil)
encoder = autoencoder[:2]  # 64-256-128, with copies of the parameters


def draw(labels, seed):
    """Indices of some labelled images of each class."""
    shuffled = np.random.default_rng(seed).permutation(unlabelled)
    return np.concatenate([shuffled[y[shuffled] == digit][:labels] for digit in range(10)])


def accuracies(labels, seed):
    """Accuracy on the test images of the three networks, trained on a number of labels of each class."""
    few = draw(labels, seed)
    scratch, augmented = gd.MLP(64, 256, 128, 10, seed=seed), gd.MLP(64, 256, 128, 10, seed=seed)
    train(scratch, X[few], y[few])
    train(augmented, X[few], y[few], augment=distort)
    pretrained = encoder + gd.MLP(128, 10, seed=seed)
    pretrained.freeze("0.*", "1.*")  # first the new layer alone,
    train(pretrained, X[few], y[few], lr=0.01)
    pretrained.unfreeze()  # then all layers, by small steps
    train(pretrained, X[few], y[few], lr=0.0005, augment=distort)
    return [100 * (model.predict(X[test]) == y[test]).mean() for model in (scratch, augmented, pretrained)]


DRAWS, counts = 5, (1, 2, 5, 10)
names = {
    "from scratch": plot.GREY,
    "from scratch, distorted images": plot.ORANGE,
    "encoder of the autoencoder": plot.BLUE,
}
percent = np.array([[accuracies(n, 100 * options.seed + k) for k in range(DRAWS)] for n in counts])
for n, means in zip(counts, percent.mean(axis=1), strict=True):
    shown = ", ".join(f"{name} {mean:.1f} %" for name, mean in zip(names, means, strict=True))
    print(f"{n} labels a class: {shown}")

figure = plt.figure(figsize=(12, 4.6))
left, right = figure.subfigures(1, 2, width_ratios=(1, 1.1))
left.suptitle("Test images: original, corrupted, restored")
images = X[[test[y[test] == digit][0] for digit in range(7)]]
spoilt = spoil(images, random)
for row, pictures in zip(left.subplots(3, 7), (images, spoilt, autoencoder.predict(spoilt)), strict=True):
    for ax, image in zip(row, pictures, strict=True):
        ax.imshow(image.reshape(8, 8), vmin=0, vmax=1)
        ax.set_axis_off()
ax = right.subplots()
for (name, color), values in zip(names.items(), percent.transpose(2, 0, 1), strict=True):
    ax.fill_between(counts, values.min(axis=1), values.max(axis=1), color=color, alpha=0.12, linewidth=0)
    ax.plot(counts, values.mean(axis=1), "o-", color=color, linewidth=2, label=name)
ax.set(title=f"Mean and range of {DRAWS} draws of labelled images", xlabel="labelled images of each class")
ax.set(ylabel="test accuracy, %", xscale="log")
ax.set_xticks(counts, counts)
ax.minorticks_off()
ax.legend(loc="lower right")
figure.savefig(options.picture)
scratch, augmented, pretrained = percent[counts.index(5)].mean(axis=0)
print(f"result: percentage points gained with 5 labels a class {pretrained - max(scratch, augmented):.2f}")

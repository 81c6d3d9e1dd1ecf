"""Generative adversarial networks: a generator learns to draw samples from a critic that learns to tell them from data.

The generator G maps noise to samples; no sample has a target.  The discriminator D is a binary classifier of real rows
against generated ones.  In turn, D takes a step on the cross-entropy of its answers, and G a step on the same loss with
the labels exchanged: the gradient of a sample, dL/dx, comes back through D and continues through G (the non-saturating
loss of Goodfellow et al., "Generative adversarial nets", NeurIPS 2014).

Two additions make the game stable.  Noise on the inputs of D, real and generated alike, lets the two distributions
overlap, so that D always has a gradient to give; it shrinks to 0 (Arjovsky & Bottou, "Towards principled methods for
training generative adversarial networks", ICLR 2017).  Samples are drawn by a running mean of G's parameters, which
does not circle around the equilibrium as G itself does (Yazici et al., "The unusual effectiveness of averaging in GAN
training", ICLR 2019).

One sees a generator find all eight modes of a mixture of Gaussians, where a GAN that collapses keeps a few of them
(Metz et al., "Unrolled generative adversarial networks", ICLR 2017), and another one write digits.  A classifier
trained on real digits is the judge: it should be sure of each sample, and find all ten digits equally often.

Run: python gan.py [picture.png] [--seed N]
"""

import argparse
import math

import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("picture", nargs="?", default="gan.png")
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
plt.style.use(plot.STYLE)
seed, rng = arguments.seed, np.random.default_rng(arguments.seed)
bce = gd.losses.get("bce")


def normal(*shape):
    return rng.standard_normal(shape, "float32")


def train(draw_real, G, D, batch, rates, noise, stops):
    """Play the game until the last of the stops; return copies of the averaged generator at each of them."""
    steps, mean, copies = stops[-1], G[:], []
    G_optimizer, D_optimizer = (gd.Adam(lr=rate, betas=(0.5, 0.999)) for rate in rates)
    ones, zeros = np.ones((batch, 1), "float32"), np.zeros((batch, 1), "float32")
    for step in range(1, steps + 1):
        spread = np.float32(noise * max(0, 1 - step / (0.6 * steps)))
        fake = G.forward(normal(batch, G.n_in)) + spread * normal(batch, G.n_out)
        real = draw_real(batch) + spread * normal(batch, G.n_out)
        for samples, target, accumulate in ((real, ones, False), (fake, zeros, True)):
            _, dZ = bce.value_and_gradient(D.forward(samples, training=True), target)
            D.backward(dZ, accumulate=accumulate, input_gradient=False)
        D_optimizer.step(D)
        _, dZ = bce.value_and_gradient(D.forward(fake, training=True), ones)
        G.backward(D.backward(dZ), input_gradient=False)
        G_optimizer.step(G)
        mean.copy_parameters(G, tau=min(1, 10 / step))
        if step in stops:
            copies.append(mean[:])
    return copies


CENTRES = 2 * np.array([(math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)) for k in range(8)], "float32")
WIDTH = np.float32(0.1)  # standard deviation of each mode


def mixture(n):
    return CENTRES[rng.integers(8, size=n)] + WIDTH * normal(n, 2)


STOPS = (100, 1200, 1800, 3000)
G = gd.MLP(8, 64, 64, 2, seed=seed)
D = gd.MLP(2, 64, 64, 1, activation="leaky_relu", seed=seed + 1)
generators = train(mixture, G, D, batch=256, rates=(0.004, 0.004), noise=1, stops=STOPS)
clouds = [mixture(2000), *(generator.predict(normal(2000, G.n_in)) for generator in generators)]
distances = np.linalg.norm(clouds[-1][:, None] - CENTRES, axis=2)  # (samples, modes)
good = distances.min(axis=1) < 3 * WIDTH  # 98.9 % of the real points are
shares = np.bincount(distances.argmin(axis=1)[good], minlength=8) / len(good)
covered = (shares > 0.02).sum()

X, y = gd.datasets.digits()
X = (X / 16).astype("float32")
judge = gd.MLP(64, 64, 10, seed=0)
gd.Trainer(judge, loss="cross_entropy", optimizer=gd.AdamW(lr=gd.Cosine(0.005)), seed=0).fit(X, y, 30, verbose=0)


def judged(images):
    """The judge's mean confidence in its answers, and the entropy of these in nat: at best 1 and log(10) = 2.30."""
    answers = judge.predict_proba(images)
    share = np.bincount(answers.argmax(axis=1), minlength=10) / len(images)
    return answers.max(axis=1).mean(), -sum(p * math.log(p) for p in share if p > 0)


G = gd.MLP(16, 128, 128, 64, output="sigmoid", seed=seed)
D = gd.MLP(64, 128, 128, 1, activation="leaky_relu", dropout=0.3, seed=seed + 1)
(writer,) = train(lambda n: X[rng.integers(len(X), size=n)], G, D, 64, rates=(0.002, 0.001), noise=0.5, stops=(3000,))
written = writer.predict(normal(2000, G.n_in))

figure = plt.figure(figsize=(11, 6.8))
top, bottom = figure.subfigures(2, 1, height_ratios=(1.05, 1.45))
for ax, cloud, title in zip(top.subplots(1, 5, sharey=True), clouds, ("real", *STOPS), strict=True):
    ax.scatter(*cloud.T, s=3, linewidth=0, alpha=0.5, color=plot.GREY if title == "real" else plot.BLUE)
    ax.set(title=title if title == "real" else f"step {title:,}", aspect="equal", xlim=(-3, 3), ylim=(-3, 3))
top.suptitle(f"Mixture of eight Gaussians: {covered} modes covered, {good.mean():.0%} of the samples good")
for ax, images, title in zip(bottom.subplots(1, 2), (X[:96], written[:96]), ("Real", "Generated"), strict=True):
    sheet = np.pad(images.reshape(8, 12, 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)))
    ax.imshow(sheet.swapaxes(1, 2).reshape(80, 120), vmin=0, vmax=1)
    confidence, entropy = judged(X if title == "Real" else written)
    ax.set_title(f"{title} digits: confidence {confidence:.2f}, entropy {entropy:.2f} nat")
    ax.axis("off")
    print(
        f"{title} digits: mean confidence of the classifier {confidence:.2f}, entropy of its labels {entropy:.2f} nat"
    )
figure.savefig(arguments.picture)
print("Share of samples in each mode:", *(f"{share:.1%}" for share in shares))
print(f"result: share of good samples in {covered} of 8 modes {good.mean():.3f}")

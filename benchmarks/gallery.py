"""Updates of custom training loops of the gallery, in steps per second, and of the same loops in PyTorch.

    OMP_NUM_THREADS=1 python -m benchmarks.gallery              needs PyTorch

Networks, batches and optimizers are those of examples/gan.py (mixture of Gaussians), examples/cartpole.py (DQN) and
examples/meta.py (Reptile on sinusoids).  Contenders take turns in one process; the median of the turns counts.
"""

import copy
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch

import fastgd as gd

Step = Callable[[], object]

TURNS, SECONDS = 9, 0.25  # turns of each contender, and their length
random = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return random.standard_normal(shape, "float32")


def network(*widths: int, activation: type[torch.nn.Module] = torch.nn.ReLU) -> torch.nn.Sequential:
    layers = [part for pair in zip(widths, widths[1:], strict=False) for part in (torch.nn.Linear(*pair), activation())]
    return torch.nn.Sequential(*layers[:-1])


def gan() -> Step:
    """Both updates of a step of a GAN, batch 256, and the average of the generator."""
    G, D = gd.MLP(8, 64, 64, 2, seed=0), gd.MLP(2, 64, 64, 1, activation="leaky_relu", seed=1)
    mean, bce, (G_optimizer, D_optimizer) = G[:], gd.BCE(), (gd.Adam(lr=1e-4, betas=(0.5, 0.999)) for _ in range(2))
    ones, zeros, real = np.ones((256, 1), "float32"), np.zeros((256, 1), "float32"), normal(256, 2)

    def step() -> None:
        fake = G.forward(normal(256, 8))
        for samples, target, accumulate in ((real, ones, False), (fake, zeros, True)):
            _, dZ = bce.value_and_gradient(D.forward(samples), target)
            D.backward(dZ, accumulate=accumulate, input_gradient=False)
        D_optimizer.step(D)
        _, dZ = bce.value_and_gradient(D.forward(fake), ones)
        G.backward(D.backward(dZ), input_gradient=False)
        G_optimizer.step(G)
        mean.copy_parameters(G, tau=0.01)

    return step


def gan_torch() -> Step:
    G, D = network(8, 64, 64, 2), network(2, 64, 64, 1, activation=torch.nn.LeakyReLU)
    mean, bce = copy.deepcopy(G), torch.nn.BCEWithLogitsLoss()
    G_optimizer, D_optimizer = (torch.optim.Adam(m.parameters(), lr=1e-4, betas=(0.5, 0.999)) for m in (G, D))
    ones, zeros, real = torch.ones(256, 1), torch.zeros(256, 1), torch.randn(256, 2)

    def step() -> None:
        fake = G(torch.randn(256, 8))
        D_optimizer.zero_grad()
        (bce(D(real), ones) + bce(D(fake.detach()), zeros)).backward()
        D_optimizer.step()
        G_optimizer.zero_grad()
        bce(D(fake), ones).backward()
        G_optimizer.step()
        follow(mean, G, 0.01)

    return step


def dqn() -> Step:
    """An update of double DQN, batch 128, from a memory of 50,000 transitions, and of its slow copy."""
    Q, optimizer, rows = gd.MLP(4, 64, 64, 2, activation="tanh", seed=0), gd.Adam(lr=1e-4), np.arange(128)
    slow, memory = Q[:], gd.ReplayBuffer(50_000, seed=0)
    memory.extend(s=normal(50_000, 4), a=random.integers(2, size=50_000), r=normal(50_000), s_next=normal(50_000, 4))

    def step() -> None:
        m = memory.sample(128)
        target = m["r"] + np.float32(0.99) * slow.predict(m["s_next"])[rows, Q.predict(m["s_next"]).argmax(axis=1)]
        Z = Q.forward(m["s"])
        dZ = np.zeros_like(Z)
        dZ[rows, m["a"]] = (Z[rows, m["a"]] - target) / 128
        Q.backward(dZ, input_gradient=False)
        optimizer.step(Q)
        slow.copy_parameters(Q, tau=0.005)

    return step


def dqn_torch() -> Step:
    Q = network(4, 64, 64, 2, activation=torch.nn.Tanh)
    slow, optimizer = copy.deepcopy(Q), torch.optim.Adam(Q.parameters(), lr=1e-4)
    s, s_next, r = torch.randn(50_000, 4), torch.randn(50_000, 4), torch.randn(50_000)
    a = torch.randint(2, (50_000, 1))

    def step() -> None:
        at = torch.randint(50_000, (128,))
        with torch.no_grad():
            best = Q(s_next[at]).argmax(dim=1, keepdim=True)
            target = r[at] + 0.99 * slow(s_next[at]).gather(1, best)[:, 0]
        optimizer.zero_grad()
        (0.5 * (Q(s[at]).gather(1, a[at])[:, 0] - target).square().mean()).backward()
        optimizer.step()
        follow(slow, Q, 0.005)

    return step


def reptile() -> Step:
    """A task of Reptile: ten steps of SGD on ten points by a copy of the network, then a step towards the copy."""
    model, mse, x, y = gd.MLP(1, 64, 64, 1, activation="tanh", seed=0), gd.MSE(), normal(10, 1), normal(10, 1)

    def step() -> None:
        adapted, optimizer = model[:], gd.SGD(lr=0.01)
        for _ in range(10):
            _, dZ = mse.value_and_gradient(adapted.forward(x), y)
            adapted.backward(dZ, input_gradient=False)
            optimizer.step(adapted)
        model.copy_parameters(adapted, tau=0.1)

    return step


def reptile_torch() -> Step:
    model, mse = network(1, 64, 64, 1, activation=torch.nn.Tanh), torch.nn.MSELoss()
    x, y = torch.randn(10, 1), torch.randn(10, 1)

    def step() -> None:
        adapted = copy.deepcopy(model)
        optimizer = torch.optim.SGD(adapted.parameters(), lr=0.01)
        for _ in range(10):
            optimizer.zero_grad()
            mse(adapted(x), y).backward()
            optimizer.step()
        follow(model, adapted, 0.1)

    return step


@torch.no_grad()
def follow(slow: torch.nn.Module, fast: torch.nn.Module, tau: float) -> None:
    """Parameters of `slow` move towards those of `fast`."""
    torch._foreach_lerp_(list(slow.parameters()), list(fast.parameters()), tau)


def rate(step: Step) -> float:
    """Steps per second in one turn."""
    begun, steps = time.perf_counter(), 0
    while time.perf_counter() < begun + SECONDS:
        for _ in range(5):
            step()
        steps += 5
    return steps / (time.perf_counter() - begun)


def main() -> None:
    torch.set_num_threads(1)
    for name, ours, theirs in (("GAN", gan, gan_torch), ("DQN", dqn, dqn_torch), ("Reptile", reptile, reptile_torch)):
        steps = ours(), theirs()
        rates = np.array([[rate(step) for step in steps] for _ in range(TURNS)])
        fast, slow = (median(column) for column in rates.T)
        print(f"| {name} | {fast:,.0f} | {slow:,.0f} | {median(rates[:, 0] / rates[:, 1]):.1f} |")


if __name__ == "__main__":
    main()

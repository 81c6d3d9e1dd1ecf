"""Clipping, penalties, groups, averages, accumulation are PyTorch's: 50 steps in float64, on every engine."""

import copy

import numpy as np
import pytest
from torch_optimizers import TORCH_OPTIMIZERS

import fastgd as gd
from fastgd.optimizers import OPTIMIZERS

torch = pytest.importorskip("torch")
F = torch.nn.functional

ROWS, BATCH, EPOCHS, STEPS = 100, 10, 5, 50
RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(ROWS, 6)), RNG.integers(3, size=ROWS)


@pytest.fixture(autouse=True)
def in_float64():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def twins():
    """One 6-8-3 tanh classifier, here and in PyTorch."""
    model = gd.MLP(6, 8, 3, activation="tanh", seed=1, dtype="float64")
    other = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    for i, layer in enumerate((other[0], other[2])):
        layer.weight.data = torch.tensor(model.parameters()[f"{i}.weight"].T.copy())
        layer.bias.data = torch.tensor(model.parameters()[f"{i}.bias"].copy())
    return model, other


def theta_of(other):
    """PyTorch's parameters in our layout."""
    net = getattr(other, "module", other)
    return np.concatenate([p.detach().numpy().T.ravel() for layer in (net[0], net[2]) for p in layer.parameters()])


def train_torch(other, optimizer, before_step=lambda net: None, after_step=lambda step: None, batch=BATCH):
    for step in range(EPOCHS * ROWS // batch):
        rows = slice(step * batch % ROWS, step * batch % ROWS + batch)
        optimizer.zero_grad()
        F.cross_entropy(other(torch.tensor(X[rows])), torch.tensor(Y[rows])).backward()
        before_step(other)
        optimizer.step()
        after_step(step)


def train(model, optimizer, **options):
    trainer = gd.Trainer(
        model, loss="cross_entropy", optimizer=optimizer, shuffle=False, **{"batch_size": BATCH} | options
    )
    trainer.fit(X, Y, epochs=EPOCHS, verbose=0)
    return trainer


def check(theta, other):
    np.testing.assert_allclose(theta, theta_of(other), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", TORCH_OPTIMIZERS)
def test_clip_by_norm(engine, name):
    model, other = twins()
    norms = []
    train_torch(
        other,
        TORCH_OPTIMIZERS[name](other.parameters(), lr=0.01, weight_decay=0.01),
        lambda net: norms.append(torch.nn.utils.clip_grad_norm_(net.parameters(), 0.3).item()),
    )
    trainer = train(model, OPTIMIZERS[name](lr=0.01, weight_decay=0.01, clip_norm=0.3))
    check(model.theta, other)
    assert max(norms) > 0.3
    np.testing.assert_allclose(trainer.history["grad_norm"], np.reshape(norms, (EPOCHS, -1)).mean(axis=1), rtol=1e-9)


@pytest.mark.parametrize("name", TORCH_OPTIMIZERS)
def test_clip_by_value_and_l1(engine, name):
    model, other = twins()

    def before_step(net):
        torch.nn.utils.clip_grad_value_(net.parameters(), 0.05)
        for p in net.parameters():
            p.grad += 0.01 * torch.sign(p.detach())

    train_torch(other, TORCH_OPTIMIZERS[name](other.parameters(), lr=0.01, weight_decay=0.02), before_step)
    train(model, OPTIMIZERS[name](lr=0.01, weight_decay=0.02, clip_value=0.05, l1=0.01))
    check(model.theta, other)


@pytest.mark.parametrize("name", TORCH_OPTIMIZERS)
def test_parameter_groups(engine, name):
    model, other = twins()
    groups = [
        {"params": [other[0].weight, other[2].weight]},
        {"params": [other[0].bias], "lr": 0.02, "weight_decay": 0.0},
        {"params": [other[2].bias], "lr": 0.005, "weight_decay": 0.2},
    ]
    train_torch(other, TORCH_OPTIMIZERS[name](groups, lr=0.01, weight_decay=0.1))
    factors = {"*.bias": {"lr": 2.0, "weight_decay": 0.0}, "1.bias": {"lr": 0.5, "weight_decay": 2.0}}
    train(model, OPTIMIZERS[name](lr=0.01, weight_decay=0.1, groups=factors))
    check(model.theta, other)


def test_swa(engine):
    """The mean of theta at the ends of epochs 2 to 5."""
    model, other = twins()
    swa = torch.optim.swa_utils.AveragedModel(other)
    steps = ROWS // BATCH

    def after_step(step):
        if (step + 1) % steps == 0 and (step + 1) // steps >= 2:
            swa.update_parameters(other)

    train_torch(other, torch.optim.SGD(other.parameters(), lr=0.1, momentum=0.9), after_step=after_step)
    trainer = train(model, gd.SGD(lr=0.1, momentum=0.9, average=gd.SWA(start=2)))
    check(model.theta, other)
    check(trainer.averaged.theta, swa)


def test_ema(engine):
    """After the start, which PyTorch leaves to the user: w_t = max(1 - decay, 1 / t)."""
    model, other = twins()
    ema = torch.optim.swa_utils.AveragedModel(
        other, avg_fn=lambda mean, p, done: mean + max(1 - 0.9, 1 / (int(done) + 1)) * (p - mean)
    )
    train_torch(
        other, torch.optim.Adam(other.parameters(), lr=0.01), after_step=lambda step: ema.update_parameters(other)
    )
    trainer = train(model, gd.Adam(lr=0.01, average=gd.EMA(0.9)))
    check(trainer.averaged.theta, ema)


@pytest.mark.parametrize("decay", [0.0, 0.9, 0.999])
def test_ema_of_pytorch(engine, decay):
    model, other = twins()
    ema = torch.optim.swa_utils.AveragedModel(other, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(decay))
    train_torch(
        other, torch.optim.Adam(other.parameters(), lr=0.01), after_step=lambda step: ema.update_parameters(other)
    )
    trainer = train(model, gd.Adam(lr=0.01, average=gd.EMA(decay, warmup=False)))
    check(trainer.averaged.theta, ema)


def test_ema_of_pytorch_from_a_first_theta(engine):
    """What `get_ema_avg_fn` computes, started where ours is after 10 steps: then both keep 0.9 of the average."""
    model, other = twins()
    optimizer, mean = torch.optim.SGD(other.parameters(), lr=0.1), []
    ema = torch.optim.swa_utils.AveragedModel(other, avg_fn=torch.optim.swa_utils.get_ema_avg_fn(0.9))

    def after_step(step):
        mean.append([p.detach().clone() for p in other.parameters()])
        if step == 9:
            with torch.no_grad():
                for p, *thetas in zip(ema.module.parameters(), *mean, strict=True):
                    p.copy_(torch.stack(thetas).mean(dim=0))
            ema.n_averaged += 1
        elif step > 9:
            ema.update_parameters(other)

    train_torch(other, optimizer, after_step=after_step)
    check(train(model, gd.SGD(lr=0.1, average=gd.EMA(0.9))).averaged.theta, ema)


@pytest.mark.parametrize("accumulate", [2, 3, 10])
def test_accumulation(engine, accumulate):
    """Gradients of some batches, each loss divided by their number; of 3 the last group of an epoch has 1."""
    model, other = twins()
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1, momentum=0.9)
    for _ in range(EPOCHS):
        for first in range(0, ROWS, BATCH * accumulate):
            optimizer.zero_grad()
            starts = range(first, min(first + BATCH * accumulate, ROWS), BATCH)
            for start in starts:
                rows = slice(start, start + BATCH)
                (F.cross_entropy(other(torch.tensor(X[rows])), torch.tensor(Y[rows])) / len(starts)).backward()
            torch.nn.utils.clip_grad_norm_(other.parameters(), 0.3)
            optimizer.step()
    trainer = train(model, gd.SGD(lr=0.1, momentum=0.9, clip_norm=0.3), accumulate=accumulate)
    assert trainer.step == EPOCHS * -(-10 // accumulate)
    check(model.theta, other)


def test_one_cycle_of_rate_and_momentum(engine):
    """PyTorch's scheduler cycles both, per step; its peak is at step 0.3 T - 1, its end at step T - 1."""
    model, other = twins()
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.3, total_steps=STEPS)
    train_torch(other, optimizer, after_step=lambda step: scheduler.step() if step < STEPS - 1 else None)
    span = {"peak": (0.3 * STEPS - 1) / (STEPS - 1), "epochs": (STEPS - 1) / 10}
    lr, momentum = gd.OneCycle(0.3, **span), gd.OneCycle(0.85, start=0.95, final=0.95, **span)
    train(model, gd.SGD(lr=lr, momentum=momentum))
    check(model.theta, other)


def test_optimizers_can_be_copied_with_their_settings():
    optimizer = gd.SGD(average=gd.EMA(0.9), groups={"*.bias": {"lr": 2.0}})
    assert repr(copy.deepcopy(optimizer)) == repr(optimizer)

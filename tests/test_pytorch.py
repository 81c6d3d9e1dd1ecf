"""The definitions mean what PyTorch means: losses, activations, and 50 steps of each optimizer, in float64."""

from types import SimpleNamespace

import numpy as np
import pytest
from problems import EACH_ACTIVATION, LOSS_CASES, targets
from torch_optimizers import TORCH_OPTIMIZERS

from fastgd import activations, losses, schedules
from fastgd.engine import numpy_engine
from fastgd.engine.chunk import Chunk
from fastgd.optimizers import OPTIMIZERS

torch = pytest.importorskip("torch")
F = torch.nn.functional

ROUNDING = 1e-12  # both compute in float64, in another order; 50 steps let the last bits grow

TORCH_ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": torch.sigmoid,
    "hard_sigmoid": lambda z: F.relu6(z + 3) / 6,  # the backward pass of F.hardsigmoid has 1/6 in float32
    "tanh": torch.tanh,
    "hard_tanh": F.hardtanh,
    "relu": torch.relu,
    "leaky_relu": F.leaky_relu,
    "relu6": F.relu6,
    "elu": F.elu,
    "selu": F.selu,
    "softplus": lambda z: F.softplus(z, threshold=100),
    "silu": F.silu,
    "hard_swish": F.hardswish,
    "gelu": F.gelu,
    "gelu_tanh": lambda z: F.gelu(z, approximate="tanh"),
    "mish": F.mish,
    "softmax": lambda z: F.softmax(z, dim=-1),
}


def mean_of(f, **settings):
    """A loss of PyTorch on each output, as the mean of each row."""
    return lambda Z, Y: f(Z, Y, reduction="none", **settings).mean(dim=1)


def focal(cross_entropy, gamma, weight=1.0):
    """Of binary or categorical cross-entropies: with p = e^-ce, weight (1 - p)^gamma ce."""
    return weight * (1 - torch.exp(-cross_entropy)) ** gamma * cross_entropy


def cross_entropy(Z, Y, **settings):
    return F.cross_entropy(Z, Y if Y.shape[1] > 1 else Y[:, 0], reduction="none", **settings)


def smooth(Y, e):
    """The targets of Keras' BinaryCrossentropy(label_smoothing=e)."""
    return Y * (1 - e) + e / 2


def binary_focal(Z, Y, gamma=2.0, alpha=None, label_smoothing=0.0):
    """torchvision's sigmoid_focal_loss, which is Keras' BinaryFocalCrossentropy, for any y in [0, 1]."""
    Y, p = smooth(Y, label_smoothing), torch.sigmoid(Z)
    p_t = p * Y + (1 - p) * (1 - Y)
    value = F.binary_cross_entropy_with_logits(Z, Y, reduction="none") * (1 - p_t) ** gamma
    return (value if alpha is None else (alpha * Y + (1 - alpha) * (1 - Y)) * value).mean(dim=1)


def smoothed_focal(Z, Y, gamma, alpha, e):
    """Keras' CategoricalFocalCrossentropy on softmax(Z), without the clipping of probabilities at 1e-7."""
    t, p = F.one_hot(Y[:, 0], Z.shape[1]) * (1 - e) + e / Z.shape[1], F.softmax(Z, dim=1)
    return (alpha * (1 - p) ** gamma * -t * F.log_softmax(Z, dim=1)).sum(dim=1)


def pinball(Z, Y, quantiles):
    q, d = torch.tensor(quantiles).repeat(Z.shape[1] // len(quantiles)), Y - Z
    return torch.maximum(q * d, (q - 1) * d).mean(dim=1)


bce = F.binary_cross_entropy_with_logits
TORCH_LOSSES = {  # the loss of each row
    "mse": mean_of(F.mse_loss),
    "mae": mean_of(F.l1_loss),
    "huber": mean_of(F.huber_loss),
    "huber, small delta": mean_of(F.huber_loss, delta=0.25),
    "log_cosh": lambda Z, Y: torch.log(torch.cosh(Z - Y)).mean(dim=1),
    "quantile": lambda Z, Y: pinball(Z, Y, [0.5]),
    "three quantiles": lambda Z, Y: pinball(Z, Y, [0.1, 0.5, 0.75]),
    "poisson": mean_of(F.poisson_nll_loss),
    "gamma": lambda Z, Y: (Y / torch.exp(Z) + Z).mean(dim=1),
    "cross_entropy": cross_entropy,
    "smoothed cross_entropy": lambda Z, Y: cross_entropy(Z, Y, label_smoothing=0.1),
    "soft_cross_entropy": cross_entropy,
    "smoothed soft_cross_entropy": lambda Z, Y: cross_entropy(Z, Y, label_smoothing=0.25),
    "kl_div": lambda Z, Y: F.kl_div(F.log_softmax(Z, dim=1), Y, reduction="none").sum(dim=1),
    "focal": lambda Z, Y: focal(cross_entropy(Z, Y), 2.0),
    "focal, weights": lambda Z, Y: focal(cross_entropy(Z, Y), 1.5, torch.tensor([0.25, 1, 2]).repeat(2)[Y[:, 0]]),
    "focal, flat": cross_entropy,
    "smoothed focal": lambda Z, Y: smoothed_focal(Z, Y, 2.0, 1.0, 0.1),
    "smoothed focal, weights": lambda Z, Y: smoothed_focal(Z, Y, 0.5, torch.tensor([0.25, 1, 2]).repeat(2), 0.25),
    "smoothed focal, flat": lambda Z, Y: cross_entropy(Z, Y, label_smoothing=0.1),
    "bce": mean_of(bce),
    "weighted bce": mean_of(bce, pos_weight=torch.tensor([3.0])),
    "bce, weights": mean_of(bce, pos_weight=torch.tensor([0.5, 2.0, 4.0]).repeat(2)),
    "smoothed bce": lambda Z, Y: mean_of(bce)(Z, smooth(Y, 0.1)),
    "smoothed bce, weights": lambda Z, Y: mean_of(bce, pos_weight=torch.tensor([0.5, 2.0, 4.0]).repeat(2))(
        Z, smooth(Y, 0.25)
    ),
    "binary_focal": binary_focal,
    "binary_focal, flat": mean_of(bce),
    "smoothed binary_focal": lambda Z, Y: binary_focal(Z, Y, 1.5, 0.25, 0.1),
    "binary_focal, weights": lambda Z, Y: binary_focal(Z, Y, 0.5, 0.25),
    "hinge": lambda Z, Y: F.relu(1 - Y * Z).mean(dim=1),
    "squared_hinge": lambda Z, Y: (F.relu(1 - Y * Z) ** 2).mean(dim=1),
}
# The same names in PyTorch; {} compares the defaults (for SGD, PyTorch's lr is 0.001).
SETTINGS: dict[str, list[dict[str, object]]] = {
    "sgd": [
        {"lr": 0.01},
        {"lr": 0.1, "weight_decay": 0.1},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
        {"lr": 0.1, "momentum": 0.8, "dampening": 0.3},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    ],
    "rmsprop": [
        {},
        {"alpha": 0.9, "eps": 1e-6, "weight_decay": 0.1},
        {"momentum": 0.9},
        {"centered": True},
        {"centered": True, "momentum": 0.8, "weight_decay": 0.01},
    ],
    "adagrad": [{}, {"lr": 0.1, "lr_decay": 0.05, "weight_decay": 0.1, "initial_accumulator_value": 0.2, "eps": 1e-6}],
    "adadelta": [{}, {"lr": 0.5, "rho": 0.8, "eps": 1e-5, "weight_decay": 0.1}],
    "adam": [
        {},
        {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6},
        {"lr": 0.01, "weight_decay": 0.1},
        {"lr": 0.01, "betas": (0.8, 0.6), "weight_decay": 0.1, "amsgrad": True},
    ],
    "adamw": [{}, {"lr": 0.01, "betas": (0.8, 0.95)}, {"lr": 0.01, "weight_decay": 0.3, "amsgrad": True}],
    "nadam": [
        {},
        {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1, "momentum_decay": 0.05},
        {"lr": 0.01, "weight_decay": 0.3, "decoupled_weight_decay": True},
    ],
    "radam": [
        {},
        {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1},
        {"lr": 0.01, "weight_decay": 0.3, "decoupled_weight_decay": True},
    ],
}


@pytest.fixture(autouse=True)
def in_float64():
    """Also the scalars that an optimizer keeps: NAdam's product of momenta."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.parametrize("f", EACH_ACTIVATION, ids=str)
def test_activation(f):
    rng = np.random.default_rng(0)
    z, g = np.append(rng.normal(scale=4, size=198), [-3, -1, 0, 1, 3, 6]), rng.normal(size=204)
    z, g = z.reshape(-1, 6), g.reshape(-1, 6)
    z_torch = torch.tensor(z, requires_grad=True)
    a_torch = TORCH_ACTIVATIONS[f.name](z_torch, *f.params)
    a_torch.backward(torch.tensor(g))
    a = f.forward(z)
    np.testing.assert_allclose(a, a_torch.detach().numpy(), rtol=1e-14, atol=1e-15)  # its GELU cancels in the tail
    np.testing.assert_allclose(f.backward(a if f.saved == "a" else z, g), z_torch.grad.numpy(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", LOSS_CASES)
def test_loss(name):
    loss, rng = LOSS_CASES[name], np.random.default_rng(1)
    Z = rng.normal(scale=3, size=(20, 6))
    Y = targets(rng, loss, *Z.shape)
    Z_torch = torch.tensor(Z, requires_grad=True)
    rows = TORCH_LOSSES[name](Z_torch, torch.tensor(Y))
    rows.sum().backward()
    np.testing.assert_allclose(loss.per_row(Z, Y), rows.detach().numpy(), rtol=1e-12)
    scale = max(1, np.abs(Z_torch.grad.numpy()).max())
    np.testing.assert_allclose(loss.gradient(Z, Y), Z_torch.grad.numpy(), rtol=0, atol=1e-14 * scale)


STEPS, ROWS = 50, 10


def problem():
    """Theta, data and batches (STEPS, ROWS) of a 6-8-3 tanh classifier."""
    rng = np.random.default_rng(2)
    X, Y = rng.normal(size=(100, 6)), rng.integers(3, size=(100, 1))
    batches = np.concatenate([rng.permutation(100) for _ in range(5)]).reshape(STEPS, ROWS)
    return rng.normal(size=7 * 8 + 9 * 3), X, Y, batches


def train_torch(name, settings):
    """The losses of PyTorch, and its theta in our layout."""
    theta, X, Y, batches = problem()
    first, last = torch.nn.Linear(6, 8, dtype=torch.float64), torch.nn.Linear(8, 3, dtype=torch.float64)
    views = [first.weight.data.T, first.bias.data, last.weight.data.T, last.bias.data]
    parts = np.split(theta, np.cumsum([view.numel() for view in views])[:-1])
    for view, part in zip(views, parts, strict=True):
        view[:] = torch.tensor(part.reshape(view.shape))
    model = torch.nn.Sequential(first, torch.nn.Tanh(), last)
    optimizer, values = TORCH_OPTIMIZERS[name](model.parameters(), **settings), []
    for batch in batches:
        optimizer.zero_grad()
        value = F.cross_entropy(model(torch.tensor(X[batch])), torch.tensor(Y[batch, 0]))
        value.backward()
        optimizer.step()
        values.append(value.item())
    return values, np.concatenate([view.numpy().ravel() for view in views])


def train_fastgd(name, settings):
    theta, X, Y, batches = problem()
    layers = [
        SimpleNamespace(n_in=6, n_out=8, activation=activations.get("tanh"), bias=True),
        SimpleNamespace(n_in=8, n_out=3, activation=activations.get("identity"), bias=True),
    ]
    network = numpy_engine.Executor(layers, theta, np.zeros_like(theta))
    optimizer, values, t = OPTIMIZERS[name](**settings), np.empty(STEPS), np.arange(STEPS)
    coefficients = optimizer.coefficients(optimizer.schedule(t / 10, 5), t + 1)
    state, starts = optimizer.bind(theta.size, theta.dtype), np.arange(0, batches.size + 1, ROWS)
    loss = losses.get("cross_entropy")
    network.train(Chunk(X, Y, batches.ravel(), starts, loss, optimizer, coefficients, state, values))
    return values, theta


@pytest.mark.parametrize(
    ("name", "settings"), [(name, s) for name in TORCH_OPTIMIZERS for s in SETTINGS[name]], ids=str
)
def test_50_steps_of_training(name, settings):
    values, theta = train_fastgd(name, settings)
    expected_values, expected_theta = train_torch(name, settings)
    np.testing.assert_allclose(values, expected_values, rtol=ROUNDING)
    np.testing.assert_allclose(theta, expected_theta, rtol=ROUNDING, atol=ROUNDING)


def test_only_what_pytorch_lacks_is_missing_here():
    compared_elsewhere = {"muon"}  # in test_muon.py: recent versions of PyTorch have it
    assert set(OPTIMIZERS) - set(TORCH_OPTIMIZERS) == {"lion"} | compared_elsewhere


# PyTorch's schedulers, which count epochs: (its scheduler, ours, epochs).  Ours are asked at whole epochs.
SCHEDULES = [
    (lambda o: torch.optim.lr_scheduler.StepLR(o, 3, gamma=0.3), schedules.Step(0.2, every=3, factor=0.3)),
    (lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [2, 5, 6], 0.4), schedules.MultiStep(0.2, (2, 5, 6), 0.4)),
    (lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.8), schedules.Exponential(0.2, 0.8)),
    (lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 20, eta_min=0.01), schedules.Cosine(0.2, 0.01)),
    (lambda o: torch.optim.lr_scheduler.PolynomialLR(o, 20, power=1.7), schedules.Polynomial(0.2, power=1.7)),
    *(
        (
            lambda o, m=mode: torch.optim.lr_scheduler.CyclicLR(
                o, 0.02, 0.2, step_size_up=4, step_size_down=3, mode=m, gamma=0.9, cycle_momentum=False
            ),
            schedules.Cyclic(0.2, start=0.02, up=4, down=3, mode=mode, factor=0.9),
        )
        for mode in ("triangular", "triangular2", "exp_range")
    ),
    (
        lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda epoch: 1 / (1 + 0.3 * epoch)),
        schedules.InverseTime(0.2, 0.3),
    ),
    (
        lambda o: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 4, eta_min=0.01),
        schedules.CosineRestarts(0.2, 4, final=0.01),
    ),
    (
        lambda o: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 3, T_mult=2),
        schedules.CosineRestarts(0.2, 3, factor=2),
    ),
]


@pytest.mark.parametrize(("make", "ours"), SCHEDULES, ids=lambda value: getattr(value, "__class__", type).__name__)
def test_schedule(make, ours):
    optimizer, rates = torch.optim.SGD([torch.zeros(1)], lr=0.2), []
    scheduler = make(optimizer)
    for _ in range(20):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    np.testing.assert_allclose(ours(np.arange(20.0), 20), rates, rtol=1e-12)


@pytest.mark.parametrize(("n", "share", "steps_per_epoch"), [(20, 0.3, 1), (60, 0.25, 6), (35, 0.5, 7)])
def test_one_cycle_of_rate_and_momentum(n, share, steps_per_epoch):
    """PyTorch's ends are at step 0 and at the last of n steps, n - 1; the peak is at share n - 1."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.3, total_steps=n, pct_start=share)
    rates, momenta = [], []
    for _ in range(n):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        scheduler.step()
    t, shifted = (
        np.arange(n) / steps_per_epoch,
        {"peak": (share * n - 1) / (n - 1), "epochs": (n - 1) / steps_per_epoch},
    )
    np.testing.assert_allclose(schedules.OneCycle(0.3, **shifted)(t, n), rates, rtol=1e-12)
    opposite = schedules.OneCycle(0.85, start=0.95, final=0.95, **shifted)
    np.testing.assert_allclose(opposite(t, n), momenta, rtol=1e-12)

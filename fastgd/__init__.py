"""fastgd: dense neural networks trained by mini-batch gradient descent, at the speed of the CPU.

>>> import fastgd as gd
>>> X, y = gd.datasets.digits()
>>> model = gd.MLP(64, 64, 10, seed=0)
>>> trainer = gd.Trainer(model, loss="cross_entropy", optimizer=gd.SGD(lr=0.1, momentum=0.9))
>>> history = trainer.fit(X / 16, y, epochs=5, validation=0.2, verbose=0)
>>> model.predict(X[:3] / 16)
array([0, 1, 2])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import activations, callbacks, initializers, losses, metrics, noise, optimizers, schedules
from ._version import __version__
from .activations import (
    ELU,
    GELU,
    SELU,
    GELUTanh,
    HardSigmoid,
    HardSwish,
    HardTanh,
    Identity,
    LeakyReLU,
    Mish,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from .averages import EMA, SWA
from .backend import show_config
from .callbacks import Callback, EarlyStopping, ReduceLROnPlateau
from .history import History
from .layers import Dense
from .losses import (
    BCE,
    MAE,
    MSE,
    BinaryFocal,
    CrossEntropy,
    Focal,
    Gamma,
    Hinge,
    Huber,
    KLDiv,
    LogCosh,
    Poisson,
    Quantile,
    SquaredHinge,
)
from .mlp import MLP
from .model import Sequential
from .noise import Dropout, GaussianNoise
from .optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, Lion, NAdam, RAdam, RMSprop
from .schedules import Cosine, CosineRestarts, Exponential, MultiStep, OneCycle, Polynomial, Step, Warmup
from .splits import Split
from .trainer import Trainer

if TYPE_CHECKING:
    from . import datasets, plot
    from .finder import lr_finder
    from .fullbatch import minimize

load = Sequential.load

__all__ = [
    "BCE",
    "ELU",
    "EMA",
    "GELU",
    "MLP",
    "MSE",
    "SELU",
    "SGD",
    "SWA",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Callback",
    "Cosine",
    "CosineRestarts",
    "CrossEntropy",
    "Dense",
    "Dropout",
    "EarlyStopping",
    "Exponential",
    "GELUTanh",
    "GaussianNoise",
    "HardSigmoid",
    "HardSwish",
    "HardTanh",
    "History",
    "Identity",
    "LeakyReLU",
    "Lion",
    "Mish",
    "MultiStep",
    "NAdam",
    "OneCycle",
    "Polynomial",
    "RAdam",
    "RMSprop",
    "ReLU",
    "ReLU6",
    "ReduceLROnPlateau",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Split",
    "Step",
    "Tanh",
    "Trainer",
    "Warmup",
    "__version__",
    "activations",
    "callbacks",
    "datasets",
    "initializers",
    "load",
    "losses",
    "lr_finder",
    "metrics",
    "minimize",
    "noise",
    "optimizers",
    "plot",
    "schedules",
    "show_config",
    "MAE",
    "BinaryFocal",
    "Focal",
    "Gamma",
    "Hinge",
    "Huber",
    "KLDiv",
    "LogCosh",
    "Poisson",
    "Quantile",
    "SquaredHinge",
]

# What most programs do not need is imported when it is first named: modules, and functions with their modules.
_LAZY = {"datasets": "datasets", "plot": "plot", "lr_finder": "finder", "minimize": "fullbatch"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        module = import_module(f".{_LAZY[name]}", __name__)
        return module if name == _LAZY[name] else getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})

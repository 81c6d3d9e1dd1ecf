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

from ._version import __version__ as __version__

# Every public name and the module that defines it.  Modules load on first use, so `import fastgd` takes a millisecond;
# type checkers read the same names in __init__.pyi.
_MODULES = (
    *("activations", "backend", "callbacks", "datasets", "initializers", "inspection", "losses", "metrics"),
    *("optimizers", "plot", "population", "schedules", "sklearn", "tables"),
)
_HOMES = {
    "activations": "ELU GELU GELUTanh HardSigmoid HardSwish HardTanh Identity LeakyReLU Mish ReLU ReLU6 SELU SiLU "
    "Sigmoid Softmax Softplus Tanh",
    "backend": "show_config",
    "callbacks": "BestEpoch CSVLogger Callback Checkpoint Dashboard EarlyStopping EveryEpoch EveryStep History "
    "ReduceLROnPlateau StepBudget TensorBoard TimeBudget",
    "data.affine": "RandomAffine",
    "data.arrow": "ArrowSource ParquetSource",
    "data.replay": "ReplayBuffer",
    "data.sources": "ArraySource IterSource Source",
    "data.splits": "Split",
    "layers": "Dense Dropout Embedding GaussianNoise GradientReversal PeriodicEmbedding Scale",
    "losses": "BCE BinaryFocal CrossEntropy Focal Gamma Hinge Huber KLDiv LogCosh MAE MSE Poisson Quantile "
    "SoftCrossEntropy SquaredHinge",
    "models": "MLP Sequential load",
    "optimizers": "Adadelta Adagrad Adam AdamW EMA Lion Muon NAdam RAdam RMSprop SGD SWA",
    "schedules": "Cosine CosineLog CosineRestarts Cyclic Exponential InverseTime MultiStep OneCycle Piecewise "
    "Polynomial Step Warmup",
    "population": "Ensemble Population",
    "training.lbfgs": "fit_lbfgs",
    "training.lr_finder": "lr_finder",
    "training.trainer": "Trainer",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}
_RENAMED = {"minimize": "fit_lbfgs", "noise": "layers.noise"}  # deprecated since 0.2

__all__ = sorted([*_MODULES, *_HOME_OF, "__version__"])


def __getattr__(name: str) -> object:
    if name in _RENAMED:
        return _renamed(name)
    if name in _HOME_OF:
        value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    elif name in _MODULES:
        value = import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{_advice(name)}")
    globals()[name] = value  # the next access does not come here
    return value


def _renamed(old: str) -> object:
    """What a public name of the previous release stands for, with a warning."""
    import warnings

    new = _RENAMED[old]
    warnings.warn(f"fastgd.{old} is deprecated: use fastgd.{new}", DeprecationWarning, stacklevel=3)
    return __getattr__(new) if new in _HOME_OF else import_module(f".{new}", __name__)


def _advice(name: str) -> str:
    """What to write instead of a name that the package does not have."""
    if name.startswith("_"):  # Python and notebooks look for many of these
        return ""
    from ._common.explain import advice_on_public_name

    modules = {module: import_module(f".{module}", __name__).__all__ for module in _MODULES}
    return advice_on_public_name(name, __all__, modules)


def __dir__() -> list[str]:
    return __all__

"""Names of other libraries: the error says what fastgd calls them, and where they belong."""

import copy
import inspect
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import fastgd as gd
from fastgd import activations, callbacks, initializers, losses, optimizers, schedules
from fastgd._common import names
from fastgd._common.registry import format_call

ROOT = Path(__file__).resolve().parents[1]
MODEL = gd.MLP(3, 2, seed=0)
TRAINER = gd.Trainer(MODEL, loss="mse")

CALLS = {
    "Trainer(learning_rate)": (lambda: gd.Trainer(MODEL, loss="mse", learning_rate=1), "set lr on the optimizer"),
    "Trainer(lr)": (lambda: gd.Trainer(MODEL, loss="mse", lr=1), r"Trainer has no argument 'lr': set lr .*SGD\(lr="),
    "Trainer(n_jobs)": (lambda: gd.Trainer(MODEL, loss="mse", n_jobs=1), "write n_threads="),
    "Trainer(betas)": (lambda: gd.Trainer(MODEL, loss="mse", betas=1), r"Adam\(betas="),
    "Trainer(max_iter)": (lambda: gd.Trainer(MODEL, loss="mse", max_iter=1), r"pass epochs to fit, .*epochs=\.\.\."),
    "Trainer(criterion)": (lambda: gd.Trainer(MODEL, criterion="mse"), "write loss="),
    "Trainer(alpha)": (lambda: gd.Trainer(MODEL, loss="mse", alpha=1), "set weight_decay on the optimizer"),
    "Trainer by position": (lambda: gd.Trainer(MODEL, "mse"), "Trainer takes its settings by name: write loss='mse'$"),
    "three by position": (lambda: gd.Trainer(MODEL, "mse", "adam"), "write loss='mse', optimizer='adam'$"),
    "fit(validation_split)": (lambda: TRAINER.fit([], [], validation_split=0.1), "fit has .*: write validation="),
    "fit(max_iter)": (lambda: TRAINER.fit([], [], max_iter=9), "write epochs="),
    "fit(batch_size)": (lambda: TRAINER.fit([], [], batch_size=9), "pass batch_size to the trainer"),
    "fit(learning_rate)": (lambda: TRAINER.fit([], [], learning_rate=9), "set lr on the optimizer"),
    "MLP(hidden_layer_sizes)": (lambda: gd.MLP(3, 2, hidden_layer_sizes=(3,)), "the widths are positional"),
    "MLP(random_state)": (lambda: gd.MLP(3, 2, random_state=0), "write seed="),
    "MLP by position": (lambda: gd.MLP(3, 2, "relu"), "MLP takes its settings by name"),
    "MLP(list)": (lambda: gd.MLP([3, 4, 2]), r"write MLP\(3, 4, 2\), not MLP\(\[3, 4, 2\]\)$"),
    "Sequential(list)": (lambda: gd.Sequential([gd.Dense(3, 2)]), r"write Sequential\(\*layers\)"),
    "Dense(units)": (lambda: gd.Dense(3, units=2), "Dense has no argument 'units': write n_out="),
    "Dense(dropout_rate)": (lambda: gd.Dense(3, 2, dropout_rate=0.5), "pass dropout to the model"),
    "Sequential(random_state)": (lambda: gd.Sequential(gd.Dense(3, 2), random_state=0), "write seed="),
    "SGD(learning_rate)": (lambda: gd.SGD(learning_rate=1), "SGD has no argument 'learning_rate': write lr="),
    "SGD(momentun)": (lambda: gd.SGD(momentun=0.9), r"did you mean momentum=\.\.\.\?"),
    "SGD(parameters)": (lambda: gd.SGD(MODEL.parameters(), lr=1), "SGD is given 'dict' as lr: .* takes no parameters"),
    "Adam(parameters)": (lambda: gd.Adam(MODEL.parameters()), "Adam is given 'dict' as lr: .* takes no parameters"),
    "Adam(generator)": (lambda: gd.Adam(iter([])), "Adam is given 'list_iterator' as lr: .* takes no parameters"),
    "Adam(theta)": (lambda: gd.Adam(MODEL.theta, 0.1), "Adam is given 'ndarray' as lr: .* updates those of the model"),
    "Adam(model)": (lambda: gd.Adam(MODEL, lr=0.1), "Adam is given 'Sequential' as lr: .* updates those of the model"),
    "Adam twice": (lambda: gd.Adam(0.1, lr=0.2), "Adam is given lr twice: 0.1 by position and 0.2 by name"),
    "Adam(beta_1)": (lambda: gd.Adam(beta_1=0.9), "write betas="),
    "Adam(epsilon)": (lambda: gd.Adam(epsilon=0.9), "write eps="),
    "RMSprop(rho)": (lambda: gd.RMSprop(rho=0.9), "write alpha="),
    "Cosine(T_max)": (lambda: gd.Cosine(0.1, T_max=9), "write epochs="),
    "Step(gamma)": (lambda: gd.Step(0.1, 3, gamma=0.5), "write factor="),
    "EMA(foo)": (lambda: gd.EMA(foo=1), "EMA has no argument 'foo'; it has decay"),
    "LeakyReLU(alpha)": (lambda: gd.LeakyReLU(alpha=0.3), "write negative_slope="),
    "MSE(reduction)": (lambda: gd.MSE(reduction="mean"), "the mean over the rows"),
    "CrossEntropy(from_logits)": (lambda: gd.CrossEntropy(from_logits=True), "as logits"),
    "CrossEntropy(weight)": (lambda: gd.CrossEntropy(weight=[1, 2]), "pass class_weight to fit"),
    "Dropout(rate)": (lambda: gd.Dropout(rate=0.5), "write p="),
    "EarlyStopping(n_iter_no_change)": (lambda: gd.EarlyStopping(n_iter_no_change=5), "write patience="),
    "Checkpoint(filepath)": (lambda: gd.Checkpoint(filepath="x.npz"), "write path="),
    "HeNormal(slope)": (lambda: initializers.HeNormal(slope=1), "write negative_slope="),
    "lr_finder(criterion)": (lambda: gd.lr_finder(MODEL, [], [], criterion="mse"), "write loss="),
}


@pytest.mark.parametrize("case", CALLS)
def test_arguments_of_other_libraries(case):
    call, words = CALLS[case]
    with pytest.raises(TypeError, match=words) as error:
        call()
    assert error.value.__cause__ is None
    assert len(str(error.value)) < 250


def test_errors_of_other_kinds_stay():
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'loss'"):
        gd.Trainer(MODEL)
    with pytest.raises(TypeError, match="momentum must be a number"):
        gd.SGD(momentum="0.9")


CONSTRUCTORS = [
    *(cls for table in (activations.ACTIVATIONS, losses.LOSSES, optimizers.OPTIMIZERS) for cls in table.values()),
    *initializers.INITIALIZERS.values(),
    *(value for value in map(vars(schedules).get, schedules.__all__) if isinstance(value, type)),
    *(
        value
        for value in map(vars(callbacks).get, callbacks.__all__)
        if isinstance(value, type) and value.__module__ != "fastgd.callbacks.base"
    ),
    *(gd.Trainer, gd.Sequential, gd.MLP, gd.Dense, gd.Dropout, gd.GaussianNoise, gd.Split, gd.Trainer.fit),
]


@pytest.mark.parametrize("f", CONSTRUCTORS, ids=lambda f: f.__name__)
def test_signatures_name_their_arguments(f):
    parameters = inspect.signature(f).parameters.values()
    assert not [p for p in parameters if p.kind is p.VAR_KEYWORD]


def test_the_tables_name_what_there_is():
    callables = [*CONSTRUCTORS, gd.Trainer.evaluate, gd.fit_lbfgs, gd.lr_finder, optimizers.Optimizer]
    known = {name for f in callables for name in inspect.signature(f).parameters}
    assert {name for ours in names.OURS.values() for name in ours} <= known | {
        "best",
        "bias_init",
        "ignore_index",
        "std",
    }
    assert set(names.PLACES) <= known | {"bias_init", "ignore_index"}
    for ours in names.PUBLIC.values():
        eval(f"gd.{ours}")


@pytest.mark.parametrize("other", names.PUBLIC)
def test_public_names_of_other_libraries(other):
    if other in gd.__all__:
        pytest.fail(f"{other} is a name of fastgd: no advice is needed")
    with pytest.raises(AttributeError, match=f"no attribute '{other}': use fastgd.{names.PUBLIC[other]}$"):
        getattr(gd, other)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("accuracy", ": use fastgd.metrics.accuracy$"),
        ("read_table", ": use fastgd.tables.read_table$"),
        ("Custom", ": use fastgd.losses.Custom$"),
        ("Dens", r": did you mean fastgd.Dense\?$"),
        ("relu", r": did you mean fastgd.ReLU\?$"),
        ("xyzzy", "'xyzzy'$"),
        ("__wrapped__", "'__wrapped__'$"),
    ],
)
def test_other_names(name, advice):
    with pytest.raises(AttributeError, match=advice):
        getattr(gd, name)


@pytest.mark.parametrize(
    ("owner", "name"),
    [(owner, name) for owner, advice in names.ATTRIBUTES.items() for name in advice],
)
def test_attributes_of_other_libraries(owner, name):
    objects = {"Sequential": MODEL, "Trainer": TRAINER, "History": TRAINER.history}
    objects |= {"Optimizer": gd.SGD(), "Loss": gd.MSE()}
    assert not hasattr(objects[owner], name)
    with pytest.raises(AttributeError, match=re.escape(f"{name!r}: {names.ATTRIBUTES[owner][name]}")):
        getattr(objects[owner], name)


@pytest.mark.parametrize("thing", [MODEL, TRAINER, gd.SGD(), gd.MSE()], ids=lambda thing: type(thing).__name__)
def test_copies_look_for_attributes_too(thing):
    for other in (copy.copy(thing), copy.deepcopy(thing), pickle.loads(pickle.dumps(thing))):
        assert type(other) is type(thing)
    with pytest.raises(AttributeError, match=r"no attribute '_nothing'$"):
        thing._nothing  # noqa: B018


def test_dir_shows_the_public_names():
    assert dir(gd) == gd.__all__
    for module in (
        activations,
        callbacks,
        initializers,
        losses,
        optimizers,
        schedules,
        gd.metrics,
        gd.plot,
        gd.backend,
    ):
        assert dir(module) == sorted(module.__all__)
        assert all(hasattr(module, name) for name in module.__all__)


PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.py")]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_documented_names_exist(page):
    for name in set(re.findall(r"\bgd((?:\.[A-Za-z]\w*)+)\(", page.read_text())):
        eval(f"gd{name}")


def test_every_class_that_is_documented_by_its_name_alone_is_public():
    """The classes in the tables of docs/; initializers and rare schedules are names of their modules."""
    in_tables = set()
    for page in (ROOT / "docs").glob("*.md"):
        in_tables |= set(re.findall(r"^\| (?:`\w+` \| )?`([A-Z]\w*)\(", page.read_text(), re.MULTILINE))
    assert len(in_tables) > 40
    assert in_tables <= {*dir(gd), *dir(initializers), *dir(schedules)}


# Reprs


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (gd.SGD(), "SGD()"),
        (gd.SGD(0.01), "SGD()"),
        (gd.Adam(0.002, clip_norm=1.0), "Adam(lr=0.002, clip_norm=1.0)"),
        (gd.SGD(lr=gd.Warmup(gd.Cosine(0.1), 2.5)), "SGD(lr=Warmup(schedule=Cosine(lr=0.1), epochs=2.5))"),
        (gd.Cosine(0.1), "Cosine(lr=0.1)"),
        (gd.Cosine(0.1, epochs=7.5), "Cosine(lr=0.1, epochs=7.5)"),
        (gd.Huber(), "Huber()"),
        (gd.Huber(2), "Huber(delta=2.0)"),
        (gd.BCE(pos_weight=[1, 2]), "BCE(pos_weight=(1.0, 2.0))"),
        (gd.Dropout(), "Dropout()"),
        (gd.Dropout(0.2), "Dropout(p=0.2)"),
        (gd.EMA(), "EMA()"),
        (gd.MSE(), "MSE()"),
        (gd.LeakyReLU(0.5), "LeakyReLU(negative_slope=0.5)"),
        (initializers.HeNormal(), "HeNormal()"),
    ],
    ids=repr,
)
def test_reprs_show_what_differs_from_the_defaults(made, text):
    assert repr(made) == text


def test_reprs_of_settings_that_cannot_be_compared():
    class Holder:
        def __init__(self, values=None):
            self.values = values

    assert format_call(Holder()).endswith("Holder()")
    assert format_call(Holder(np.array([1, 2]))).endswith("Holder(values=array([1, 2]))")

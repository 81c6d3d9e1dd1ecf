"""Measure many models trained at once, for docs/many-models.md; each takes seconds to a minute on a quiet machine.

python -m benchmarks.populations cores     a population beside its members one after another, and joblib's threads
python -m benchmarks.populations members   seconds per member of populations of 1 to 1,000
python -m benchmarks.populations search    PopulationSearchCV beside GridSearchCV with scikit-learn's MLPClassifier
python -m benchmarks.populations jax       a population beside jax.vmap over its members
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import fastgd as gd

X, Y = gd.datasets.digits()
X, Y = X.astype(np.float32) / 16, Y
WIDTHS, BATCH, EPOCHS = (64, 64, 10), 32, 30
COUNTS = (1, 2, 10, 100, 1000)
CANDIDATES, FOLDS = 32, 5


def trainers(n: int) -> list[gd.Trainer]:
    """n networks of 64-64-10 for SGD with momentum, each with seed and learning rate of its own."""
    rates = np.geomspace(0.01, 0.1, n)
    return [
        gd.Trainer(
            gd.MLP(*WIDTHS, seed=i), loss="cross_entropy", optimizer=gd.SGD(rate, momentum=0.9), batch_size=BATCH
        )
        for i, rate in enumerate(rates)
    ]


def seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def in_turns(rounds: int, *makers: Callable[[], Callable[[], Any]]) -> list[float]:
    """Median seconds of what each maker makes, measured in turns."""
    taken: list[list[float]] = [[] for _ in makers]
    for _ in range(rounds):
        for maker, values in zip(makers, taken, strict=True):
            values.append(seconds(maker()))
    return [statistics.median(values) for values in taken]


def population(n: int, epochs: int = EPOCHS) -> Callable[[], Any]:
    members = gd.Population(trainers(n))
    return lambda: members.fit(X, Y, epochs, verbose=0)


def one_after_another(n: int) -> Callable[[], Any]:
    members = trainers(n)
    for trainer in members:
        trainer.n_threads = 1
    return lambda: [trainer.fit(X, Y, EPOCHS, verbose=0) for trainer in members]


def one_after_another_on_all_cores(n: int) -> Callable[[], Any]:
    members = trainers(n)
    return lambda: [trainer.fit(X, Y, EPOCHS, verbose=0) for trainer in members]


def by_joblib(n: int) -> Callable[[], Any]:
    from joblib import Parallel, delayed

    members = trainers(n)
    for trainer in members:
        trainer.n_threads = 1
    jobs = [delayed(trainer.fit)(X, Y, EPOCHS, verbose=0) for trainer in members]
    return lambda: Parallel(n_jobs=-1, prefer="threads")(jobs)


MAKERS = (one_after_another, one_after_another_on_all_cores, by_joblib, population)


def measure_cores(n: int = 32) -> dict[str, float]:
    """Seconds per member, by the name of the maker."""
    found = in_turns(5, *(lambda make=make: make(n) for make in MAKERS))
    return {make.__name__: each / n for make, each in zip(MAKERS, found, strict=True)}


def cores() -> None:
    found = measure_cores()
    for name, each in found.items():
        print(f"{name:32} {each * 1e3:7.2f} ms per member, {found['one_after_another'] / each:.2f} times one core")


def members() -> None:
    for n in COUNTS:
        rounds = max(1, min(9, 200 // n))
        (found,) = in_turns(rounds, lambda n=n: population(n))
        print(f"{n:5} members: {found / n * 1e3:.2f} ms per member")


def measure_search() -> dict[str, float]:
    """Seconds of a fit of 32 candidates in 5 folds; of scikit-learn's, of 2 candidates, since each takes as long."""
    warnings.simplefilter("ignore")  # few epochs are enough to measure
    from joblib.externals.loky import get_reusable_executor
    from sklearn.model_selection import GridSearchCV
    from sklearn.neural_network import MLPClassifier as Peer

    from fastgd.sklearn import MLPClassifier, PopulationSearchCV

    settings = {"hidden_layer_sizes": (64,), "batch_size": BATCH, "max_iter": EPOCHS, "n_iter_no_change": EPOCHS}
    grid = {"learning_rate_init": np.geomspace(1e-4, 1e-2, CANDIDATES).tolist()}
    few = {"learning_rate_init": [1e-3, 1e-2]}
    ours = PopulationSearchCV(MLPClassifier(**settings, random_state=0), grid, cv=FOLDS, refit=False)
    theirs = GridSearchCV(Peer(**settings, random_state=0), few, cv=FOLDS, n_jobs=2, refit=False)
    theirs.fit(X[:300], Y[:300])  # starts the processes
    members = lambda: _folds_of_population(grid["learning_rate_init"])  # noqa: E731
    taken = in_turns(3, lambda: lambda: ours.fit(X, Y), members, lambda: lambda: theirs.fit(X, Y))
    get_reusable_executor().shutdown()  # else this process ends when its own processes have been idle for minutes
    counts = (CANDIDATES, CANDIDATES, len(few["learning_rate_init"]))
    names = ("PopulationSearchCV", "Population", "GridSearchCV")
    return {name: each / count / FOLDS for name, each, count in zip(names, taken, counts, strict=True)}


def search() -> None:
    found = measure_search()
    for name, each in found.items():
        print(f"{name:18} {each * 1e3:6.1f} ms per fit: {found['GridSearchCV'] / each:.1f} times")


def _folds_of_population(rates: list[float]) -> Callable[[], Any]:
    """The same candidates and folds as trainers."""
    every = range(len(X))
    held_out = [np.arange(fold, len(X), FOLDS) for fold in range(FOLDS)] * len(rates)
    members = [
        gd.Trainer(gd.MLP(*WIDTHS, seed=0), loss="cross_entropy", optimizer=gd.Adam(rate), batch_size=BATCH)
        for rate in rates
        for _ in range(FOLDS)
    ]
    rows = [np.setdiff1d(every, each) for each in held_out]
    return lambda: gd.Population(members).fit(X, Y, EPOCHS, rows=rows, validation_rows=held_out, verbose=0)


def jax() -> None:
    """SGD with momentum on the same batches of all members, an epoch in one jit, float32."""
    import jax
    import jax.numpy as jnp

    steps = len(X) // BATCH
    batches = tuple(jnp.asarray(each[: steps * BATCH]).reshape(steps, BATCH, *each.shape[1:]) for each in (X, Y))

    def loss(theta: Any, x: Any, y: Any) -> Any:
        W, b, V, c = theta
        Z = jax.nn.relu(x @ W + b) @ V + c
        return -jnp.take_along_axis(jax.nn.log_softmax(Z), y[:, None], axis=1).mean()

    def step(state: Any, batch: Any, rate: Any) -> Any:
        theta, velocity = state
        gradient = jax.grad(loss)(theta, *batch)
        velocity = jax.tree.map(lambda v, g: 0.9 * v + g, velocity, gradient)
        return jax.tree.map(lambda t, v: t - rate * v, theta, velocity), velocity

    def epoch(state: Any, rate: Any) -> Any:
        return jax.lax.scan(lambda state, batch: (step(state, batch, rate), None), state, batches)[0]

    epochs = jax.jit(jax.vmap(epoch))
    for n in (1, 10, 100):
        theta = [jnp.zeros((n, *shape)) + 0.01 for shape in ((64, 64), (64,), (64, 10), (10,))]
        state, rates = (theta, [jnp.zeros_like(each) for each in theta]), jnp.geomspace(0.01, 0.1, n)
        jax.block_until_ready(epochs(state, rates))
        mine, peer = in_turns(
            5, lambda n=n: population(n, 5), lambda s=state, r=rates: lambda: jax.block_until_ready(epochs(s, r))
        )
        mine, peer = mine / n / 5, peer / n
        both = f"fastgd {mine * 1e3:.2f} ms per member and epoch, jax.vmap {peer * 1e3:.2f}"
        print(f"{n:5} members: {both}: {peer / mine:.1f} times")


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m benchmarks.populations", description=__doc__.partition("\n")[0])
    parts = {function.__name__: function for function in (cores, members, search, jax)}
    parser.add_argument("part", choices=parts)
    warnings.simplefilter("ignore")  # few epochs are enough to measure
    parts[parser.parse_args().part]()

"""Models and estimators on workers of Dask and Ray, which run on this machine: `pytest -m clusters`, a minute."""

import os

import numpy as np
import pytest
from cluster_tasks import X, Y, predict, same, train, trainer

pytestmark = [pytest.mark.clusters, pytest.mark.filterwarnings("ignore")]  # of the clusters themselves

SEEDS = range(6)
GRID = {"alpha": [0.0, 1e-3], "random_state": [0, 1]}


@pytest.fixture(scope="module")
def paths():
    """Let other processes import this package and the helpers of tests."""
    here = os.path.dirname(__file__)
    with pytest.MonkeyPatch.context() as patch:
        folders = [os.path.dirname(here), os.path.join(here, "helpers"), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, folders)))
        yield


@pytest.fixture(scope="module", params=[1, 2], ids="{} threads a worker".format)
def dask(request, paths):
    """A client of a new cluster of two processes."""
    distributed = pytest.importorskip("distributed", reason='needs pip install "fastgd[dask]"')
    options = {"n_workers": 2, "threads_per_worker": request.param, "host": "127.0.0.1", "dashboard_address": None}
    with (
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster, timeout=30, set_as_default=True) as client,
    ):
        client.wait_for_workers(2, timeout=60)
        yield client


@pytest.fixture(scope="module")
def ray(paths):
    """Ray with a new head, for two tasks at a time.  It has no setting for the loopback address; a token guards it."""
    found = pytest.importorskip("ray", reason='needs pip install "fastgd[ray]"')
    found.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 << 20)
    yield found
    found.shutdown()


def check(results):
    """Each task ends with the bits that it has in this process, on one thread, in another process."""
    for seed, (trained, process, n_threads) in zip(SEEDS, results, strict=True):
        local = trainer(seed)
        local.fit(X, Y, epochs=4, verbose=0)
        same(trained, local)
        assert process != os.getpid()
        assert n_threads == 1
    assert len({process for _, process, _ in results}) <= 2


def check_search(fit):
    from sklearn.model_selection import GridSearchCV

    from fastgd.sklearn import MLPClassifier

    search = GridSearchCV(MLPClassifier(16, max_iter=10), GRID, cv=2, n_jobs=2)
    scores = fit(search).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(scores, search.set_params(n_jobs=1).fit(X, Y).cv_results_["mean_test_score"])


def test_dask_workers_carry_trainers(dask):
    futures = [dask.submit(train, trainer(seed), 2, pure=False) for seed in SEEDS]
    futures = [dask.submit(lambda found: train(found[0], 2), future, pure=False) for future in futures]
    check(dask.gather(futures))


def test_dask_workers_carry_models(dask):
    model = trainer(0).model
    np.testing.assert_array_equal(dask.submit(predict, model).result(timeout=60), predict(model))


def test_joblib_on_dask(dask):
    pytest.importorskip("sklearn")
    import joblib

    def fit(search):
        with joblib.parallel_config("dask"):
            return search.fit(X, Y)

    check_search(fit)


def test_ray_workers_carry_trainers(ray):
    remote = ray.remote(train)
    first = ray.get([remote.remote(trainer(seed), 2) for seed in SEEDS], timeout=120)
    check(ray.get([remote.remote(trained, 2) for trained, *_ in first], timeout=120))


def test_ray_workers_carry_models(ray):
    model = trainer(0).model
    np.testing.assert_array_equal(ray.get(ray.remote(predict).remote(model), timeout=60), predict(model))


def test_joblib_on_ray(ray):
    pytest.importorskip("sklearn")
    import joblib
    from ray.util.joblib import register_ray

    register_ray()

    def fit(search):
        with joblib.parallel_config("ray"):
            return search.fit(X, Y)

    check_search(fit)

"""The estimators pass the checks that scikit-learn has for every estimator; no failure is expected."""

import pytest

pytest.importorskip("sklearn")

from sklearn.utils.estimator_checks import parametrize_with_checks

from fastgd.sklearn import LinearClassifier, LinearRegressor, MLPClassifier, MLPRegressor

ESTIMATORS = [
    MLPClassifier(hidden_layer_sizes=30, max_iter=100, learning_rate_init=0.005),
    MLPRegressor(hidden_layer_sizes=30, max_iter=100, learning_rate_init=0.005),
    LinearClassifier(),
    LinearRegressor(),
]


@pytest.mark.filterwarnings("ignore")  # few epochs are enough here
@parametrize_with_checks(ESTIMATORS)
def test_check(estimator, check):
    check(estimator)

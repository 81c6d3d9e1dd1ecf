"""Data and small estimators of scikit-learn for tests."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import datasets
from sklearn.preprocessing import scale

from fastgd.sklearn import MLPClassifier, MLPRegressor

IRIS = datasets.load_iris(return_X_y=True)
NAMED = IRIS[0], np.array(["setosa", "versicolor", "virginica"])[IRIS[1]]
CANCER = scale(datasets.load_breast_cancer().data), datasets.load_breast_cancer().target
DIABETES = scale(datasets.load_diabetes().data), scale(datasets.load_diabetes().target)
LABELS = datasets.make_multilabel_classification(random_state=0)


def classifier(**settings):
    return MLPClassifier(**({"hidden_layer_sizes": 10, "max_iter": 5, "random_state": 0} | settings))


def regressor(**settings):
    return MLPRegressor(**({"hidden_layer_sizes": 10, "max_iter": 5, "random_state": 0} | settings))

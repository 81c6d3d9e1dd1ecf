"""Checks of the parameters of estimators, at the beginning of `fit`: constructors only store them."""

from __future__ import annotations

import math
from typing import Any

from .. import metrics
from .._common.checks import FRACTION, NON_NEGATIVE, POSITIVE, check_bool, check_choice, check_int, check_scalar
from ..callbacks.base import Check, check_callbacks, integer, number, optional
from ..engine.precision import check_precision
from ..optimizers import OPTIMIZERS, Optimizer
from ..schedules.base import is_scheduled
from .networks import hidden_activations, hidden_widths


def _check_batch_size(name: str, value: Any) -> Any:
    return check_choice(name, value, ["auto"]) if isinstance(value, str) else check_int(name, value)


def _check_solver(name: str, value: Any) -> Any:
    return value if isinstance(value, Optimizer) else check_choice(name, value, ["lbfgs", *OPTIMIZERS])


def _check_learning_rate(name: str, value: Any) -> Any:
    return value if is_scheduled(value) else check_choice(name, value, ["constant", "invscaling", "adaptive"])


def _check_patience(name: str, value: Any) -> Any:
    return value if value == math.inf else check_int(name, value)


def _check_verbose(name: str, value: Any) -> Any:
    return value if isinstance(value, bool) else check_int(name, value, minimum=0)


def _check_dropout(name: str, value: Any) -> Any:
    return value if is_scheduled(value) else check_scalar(name, value, FRACTION)


def _check_class_weight(name: str, value: Any) -> Any:
    return check_choice(name, value, ["balanced"]) if isinstance(value, str) else value


def _check_scoring(name: str, value: Any) -> Any:
    return value if value is None or value == "loss" else metrics.get(value)


# In the order of the classes' signatures; `loss` depends on the targets and is checked with them.
CHECKS: dict[str, Check] = {
    "hidden_layer_sizes": lambda name, value: hidden_widths(value),
    "solver": _check_solver,
    "alpha": number(NON_NEGATIVE),
    "batch_size": _check_batch_size,
    "learning_rate": _check_learning_rate,
    "learning_rate_init": number(POSITIVE),
    "power_t": number(NON_NEGATIVE),
    "max_iter": integer(),
    "shuffle": check_bool,
    "tol": number(NON_NEGATIVE),
    "verbose": _check_verbose,
    "warm_start": check_bool,
    "momentum": number("[0, 1]"),
    "nesterovs_momentum": check_bool,
    "early_stopping": check_bool,
    "validation_fraction": number(FRACTION),
    "beta_1": number(FRACTION),
    "beta_2": number(FRACTION),
    "epsilon": number(POSITIVE),
    "n_iter_no_change": _check_patience,
    "max_fun": integer(),
    "fit_intercept": check_bool,
    "class_weight": _check_class_weight,
    "dropout": _check_dropout,
    "scoring": _check_scoring,
    "callbacks": lambda name, value: value if value is None else check_callbacks(value),
    "n_threads": optional(integer()),
    "precision": lambda name, value: check_precision(value),
}


def check_parameters(estimator: Any) -> None:
    """Check every parameter on its own.

    Raises
    ------
    TypeError, ValueError
        A parameter is of another type or out of range; the message names it.
    """
    for name, check in CHECKS.items():
        if hasattr(estimator, name):
            check(name, getattr(estimator, name))
    if hasattr(estimator, "hidden_layer_sizes"):
        hidden_activations(estimator.activation, len(hidden_widths(estimator.hidden_layer_sizes)))

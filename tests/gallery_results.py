"""The result that each script of the gallery (docs/training.md) states, and how far it may fall behind it."""

from typing import NamedTuple


class Result(NamedTuple):
    """The last line that a script prints is `result: <name> <value>`."""

    name: str
    stated: float
    margin: float  # how much worse than stated any of the seeds may be
    lower_is_better: bool = False
    requires: str = "matplotlib"  # a module without which the script is skipped


RESULTS = {
    "line": Result("distance from the least-squares line", 0.004, 0.004, lower_is_better=True),
    "sigmoids": Result("error of 8 sigmoids", 0.03, 0.01, lower_is_better=True),
    "bands": Result("distance from 90 % coverage", 0.02, 0.02, lower_is_better=True, requires="sklearn"),
    "sequences": Result("NDEI of the network", 0.0065, 0.003, lower_is_better=True, requires="sklearn"),
    "anomaly": Result("mean ROC AUC of ten left-out digits", 0.96, 0.02, requires="sklearn"),
    "digits": Result("accuracy on held-out images", 0.99, 0.008),
    "multilabel": Result("answers that are exactly right", 0.93, 0.035),
    "imbalance": Result("recall with class weights", 0.94, 0.03),
    "self_supervised": Result("percentage points gained with 5 labels a class", 3.0, 1.5),
    "gan": Result("share of good samples in 8 of 8 modes", 0.93, 0.04),
    "cartpole": Result("lowest mean return of the three methods", 495, 20, requires="gymnasium"),
    "explain": Result(
        "area under the deletion curve of integrated gradients", 0.16, 0.02, lower_is_better=True, requires="sklearn"
    ),
    "attack": Result("accuracy under PGD after adversarial training", 0.70, 0.04),
    "domain_adaptation": Result("mean gain of adaptation", 0.28, 0.08),
    "compression": Result("accuracy lost by pruning 90 % of the weights", 0.01, 0.015, lower_is_better=True),
    "lifelong": Result("mean accuracy with replay", 0.91, 0.05),
    "meta": Result("squared error of Reptile from ten points", 0.3, 0.25, lower_is_better=True),
    "search": Result("accuracy of the chosen ensemble", 0.975, 0.02),
    "ensemble": Result("distance from 90 % coverage", 0.015, 0.025, lower_is_better=True),
    "cross_validation": Result(
        "distance of the estimate from the accuracy on new images", 0.01, 0.02, lower_is_better=True
    ),
    "mpi": Result("accuracy with 20 local steps", 0.98, 0.015, requires="mpi4py"),
}

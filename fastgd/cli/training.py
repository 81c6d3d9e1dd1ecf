"""The training of `fastgd train`: the recipe for tables, and a plain perceptron for the digits."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import losses, metrics, optimizers
from .._common.checks import counted
from ..callbacks import BestEpoch, Dashboard, EarlyStopping
from ..callbacks.base import Callback
from ..data.sample_weights import balanced_weights
from ..data.targets import read_targets
from ..metrics import Metric
from ..models import MLP, Sequential
from ..optimizers import Optimizer
from ..parallel import Group
from ..tables import TableModel
from ..tables.member import MemberFit
from ..tables.recipe import Recipe
from ..training.trainer import Trainer
from .ranks import threads_of_rank
from .train_options import LOSSES
from .training_data import TrainingData


def train_networks(data: TrainingData, options: argparse.Namespace, group: Group) -> list[Trainer]:
    """Train the networks, by the ranks of a group together; the trainer of each, until one was interrupted.

    Several are trained at the same time, unless they are divided among ranks, watched, or learn from a file.

    Raises
    ------
    ValueError
        Options do not fit the task.
    """
    classes = data.classes
    if classes is None and options.class_weight == "balanced":
        raise ValueError("--class-weight balanced is for classes, but this is a regression")
    weights = None if options.class_weight != "balanced" else _balanced(data)
    fit_options: dict[str, Any] = {"class_weight": weights, "verbose": 0 if options.quiet else 1}
    watch: list[Callback] = [Dashboard()] if options.watch else []
    if data.encoder is None:
        return [_train_digits(data, options, group, watch, fit_options)]
    recipe, threads = recipe_of(data, options), options.threads or threads_of_rank()
    fit = MemberFit(recipe, data.encoder, None, options.metric, options.patience, threads, group, options.precision)
    arguments = data.X, data.y, classes, data.valid
    seeds = [(options.seed + i) % 2**64 for i in range(options.ensemble)]
    fit_options["sample_weight"] = None
    if len(seeds) > 1 and group.size == 1 and not watch and data.stream is None:
        return fit.fit_all(*arguments, seeds, **fit_options)
    trainers: list[Trainer] = []
    for seed in seeds:
        trainers.append(fit.fit(*arguments, seed, watch, **fit_options))
        if trainers[-1].stop_reason == "interrupted":
            break
    return trainers


def _balanced(data: TrainingData) -> Any:
    """The weights of class_weight="balanced", over all rows of the table, whichever rank trains on them."""
    if data.stream is not None:
        return "balanced"
    classes = data.classes
    assert classes is not None
    return balanced_weights([read_targets(data.y, losses.get("cross_entropy"), max(2, len(classes)), classes)])


def recipe_of(data: TrainingData, options: argparse.Namespace) -> Recipe:
    """The settings for a table, with those that the options change."""
    settings: dict[str, Any] = {
        "hidden": None if options.hidden is None else sum(options.hidden, ()),
        "activation": options.activation,
        "loss": options.loss,
        "lr": options.lr,
        "epochs": options.epochs,
        "batch_size": None if options.batch_size is None else min(options.batch_size, len(data.X)),
        "dropout": options.dropout,
        "weight_decay": options.weight_decay or 0.0,
    }
    return Recipe(**settings) if options.optimizer is None else _OtherOptimizer(**settings, name=options.optimizer)


def table_model(data: TrainingData, trainers: list[Trainer]) -> TableModel:
    """The networks and the encoder as one model."""
    assert data.encoder is not None
    model = TableModel("regression" if data.classes is None else "classification")
    model.encoder, model.classes = data.encoder, data.classes
    model.members = tuple(trainer.model for trainer in trainers)
    model.histories = tuple(trainer.history for trainer in trainers)
    if data.classes is None:
        low, high = data.target_range
        model.target_range = np.asarray(low), np.asarray(high)
    return model


def describe_training(data: TrainingData, options: argparse.Namespace) -> list[str]:
    """Network and training in words, a paragraph each."""
    is_classification, n_rows = data.classes is not None, len(data.X)
    n_out = 1 if data.classes is None else max(2, len(data.classes))
    recipe = _plain(data, options) if data.encoder is None else recipe_of(data, options)
    if data.encoder is None:
        model: Sequential = _digits_model(data, recipe, options.seed)
    else:
        model = recipe.network(data.encoder, n_rows, n_out, is_classification, options.seed)
    sizes = (data.n_features, *recipe.widths, n_out)
    activation = f", {recipe.activation or ('selu' if is_classification else 'mish')}" if recipe.widths else ""
    loss = options.loss or LOSSES["classification" if is_classification else "regression"][0]
    several = f"{options.ensemble} networks" if options.ensemble > 1 else "network"
    optimizer = options.optimizer or ("adam" if data.encoder is None else "adamw as RealMLP")
    epochs, batch = counted(recipe.n_epochs(n_rows), "epoch"), recipe.rows_of_batch(n_rows)
    precision = "" if options.precision == "f32" else f", {options.precision} products"
    return [
        f"{several}: {'-'.join(map(str, sizes))}{activation}, {model.theta.size:,} parameters",
        f"training: {optimizer}, loss {loss}, {epochs}, batch size {batch:,}{precision}",
    ]


@dataclass(frozen=True)
class _OtherOptimizer(Recipe):
    """The recipe with one learning rate, of another optimizer."""

    name: str = "adam"

    def optimizer(self, network: Sequential, is_classification: bool) -> Any:
        return _optimizer(self.name, self.lr, self.weight_decay)


def _optimizer(name: str, lr: Any, weight_decay: Any) -> Optimizer:
    settings = {} if lr is None else {"lr": lr}
    decay = {"weight_decay": weight_decay, "decoupled_weight_decay": True} if weight_decay else {}
    return optimizers.OPTIMIZERS[name](**settings, **decay)


def _plain(data: TrainingData, options: argparse.Namespace) -> Recipe:
    """The settings for the digits, of which the pixels are not encoded."""
    return Recipe(
        hidden=(64, 64) if options.hidden is None else sum(options.hidden, ()),
        activation=options.activation or "relu",
        epochs=options.epochs or 30,
        batch_size=min(options.batch_size or 32, len(data.X)),
        dropout=options.dropout or 0.0,
    )


def _digits_model(data: TrainingData, plain: Recipe, seed: int) -> Sequential:
    sizes = (data.X.shape[1], *plain.widths, 10)
    return MLP(*sizes, activation=str(plain.activation), dropout=plain.dropout or 0.0, seed=seed)


def _train_digits(
    data: TrainingData,
    options: argparse.Namespace,
    group: Group,
    watch: list[Callback],
    fit_options: dict[str, Any],
) -> Trainer:
    plain, n = _plain(data, options), len(data.X)
    model = _digits_model(data, plain, options.seed)
    model.inputs = data.inputs
    metric: Metric = metrics.get("accuracy") if options.metric is None else options.metric
    trainer = Trainer(
        model,
        loss=losses.get(options.loss or LOSSES["classification"][0]),
        optimizer=_optimizer(options.optimizer or "adam", options.lr, options.weight_decay),
        batch_size=group.batch_size(plain.rows_of_batch(n)),
        n_threads=options.threads or threads_of_rank(),
        metrics=[metric],
        precision=options.precision,
        comm=group.comm,
        shards=group.shards,
    )
    monitor = "validation_loss" if options.metric is None else f"validation_{metric.name}"
    best = BestEpoch(monitor) if options.patience is None else EarlyStopping(monitor, patience=options.patience)
    callbacks = [best, *watch] if data.valid else watch
    valid, share = None if data.valid is None else group.part(data.valid), group.share(n)
    trainer.fit(data.X[share], data.y[share], plain.n_epochs(n), validation=valid, callbacks=callbacks, **fit_options)
    return trainer

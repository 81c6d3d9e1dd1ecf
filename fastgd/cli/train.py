"""`fastgd train`: train a network on a table or on the digits, and save model and learning curves."""

from __future__ import annotations

import argparse
import errno
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .. import plot
from .._common.checks import counted
from ..callbacks.history import History
from ..parallel import Group
from ..training.trainer import Trainer
from .blocks import predict_blocks
from .console import INTERRUPTED, quote, report, report_lines, write
from .options import Help
from .pictures import save_picture
from .ranks import launched_group
from .report import class_tables, describe, measure, scores_of
from .sources import STDIN
from .streaming import load_stream, streams
from .train_options import EXAMPLES, add_options
from .trained import TrainedModel, versions
from .training import describe_training, table_model, train_networks
from .training_data import TrainingData, load_digits, load_table


def add_parser(commands: Any) -> None:
    """Add `train` to the sub-commands of an argparse parser."""
    parser = commands.add_parser(
        "train",
        help="train a network on a table or on handwritten digits",
        usage="fastgd train [FILE --target COLUMN] [options]",
        description="Train a network to predict one column of a table from the others: numbers, categories "
        "and dates, with missing values. Writes the model, which predict, evaluate, explain and info read, and a "
        "picture of the learning curves, and reports how good the model is on held-out rows.",
        epilog=EXAMPLES,
        formatter_class=Help,
    )
    parser.set_defaults(command=train)
    add_options(parser)


def train(options: argparse.Namespace) -> int:
    """Run the sub-command; returns the exit status."""
    group = launched_group(options.shards)
    if group.size > 1 and options.file == STDIN:
        raise ValueError("only one process can read standard input: give a file to all ranks of mpirun")
    with group.together():
        status = _train(options, group)
        group.exchange(None)  # a rank that could not write the files says so here
    return status


def _train(options: argparse.Namespace, group: Group) -> int:
    """The work of a rank of the group: all read the table and train, the first one reports and writes the files."""
    started = time.perf_counter()
    model_path, plot_path = _paths(options)
    _check_inputs(options)
    _check_output(model_path, options)
    data = _load(options, group, model_path.parent)
    _check_metric(data, options)
    tell: Callable[[str], None] = (lambda text: None) if options.quiet or options.json else report
    for line in _describe(data, options):
        tell(line)
    trainers = train_networks(data, options, group)
    is_interrupted = any(trainer.stop_reason == "interrupted" for trainer in trainers)
    trainers = [trainer for trainer in trainers if trainer.step]
    if not trainers:
        tell("interrupted before the first step: no model was written")
        return INTERRUPTED
    if group.rank > 0:
        return INTERRUPTED if is_interrupted else 0
    table = None if data.encoder is None else table_model(data, trainers)
    model = TrainedModel((trainers[0].model,) if table is None else table.members, table)
    scores = _scores(model, data, options)
    facts = _facts(data, trainers, scores) | {"seconds": time.perf_counter() - started}
    _save(model, facts, model_path)
    for paragraph in describe(scores, facts["part"]):
        tell(paragraph)
    if not (options.quiet or options.json):
        report_lines(class_tables(scores))
    tell(f"wrote {model_path}{', the best epoch until the interruption' if is_interrupted else ''}")
    drawn = _save_curves(trainers[0].history, plot_path, data.name, options)
    tell(drawn)
    if options.json:
        files = {"model": str(model_path), "plot": str(plot_path) if drawn.startswith("wrote") else None}
        shown = {name: value for name, value in facts.items() if name != "missing"}
        write(json.dumps(shown | files | {"interrupted": is_interrupted}, indent=2) + "\n")
    return INTERRUPTED if is_interrupted else 0


def _load(options: argparse.Namespace, group: Group, folder: Path) -> TrainingData:
    """The rows to learn from; those of a stream are in a temporary file in the folder."""
    if options.file is None:
        return load_digits(options)
    if group.shards > 1:  # each rank needs the rows in memory
        if options.stream:
            raise ValueError("--stream is for one process: leave out --stream, or mpirun and --shards")
        return load_table(options)
    return load_stream(options, folder) if streams(options) else load_table(options)


def _paths(options: argparse.Namespace) -> tuple[Path, Path]:
    """The model file and the picture."""
    out: Path = options.out
    if out.suffix in (".npz", ".safetensors") and not out.is_dir():
        return out, options.plot or out.with_name(f"{out.stem}-curve.png")
    return out / "fastgd-model.npz", options.plot or out / "fastgd-curve.png"


def _check_inputs(options: argparse.Namespace) -> None:
    """Raise now if the options lack a target or name a file that does not exist; a pipe is not opened yet."""
    if options.file is None:
        return
    if options.target is None:
        raise ValueError(f"which column should be predicted? fastgd train {options.file} --target COLUMN")
    for file in (options.file, options.valid):
        if isinstance(file, Path) and file != STDIN:
            file.stat()


def _check_output(model_path: Path, options: argparse.Namespace) -> None:
    """Make the folder, and raise now if a file cannot be written there later."""
    folder = model_path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None
    for file in (model_path, *([options.plot] if options.plot else [])):
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    if options.plot and not options.plot.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(options.plot.parent))
    if model_path.exists() and not options.force:
        raise ValueError(f"{model_path} exists; --force replaces it, --out writes another file")
    if model_path.suffix == ".safetensors":
        try:
            import safetensors  # noqa: F401
        except ImportError:
            raise ImportError(
                f'{model_path} needs the package safetensors: pip install "fastgd[safetensors]"'
            ) from None


def _check_metric(data: TrainingData, options: argparse.Namespace) -> None:
    """Raise ValueError now if --metric cannot be measured on such a target."""
    if options.metric is None:
        return
    y, classes = next(data.measured())[1], data.classes
    p = None if classes is None else (y[:, None] == classes).astype(np.float64)
    measure(options.metric, y, y, p)


def _describe(data: TrainingData, options: argparse.Namespace) -> list[str]:
    """What was decided, in paragraphs."""
    n_train, n_valid = len(data.X), 0 if data.valid is None else len(data.valid[0])
    target = "the digit" if data.target is None else repr(data.target)
    rows = f"{n_train + n_valid:,} rows, {n_train:,} for training and {n_valid:,} for validation"
    sample = (
        [f"read in parts; kinds, scales and categories from {data.n_sampled:,} random rows"] if data.n_sampled else []
    )
    lines = [f"{data.name}: {rows}", *sample, f"target: {target}, {_describe_task(data)}", *_describe_columns(data)]
    if options.drop:
        lines.append(f"left out: {quote(options.drop, limit=20)}")
    return [*lines, *describe_training(data, options)]


def _describe_columns(data: TrainingData) -> list[str]:
    if data.encoder is None:
        return [f"features: {counted(data.n_features, 'column')}"]
    kinds: dict[str, list[str]] = {}
    for name, kind in data.encoder.kinds.items():
        kinds.setdefault(kind, []).append(name)
    words = {"number": "numbers", "category": "categories", "boolean": "yes or no", "date": "dates"}
    n_columns, n_features = len(data.encoder.kinds), data.n_features
    lines = [f"features: {counted(n_columns, 'column')}, encoded as {n_features:,}"]
    return lines + [f"    {words[kind]}: {quote(names, limit=20)}" for kind, names in kinds.items()]


def _describe_task(data: TrainingData) -> str:
    kind = "a regression"
    if data.classes is not None:
        shown = ", ".join(map(str, data.classes[:8].tolist())) + (", ..." if len(data.classes) > 8 else "")
        kind = f"{len(data.classes):,} classes ({shown})"
    return f"{kind}, {data.decision.reason}" if data.decision.reason else kind


def _save(model: TrainedModel, facts: dict[str, Any], path: Path) -> None:
    """Write the model; an older file is replaced only once the new one is complete."""
    if model.table is None:
        model.network.save(path)
        return
    model.table.metadata = facts
    model.table.save(path)


def _scores(model: TrainedModel, data: TrainingData, options: argparse.Namespace) -> dict[str, Any]:
    """The scores on the validation rows, or on those of the training if there are none."""
    y, predicted, p = predict_blocks(model, data.measured())
    scores = scores_of(y, predicted, p, data.classes)
    if options.metric is not None:
        scores["metrics"] = {options.metric.name: measure(options.metric, y, predicted, p)}
    return scores


def _facts(data: TrainingData, trainers: list[Trainer], scores: dict[str, Any]) -> dict[str, Any]:
    """What `info` and --json tell about the training."""
    trainer = trainers[0]
    return {
        "table": data.name,
        "task": "regression" if data.classes is None else "classification",
        "target": data.target,
        "missing": list(data.missing),
        "training_rows": len(data.X),
        "part": "training" if data.valid is None else "validation",
        "networks": len(trainers),
        "epochs": trainer.epoch,
        "loss": trainer.loss.name,
        "batch_size": trainer.batch_size,
        "precision": trainer.precision,
        "scores": scores,
        "versions": {} if data.encoder is None else versions(),
    }


def _save_curves(history: History, path: Path, name: str, options: argparse.Namespace) -> str:
    """Save the learning curves if possible; return the line that reports it."""
    what = "plot of the learning curves"
    if not (options.no_plot or history["epoch"]):
        return f"no {what}: no epoch was completed"
    return save_picture(what, lambda: plot.curves(history, f"Learning curves: {name}"), path, options)

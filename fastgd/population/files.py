"""Files of populations: the trainers, and what is left of a run that was stopped, without pickle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .._common.checks import check_bool, check_int
from .._common.typing import Array
from ..models import files
from ..training import checkpoint
from ..training.trainer import Trainer
from .members import Goal
from .sub_files import Part, specs_of

_FORMAT = "fastgd population 1"


def save_population(
    target: files.Target,
    trainers: Sequence[Trainer],
    goals: Mapping[Trainer, Goal],
    errors: Mapping[int, str],
    format: str | None,
) -> None:
    """Write a population; TypeError if a part of a trainer is custom code."""
    configs: list[dict[str, Any]] = []
    arrays: dict[str, Array] = {}
    for i, trainer in enumerate(trainers):
        config, own = checkpoint.contents(trainer._settings, trainer._state)
        configs.append(config)
        arrays |= {f"{i}.{name}": values for name, values in own.items()}
    left = [asdict(goals[trainer]) if trainer in goals else None for trainer in trainers]
    config = {"format": _FORMAT, "members": configs, "goals": left, "errors": list(errors.items())}
    files.save_arrays(target, config, arrays, format)


def load_population(source: files.Target, **custom: Any) -> tuple[list[Trainer], dict[Trainer, Goal], dict[int, str]]:
    """Trainers, goals and errors; `custom` has the losses and metrics that no file holds."""
    with files.open_arrays(source) as file:
        config = file.config
        if config.get("format") != _FORMAT:
            raise ValueError(f"its format is {config.get('format')!r}, not {_FORMAT!r} (Trainer.load reads trainers)")
        arrays = file.arrays(specs_of(config["members"], checkpoint.load))
        parts = [Part(member, f"{i}.", arrays) for i, member in enumerate(config["members"])]
        restored = [checkpoint.restored(Trainer, checkpoint.load(part), **custom) for part in parts]
        goals = [None if goal is None else _goal(**goal) for goal in config["goals"]]
        errors = {int(i): str(text) for i, text in config["errors"]}
    checkpoint.check_custom(source, sorted({name for _, names in restored for name in names}), "Population.load")
    trainers = [trainer for trainer, _ in restored]
    return trainers, {t: goal for t, goal in zip(trainers, goals, strict=True) if goal is not None}, errors


def _goal(first: Any, last: Any, is_auto: Any, has_begun: Any) -> Goal:
    epochs = check_int("first", first, minimum=0), check_int("last", last, minimum=0)
    return Goal(*epochs, check_bool("is_auto", is_auto), check_bool("has_begun", has_begun))

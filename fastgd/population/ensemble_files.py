"""Files of ensembles: the parameters of each model, weights and calibration, without pickle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._common.typing import Array, Floats
from ..data.arrays import check_finite
from ..models import files
from ..models.sequential import Sequential
from .intervals import Calibration
from .sub_files import Part, specs_of

_FORMAT = "fastgd ensemble 1"


def save_ensemble(
    target: files.Target,
    models: Sequence[Sequential],
    weights: Floats,
    calibration: Calibration | None,
    format: str | None,
) -> None:
    """Write an ensemble."""
    arrays: dict[str, Array] = {"weights": weights}
    for i, model in enumerate(models):
        arrays |= {f"{i}.{name}": values for name, values in model.parameters().items()}
    if calibration is not None:
        arrays |= {"calibration.scores": calibration.scores, "calibration.floor": calibration.floor}
    config = {
        "format": _FORMAT,
        "models": [model.to_config() for model in models],
        "calibration": None if calibration is None else list(calibration.scores.shape),
    }
    files.save_arrays(target, config, arrays, format)


def load_ensemble(source: files.Target) -> tuple[list[Sequential], Floats, Calibration | None]:
    """Models, weights and calibration; ValueError if the file is damaged or of another kind."""
    with files.open_arrays(source) as file:
        if file.config.get("format") != _FORMAT:
            raise ValueError(f"its format is {file.config.get('format')!r}, not {_FORMAT!r} (gd.load reads models)")
        configs, shape = file.config["models"], file.config["calibration"]
        double = np.dtype(np.float64)
        expected: dict[str, Any] = {"weights": ((len(configs),), double)}
        if shape is not None:
            expected |= {"calibration.scores": (tuple(shape), double), "calibration.floor": ((shape[1],), double)}
        arrays = file.arrays(expected | specs_of(configs, _load_model))
        for name in expected:
            check_finite(arrays[name], name)
        models = [_load_model(Part(config, f"{i}.", arrays)) for i, config in enumerate(configs)]
    calibration = None if shape is None else Calibration(arrays["calibration.scores"], arrays["calibration.floor"])
    return models, arrays["weights"], calibration


def _load_model(file: files.Reader) -> Sequential:
    return Sequential.from_config(file.config, file.arrays)

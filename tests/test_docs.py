"""The pages of docs/ are complete."""

import inspect
import re

import pytest
from pages import blocks, text_of

import fastgd as gd
from fastgd import schedules
from fastgd.layers.stack import INPUT_LAYERS
from fastgd.optimizers import OPTIMIZERS
from fastgd.optimizers.averaging import AVERAGES
from fastgd.optimizers.groups import FACTORS

PAGE = text_of("docs/optimizers.md")


def test_the_example_of_input_layers(capsys):
    """It runs, and explains more of the target than its mean does; the table has every constructor."""
    pytest.importorskip("sklearn")
    page, names = text_of("docs/layers.md"), {}
    exec(blocks("docs/layers.md")[0], names)
    assert names["trainer"].history["validation_r2"][-1] > 0.2
    assert "PeriodicEmbedding" in capsys.readouterr().out
    for cls in INPUT_LAYERS.values():
        assert f"| `{cls.__name__}({', '.join(inspect.signature(cls).parameters)})` |" in page


def test_the_example_at_the_top():
    """It runs, and reaches what the page says."""
    names = {}
    exec(blocks("docs/optimizers.md")[0], names)
    assert names["history"]["validation_accuracy"][-1] > 0.965
    assert names["model"].theta.shape == names["trainer"].model.theta.shape


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_with_their_settings(name):
    """The table lists the positional arguments, and each optimizer has a measured cost."""
    cls = OPTIMIZERS[name]
    parameters = inspect.signature(cls).parameters.values()
    settings = [p.name for p in parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert f"| `{name}` | `{cls.__name__}({', '.join(settings)})` |" in PAGE
    assert re.search(rf"^\| `{cls.__name__}` \|.*%", PAGE, re.MULTILINE)


def test_what_every_optimizer_takes():
    parameters = inspect.signature(gd.SGD).parameters.values()
    for p in parameters:
        if p.kind is inspect.Parameter.KEYWORD_ONLY:
            assert f"| `{p.name}={p.default}` |" in PAGE
    for name in [*AVERAGES, "accumulate", "grad_norm", *FACTORS]:
        assert name in PAGE


SCHEDULES = [name for name in schedules.__all__ if name[0].isupper() and name not in ("Rate", "Schedule")]


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_with_their_numbers(name):
    numbers = inspect.signature(getattr(schedules, name)).parameters
    assert f"| `{name}({', '.join(numbers)})` |" in PAGE

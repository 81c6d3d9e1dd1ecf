"""The examples in docstrings give what they print, on whichever engine runs."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import fastgd as gd

PACKAGE = Path(gd.__file__).parent
EXTRAS = {
    "fastgd.sklearn": "sklearn",
    "fastgd.sklearn.classifier": "sklearn",
    "fastgd.sklearn.linear": "sklearn",
    "fastgd.sklearn.regressor": "sklearn",
    "fastgd.sklearn.tabular": "sklearn",
    "fastgd.tables.columns": "polars",
    "fastgd.tables.reading": "polars",
    "fastgd.training.lbfgs": "scipy",
}  # what the examples of a module need beyond NumPy


def modules_with_examples():
    for path in sorted(PACKAGE.rglob("*.py")):
        if ">>> " in path.read_text(encoding="utf-8"):
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            yield ".".join(parts).removesuffix(".__init__")


@pytest.mark.parametrize("name", list(modules_with_examples()))
def test_examples_of(name):
    if name in EXTRAS:
        pytest.importorskip(EXTRAS[name])
    names = {"gd": gd}  # as in README; every other name is imported by the example
    failed, attempted = doctest.testmod(import_module(name), extraglobs=names, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert attempted > 0
    assert failed == 0  # the differences are in the captured output

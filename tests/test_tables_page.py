"""The examples of docs/tables.md run when they are pasted, and the page names what there is."""

import inspect
import re
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

from fastgd.sklearn import TabularClassifier, TabularRegressor
from fastgd.tables.kinds import KINDS
from fastgd.tables.recipe import Recipe

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "tables.md").read_text()


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    pytest.importorskip("polars")
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
    assert float(capsys.readouterr().out.split()[0]) > 0.9  # the score of the regression
    assert list(tmp_path.iterdir()) == []


def test_kinds_and_parameters_are_named():
    for kind in KINDS:
        assert f"| {kind} |" in PAGE
    parameters = {*inspect.signature(TabularClassifier).parameters, *inspect.signature(TabularRegressor).parameters}
    common = {"random_state", "verbose", "n_threads", "validation_fraction", "max_one_hot"}
    assert [name for name in parameters - common if f"`{name}" not in PAGE] == []


def test_numbers_of_the_recipe():
    recipe = Recipe()
    assert f"dropout of {recipe.dropout}" in PAGE
    assert [recipe.n_epochs(rows) for rows in (4096, 10**7)] == [256, 48]
    assert [recipe.rows_of_batch(rows) for rows in (4096, 10**7)] == [256, 1024]
    assert "256 epochs of batches of 256" in PAGE

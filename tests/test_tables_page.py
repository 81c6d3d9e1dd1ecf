"""The examples of docs/tables.md run when they are pasted, and the page names what there is."""

import inspect

import pytest
from pages import session_of, text_of

pytest.importorskip("sklearn")

from fastgd.sklearn import TabularClassifier, TabularRegressor
from fastgd.tables import TableEncoder
from fastgd.tables.kinds import KINDS
from fastgd.tables.recipe import Recipe

PAGE = text_of("docs/tables.md")


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    pytest.importorskip("polars")
    monkeypatch.chdir(tmp_path)
    session_of("docs/tables.md")
    assert float(capsys.readouterr().out.split()[0]) > 0.9  # the score of the regression
    assert list(tmp_path.iterdir()) == []


def test_kinds_and_parameters_are_named():
    for kind in KINDS:
        assert f"| {kind} |" in PAGE
    parameters = {*inspect.signature(TabularClassifier).parameters, *inspect.signature(TabularRegressor).parameters}
    common = {"random_state", "verbose", "n_threads", "validation_fraction", "max_one_hot"}
    assert [name for name in parameters - common if f"`{name}" not in PAGE] == []


def test_numbers_of_the_recipe():
    recipe, encoder = Recipe(), TableEncoder().fit({"x": [0.5, 1.5, 0.5]})
    assert [recipe.n_epochs(rows) for rows in (1023, 1024, 2**16, 10**7)] == [32, 64, 64, 16]
    assert "64 epochs, and 32 for fewer than 1024 training rows" in PAGE
    assert [recipe.rows_of_batch(rows) for rows in (4096, 10**7)] == [256, 1024]
    noises = [recipe.network(encoder, rows, 1, False, 0).noises[-1] for rows in (8191, 8192)]
    assert [noise.strength for noise in noises if noise] == [0.3, 0.15]
    assert "dropout of 0.3, and from 8192 training rows on the 0.15 of the paper" in PAGE

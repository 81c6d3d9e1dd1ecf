"""The examples of docs/many-models.md run when they are pasted, one after another."""

import pytest
from pages import session_of

import fastgd as gd


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    session_of("docs/many-models.md")
    printed = capsys.readouterr().out.splitlines()
    assert float(printed[1]) > 0.85
    assert 0.85 < float(printed[2]) < 0.96
    assert [path.name for path in tmp_path.iterdir()] == ["population.npz"]
    assert len(gd.Population.load("population.npz")) == 4

"""The examples of docs/many-models.md run when they are pasted, one after another."""

import re
from pathlib import Path

import pytest

import fastgd as gd

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "many-models.md").read_text()


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
    printed = capsys.readouterr().out.splitlines()
    assert float(printed[1]) > 0.85
    assert 0.85 < float(printed[2]) < 0.96
    assert [path.name for path in tmp_path.iterdir()] == ["population.npz"]
    assert len(gd.Population.load("population.npz")) == 4
    print(*printed, sep="\n")

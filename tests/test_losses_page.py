"""docs/losses.md says what the code does: every row of its tables is read, and its formulas are computed."""

import re
from pathlib import Path

import numpy as np
import pytest
from problems import targets

from fastgd import losses
from fastgd.losses import LOSSES

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "losses.md").read_text()
NAMESPACE = {
    name: getattr(np, name)
    for name in ["abs", "clip", "cosh", "exp", "log", "maximum", "mean", "sign", "sum", "tanh", "where"]
}


def table(header):
    """The cells of the rows of the table that begins so."""
    lines = TEXT[TEXT.index(header) :].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[: lines.index("")]]


ROWS = {row[0].strip("`"): row for row in table("| name | object |")}


def formula(code, loss, z, y):
    """The value of a cell for one row z (n,)."""
    n, softmax, s = len(z), np.exp(z) / np.exp(z).sum(), 1 / (1 + np.exp(-z))
    names = dict(NAMESPACE, z=z, y=y, d=z - y if np.ndim(y) else None, n=n, p=softmax, s=s, t=np.where(y > 0, 1, -1))
    names |= {"one_hot": lambda label: np.eye(n)[label], "q": 0.5, "w": 1, "a": 1, "b": 1}
    if loss.name == "binary_focal":
        names |= {"q": y * (1 - s) + (1 - y) * s, "c": -y * np.log(s) - (1 - y) * np.log(1 - s)}
    names |= {name: value[0] if isinstance(value, tuple) else value for name, value in vars(loss).items()} | {
        "alpha": 1
    }
    return eval(code.strip("`"), {"__builtins__": {}}, names)


def test_all_losses_are_there_in_order():
    assert list(ROWS) == list(LOSSES)


@pytest.mark.parametrize("name", LOSSES)
def test_formulas_are_the_definitions(name):
    loss, rng = losses.get(name), np.random.default_rng(0)
    Z = rng.normal(size=(20, 5))
    Y = targets(rng, loss, *Z.shape)
    _, _, value, gradient, *_ = ROWS[name]
    y = Y[:, 0] if loss.target == "labels" else Y
    np.testing.assert_allclose([formula(value, loss, *row) for row in zip(Z, y, strict=True)], loss.per_row(Z, Y))
    slopes = [formula(gradient, loss, *row) for row in zip(Z, y, strict=True)]
    np.testing.assert_allclose(slopes, loss.gradient(Z, Y), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_the_other_columns(name):
    _, made, _, _, kind, link, source = ROWS[name]
    loss = losses.get(name)
    assert eval(made.strip("`"), vars(losses)) == loss
    assert link == loss.link
    assert all(f"{field}=" in made for field in vars(loss))
    wanted = {"softmax": "rows of probabilities", "sign": "yes or no"}.get(loss.link, f"values in {loss.interval}")
    wanted = "labels" if loss.target == "labels" else wanted.replace(" in (-inf, inf)", "")
    assert kind == wanted
    assert all(word in type(loss).__doc__ for word in source.split(", "))


def test_the_other_names():
    aliases = {name: re.findall(r"`(\w+)`", cell) for name, cell in table("| name | aliases |")}
    assert {other: name.strip("`") for name, others in aliases.items() for other in others} == {
        other: meant if isinstance(meant, str) else meant.name for other, meant in losses._ALIASES.items()
    }


def test_links():
    links = {row[0]: row for row in table("| link | `model.predict`")}
    assert set(links) == {loss.link for loss in LOSSES.values()}
    for loss in LOSSES.values():
        metric = {"r2": "R2", "accuracy": "accuracy", None: "none for"}[loss.metric]
        assert metric in links[loss.link][3], loss.name

"""Parameters that training does not change."""

import copy
import pickle

import numpy as np
import pytest

import fastgd as gd
from fastgd.optimizers import OPTIMIZERS


def data(n=40):
    random = np.random.default_rng(0)
    return random.normal(size=(n, 4)).astype("float32"), random.integers(0, 3, n)


def frozen_bits(model):
    return model.theta[model.is_frozen()].tobytes()


@pytest.fixture
def model(engine):
    model = gd.MLP(4, 6, 5, 3, dropout=0.2, seed=1)
    model.freeze("0.*", "*.bias")
    return model


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_fit_keeps_every_bit(model, optimizer):
    settings = {} if optimizer in ("rprop", "muon") else {"weight_decay": 0.1}
    rule = OPTIMIZERS[optimizer](
        **settings, l1=0.01, max_norm=0.5, groups={"0.*": {"lr": 2.0}, "1.weight": {"lr": 0.5}}
    )
    frozen, before = frozen_bits(model), model.theta.copy()
    trainer = gd.Trainer(model, loss="cross_entropy", optimizer=rule, batch_size=8, seed=0)
    trainer.fit(*data(), epochs=3, verbose=0)
    assert frozen_bits(model) == frozen
    changed = ~model.is_frozen()
    assert (model.theta != before)[changed].mean() > 0.5
    model.unfreeze()
    trainer.fit(*data(), epochs=2, verbose=0)
    assert frozen_bits(model) != frozen or not model.frozen


def test_the_rest_is_trained_as_with_a_group_of_lr_0(model):
    X, y = data()
    other = gd.MLP(4, 6, 5, 3, dropout=0.2, seed=1)
    zero = {"lr": 0.0, "weight_decay": 0.0}
    for each, groups in ((model, None), (other, {"0.*": zero, "*.bias": zero})):
        rule = gd.AdamW(0.01, groups=groups)
        gd.Trainer(each, loss="cross_entropy", optimizer=rule, batch_size=8, seed=0).fit(X, y, epochs=2, verbose=0)
    np.testing.assert_array_equal(model.theta, other.theta)


def test_custom_loops_see_a_change_at_once(model):
    X, y = data()
    rule, loss = gd.AdamW(0.01), gd.losses.get("cross_entropy")

    def step():
        before = model.theta.copy()
        model.backward(loss.value_and_gradient(model.forward(X), y)[1])
        rule.step(model)
        return model.theta != before

    assert not step()[model.is_frozen()].any()
    frozen = model.is_frozen()
    model.unfreeze("0.*")
    assert step()[frozen & ~model.is_frozen()].any()
    model.freeze("*")
    assert not step().any()


def test_lbfgs(engine):
    pytest.importorskip("scipy")
    model = gd.MLP(4, 6, 3, activation="tanh", seed=1)
    model.freeze("0.*")
    frozen, before = frozen_bits(model), model.theta.copy()
    gd.fit_lbfgs(model, *data(), loss="cross_entropy", weight_decay=0.01, epochs=5)
    assert frozen_bits(model) == frozen
    assert (model.theta != before).any()


def test_copies_pickles_and_files_are_frozen_too(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    trainer = gd.Trainer(model, loss="cross_entropy", batch_size=8, seed=0)
    trainer.fit(*data(), epochs=1, verbose=0)
    trainer.save(tmp_path / "trainer.npz")
    copies = [copy.copy(model), pickle.loads(pickle.dumps(model)), gd.Sequential.load(tmp_path / "model.safetensors")]
    for each in (*copies, gd.Trainer.load(tmp_path / "trainer.npz").model):
        assert each.frozen == ("0.*", "*.bias")
    assert model[1:].frozen == ()


def test_unfreezing(model):
    model.unfreeze("0.*")
    assert model.frozen == ("*.bias",)
    model.freeze("*.bias", "1.weight")
    assert model.frozen == ("*.bias", "1.weight")
    model.unfreeze()
    assert model.frozen == ()
    assert not model.is_frozen().any()


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda m: m.freeze(), ValueError, r'model.freeze\("0.\*"\)'),
        (lambda m: m.freeze("1.*", "3.*"), ValueError, r"'3.\*' matches no parameter; there are 0.weight"),
        (lambda m: m.freeze(0), TypeError, 'must be text such as "0.', ),
        (lambda m: m.unfreeze("1.*"), ValueError, "'1..' is not among the frozen patterns"),
    ],
)  # fmt: skip
def test_refused(model, call, error, text):
    with pytest.raises(error, match=text):
        call(model)
    assert model.frozen == ("0.*", "*.bias")

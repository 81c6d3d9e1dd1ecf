"""Models made of parts of others: slices, shared layers, compositions, copied parameters; outputs of hidden layers."""

import copy

import numpy as np
import pytest
from training import model_of

import fastgd as gd


def rows(n=6, n_in=8, dtype="float32"):
    return np.random.default_rng(0).normal(size=(n, n_in)).astype(dtype)


def parameters_equal(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one) and list(one) == list(other)


@pytest.fixture
def model(engine):
    return gd.MLP(8, 5, 4, 3, activation="tanh", dropout=0.25, seed=3)


def test_activations_are_those_of_the_formulas(model):
    X, p = rows(), model.parameters()
    computed, z = model.activations(X), model.activations(X, "pre-activations")
    A = X
    for i, layer in enumerate(model.layers):
        np.testing.assert_allclose(z[i], A @ p[f"{i}.weight"] + p[f"{i}.bias"], rtol=2e-5, atol=1e-6)
        A = layer.activation.forward(z[i])
        np.testing.assert_allclose(computed[i], A, rtol=1e-5, atol=1e-6)
        A = computed[i]
    np.testing.assert_array_equal(computed[-1], model.predict(X))


def test_activations_of_standardized_rows(engine):
    X = 100 + 5 * rows(50)
    model = gd.MLP(8, 4, 1, seed=0)
    gd.Trainer(model, loss="mse", standardize="X", batch_size=10).fit(X, X[:, 0], epochs=2, verbose=0)
    hidden = model.activations(X)[0]
    scaled = model.inputs.scale(X, model.dtype)
    np.testing.assert_array_equal(hidden, model[:1].forward(scaled))


def test_a_slice_shares_nothing(model):
    part, before = model[1:], model.theta.copy()
    assert [layer.n_in for layer in part.layers] == [5, 4]
    assert part.noises == model.noises[1:]
    part.theta[:] = 0
    part.backward(part.forward(rows(n_in=5)) + 1)
    np.testing.assert_array_equal(model.theta, before)
    assert not model.grad.any()


@pytest.mark.parametrize("k", [1, 2])
def test_parts_that_are_joined_are_the_model(model, k):
    joined = model[:k] + model[k:]
    assert parameters_equal(joined.parameters(), model.parameters())
    np.testing.assert_array_equal(joined.predict(rows()), model.predict(rows()))
    assert joined.stack == model.stack
    joined.theta[:] = 0
    assert model.theta.any()


def test_one_backward_goes_through_both_parts(engine):
    encoder, head, X = model_of(8, 5, seed=1), model_of(5, 3, seed=2), rows()
    joined = encoder + head
    dX = joined.backward(joined.forward(X))
    dA = head.backward(head.forward(encoder.forward(X)))
    np.testing.assert_allclose(encoder.backward(dA), dX, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(np.concatenate([encoder.grad, head.grad]), joined.grad, rtol=1e-5, atol=1e-7)


def test_shared_layers_train_the_model(model):
    trunk, head, X = model.share(0, 2), model.share(-1), rows()
    assert np.shares_memory(trunk.theta, model.theta)
    assert np.shares_memory(head.grad, model.grad)
    reference = copy.copy(model)
    reference.backward(reference.forward(X))
    trunk.backward(head.backward(head.forward(trunk.forward(X))))
    np.testing.assert_allclose(model.grad, reference.grad, rtol=1e-5, atol=1e-7)
    before = model.parameters()["2.weight"].copy()
    gd.SGD(0.5).step(trunk)
    np.testing.assert_array_equal(model.parameters()["2.weight"], before)
    np.testing.assert_array_equal(model.parameters()["0.weight"], trunk.parameters()["0.weight"])
    assert not np.array_equal(model.theta, reference.theta)


def test_a_trainer_of_shared_layers(model):
    before, head = model.theta.copy(), model.share(2)
    gd.Trainer(head, loss="mse", batch_size=2, seed=0).fit(rows(n_in=4), rows(n_in=3), epochs=2, verbose=0)
    first = model.size - head.size
    np.testing.assert_array_equal(model.theta[:first], before[:first])
    assert (model.theta[first:] != before[first:]).any()


def test_shared_layers_keep_names_and_classes_at_the_ends(engine):
    X = rows(30)
    model = gd.MLP(8, 4, 2, seed=0)
    gd.Trainer(model, loss="cross_entropy", batch_size=10).fit(X, np.where(X[:, 0] > 0, "b", "a"), epochs=1, verbose=0)
    assert model.share(1).head.classes.tolist() == ["a", "b"]
    assert model.share(0, 1).head.classes is None
    assert model.share(0, 1).inputs.fitted
    assert not model.share(1).inputs.fitted


def test_copies_of_shared_layers_own_their_parameters(model):
    part = copy.deepcopy(model.share(0, 1))
    part.theta[:] = 0
    assert model.theta[: part.size].any()


def test_copied_parameters(model):
    other = gd.MLP(8, 5, 4, 3, seed=4, dtype="float64")
    before = {name: values.copy() for name, values in model.parameters().items()}
    model.copy_parameters(other, layers=[0, -1])
    for name, values in model.parameters().items():
        expected = before[name] if name.startswith("1.") else other.parameters()[name].astype("float32")
        np.testing.assert_array_equal(values, expected)
    model.copy_parameters(other, layers=slice(1, 2))
    np.testing.assert_array_equal(model.theta, other.theta.astype("float32"))


def test_parameters_move_towards_others(model):
    other, before = gd.MLP(8, 5, 4, 3, seed=4), model.theta.copy()
    for _ in range(3):
        model.copy_parameters(other, tau=0.1)
    np.testing.assert_allclose(model.theta, 0.9**3 * before + (1 - 0.9**3) * other.theta, rtol=1e-5, atol=1e-7)
    model.copy_parameters(other, tau=0.0)
    target = copy.copy(other)
    target.copy_parameters(other, tau=0.3)
    np.testing.assert_array_equal(target.theta, other.theta)


def test_classes_of_a_custom_loop(engine):
    X, y, labels = rows(90), np.repeat([0, 1, 2], 30), np.array(["ant", "bee", "cat"])
    X[np.arange(90), y] += 4
    model, loss, optimizer = gd.MLP(8, 3, seed=0), gd.losses.get("cross_entropy"), gd.SGD(0.5)
    for _ in range(60):
        _, dZ = loss.value_and_gradient(model.forward(X), y)
        model.backward(dZ)
        optimizer.step(model)
    model.set_classes(labels)
    assert (model.predict(X) == labels[y]).mean() > 0.9
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-5)


def test_two_classes_of_a_single_output(engine):
    model = gd.MLP(8, 1, seed=0)
    model.set_classes([-1, 1])
    np.testing.assert_array_equal(model.predict(rows()), np.where(model.forward(rows())[:, 0] > 0, 1, -1))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda m: m[0], TypeError, r"model\[:2\], but no element 0"),
        (lambda m: m[::-1], ValueError, "a slice has no step, such as -1"),
        (lambda m: m[3:], ValueError, "there are no layers from 3 to None: the model has 3"),
        (lambda m: m + 1, TypeError, "unsupported operand"),
        (lambda m: m + gd.MLP(4, 1, seed=0), ValueError, "layer 3 takes 4 columns, but layer 2 has 3 outputs"),
        (lambda m: m + gd.MLP(3, 1, dtype="float64"), ValueError, "not float32 and float64"),
        (lambda m: m.copy_parameters(gd.MLP(8, 5, 4, 2)), ValueError, r"2.weight of shape \(4, 3\) cannot be copied"),
        (lambda m: m.copy_parameters(gd.MLP(8, 5)), ValueError, "1.weight .* in the other model it is missing"),
        (lambda m: m.copy_parameters(m, tau=1.5), ValueError, r"tau must be in \[0, 1\], not 1.5"),
        (lambda m: m.copy_parameters(m, layers=[3]), IndexError, "there is no layer 3: the model has 3"),
        (lambda m: m.set_classes(["a", "b"]), ValueError, "a model with 3 outputs has 3 different classes"),
        (lambda m: m.set_classes([1, 2, 2]), ValueError, r"has 3 different classes, not \[1, 2, 2\]"),
        (lambda m: m.activations(rows(), "all"), ValueError, "kind must be one of"),
        (lambda m: m.activations(rows(n_in=7)), ValueError, "8"),
    ],
)
def test_refused(model, call, error, text):
    before = model.theta.copy()
    with pytest.raises(error, match=text):
        call(model)
    np.testing.assert_array_equal(model.theta, before)


def test_another_thread_cannot_use_shared_layers(model):
    """The networks on parts of theta have the lock of those on all of it."""
    assert model.share(0, 1)._executors.lock() is model._executors.lock()
    assert model[:1]._executors.lock() is not model._executors.lock()
